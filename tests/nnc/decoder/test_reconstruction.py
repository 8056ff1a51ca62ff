from dataclasses import replace

import numpy as np
import pytest

from conformance.nnc.decoder import decode
from conformance.nnc.encoder import Block, EncoderSettings, Quantization, encode
from conformance.nnc.errors import NncMalformedError
from conformance.nnc.options import Options
from conformance.nnc.parser import parse_stream

SCALED = Options(apply_local_scaling=True)
MULTIPLIED = Options(multiply_decomposition=True)
BOTH = Options(apply_local_scaling=True, multiply_decomposition=True)


def tensors_of(**shapes):
    random = np.random.default_rng(1)
    return {name: random.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def stream(tensors, *blocks, **quantization):
    settings = EncoderSettings(quantization=Quantization(qp=-20, **quantization), blocks=blocks)
    return encode(tensors, settings)


SCALING = Block({"weight": "w", "local-scaling": "w_scaling", "bias": "b"})
FACTORS = Block({"G": "w_G", "H": "w_H"}, shape=(6, 2, 2))


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 3, 2, 2)], ids=str)
def test_the_scaling_multiplies_along_the_first_dimension(shape):
    data = stream(tensors_of(w=shape, w_scaling=5, b=5), SCALING)
    parts, whole = decode(data), decode(data, SCALED)
    factors = parts["w_scaling"].reshape(-1, *(1,) * (len(shape) - 1))
    assert whole.keys() == {"w", "b"}
    assert whole["w"].dtype == np.float32
    assert np.array_equal(whole["w"], parts["w"] * factors)
    assert np.array_equal(whole["b"], parts["b"])


def test_values_of_a_codebook_stay_float64_when_scaled():
    data = stream(tensors_of(w=(5, 30), w_scaling=5, b=5), SCALING, codebook_size=4)
    assert decode(data, SCALED)["w"].dtype == np.float64


def test_without_being_asked_parts_stay_parts():
    data = stream(tensors_of(w_G=(6, 2), w_H=(2, 4)), FACTORS)
    assert decode(data).keys() == decode(data, SCALED).keys() == {"w_G", "w_H"}


@pytest.mark.parametrize("piecewise", [False, True], ids=["block", "units"])
def test_factors_are_multiplied_out_into_the_shape_of_the_weight(piecewise):
    block = replace(FACTORS, piecewise=piecewise)
    data = stream(tensors_of(w_G=(6, 2), w_H=(2, 4), other=(3,)), block)
    parts, whole = decode(data), decode(data, MULTIPLIED)
    assert whole.keys() == {"w", "other"}
    assert whole["w"].shape == (6, 2, 2)
    assert whole["w"].dtype == np.float32
    assert np.array_equal(whole["w"], (parts["w_G"] @ parts["w_H"]).reshape(6, 2, 2))


def test_a_decomposed_weight_is_scaled_by_its_first_factor():
    members = {"G": "w_G", "H": "w_H", "local-scaling": "s"}
    data = stream(tensors_of(w_G=(6, 2), w_H=(2, 4), s=6), Block(members, shape=(6, 4)))
    parts, whole = decode(data), decode(data, BOTH)
    assert whole.keys() == {"w"}
    scaled = parts["w_G"] * parts["s"][:, np.newaxis]
    assert np.array_equal(whole["w"], scaled @ parts["w_H"])


def test_a_scaling_that_fits_the_weight_but_not_g_is_malformed():
    members = {"G": "w_G", "H": "w_H", "local-scaling": "s"}
    data = stream(tensors_of(w_G=(3, 2), w_H=(2, 8), s=6), Block(members, shape=(6, 4)))
    assert decode(data, MULTIPLIED)["w"].shape == (6, 4)
    with pytest.raises(NncMalformedError, match="does not fit 'w_G'") as caught:
        decode(data, SCALED)
    assert (caught.value.expected, caught.value.found) == ("3 factors, one for each row", "6")


def test_a_factor_without_the_other_stays():
    data = stream(tensors_of(w_G=(6, 2), w_H=(2, 4)), replace(FACTORS, piecewise=True))
    units = parse_stream(data).units
    assert decode(data[: units[-1].byte], MULTIPLIED).keys() == {"w_G"}


def test_factors_of_different_weights_are_not_multiplied():
    pieces = replace(FACTORS, piecewise=True)
    first = stream(tensors_of(w_G=(6, 2), w_H=(2, 4)), pieces)
    wider = stream(tensors_of(w_G=(6, 2), w_H=(2, 8)), replace(pieces, shape=(6, 8)))
    units, others = parse_stream(first).units, parse_stream(wider).units
    mixed = first[: units[-1].byte] + wider[others[-1].byte :]
    with pytest.raises(NncMalformedError, match="have no product 'w'") as caught:
        decode(mixed, MULTIPLIED)
    assert "(2, 4)" in caught.value.expected
    assert "(2, 8)" in caught.value.found


def test_a_product_takes_no_other_tensors_name():
    data = stream(tensors_of(w_G=(6, 2), w_H=(2, 4), w=(3,)), FACTORS)
    with pytest.raises(NncMalformedError, match="have no product") as caught:
        decode(data, MULTIPLIED)
    assert caught.value.found.endswith("the name is taken")
