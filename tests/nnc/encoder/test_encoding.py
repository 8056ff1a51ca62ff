"""Whole streams: what the decoder gives back, for every kind of unit."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from conformance import nnc
from conformance.nnc.decoder import decode
from conformance.nnc.encoder import (
    Block,
    EncoderSettings,
    LayerParameters,
    LevelSettings,
    Quantization,
    UpdateSettings,
    encode,
)
from conformance.nnc.parser import parse_stream
from conformance.nnc.state import DecoderState

RANDOM = np.random.default_rng(1)
TENSORS = {
    "fc": RANDOM.laplace(0, 0.05, (40, 23)).astype(np.float32),
    "conv.weight": RANDOM.laplace(0, 0.05, (33, 4, 3, 3)).astype(np.float32),
    "conv.bias": RANDOM.normal(0, 1, 33).astype(np.float32),
    "conv.scale": RANDOM.normal(1, 0.1, 33).astype(np.float32),
    "count": RANDOM.integers(-1000, 1000, (5, 7)).astype(np.int32),
    "scalar": np.float32(3.3).reshape(()),
    "empty": np.zeros((0, 4), np.float32),
    "fac_G": RANDOM.normal(0, 0.1, (24, 3)).astype(np.float32),
    "fac_H": RANDOM.normal(0, 0.1, (3, 50)).astype(np.float32),
}
CONVOLUTION = Block({"weight": "conv.weight", "bias": "conv.bias", "local-scaling": "conv.scale"})
FACTORS = Block({"G": "fac_G", "H": "fac_H"}, shape=(24, 5, 10))
STEP = 2.0**-5
FIRST_EDITION = nnc.Interpretation("nncodec-1.0")


def units(data: bytes, name: str = "NDU"):
    return [unit for unit in parse_stream(data).units if unit.name == name]


def assert_near(decoded, tensors, bound=0.51 * STEP):
    assert set(decoded) == set(tensors)
    for name, array in tensors.items():
        assert decoded[name].shape == array.shape
        assert np.abs(decoded[name] - array).max(initial=0) <= bound, name


@pytest.mark.parametrize("profile", [0, 1])
@pytest.mark.parametrize("scan_order", [0, 1, 4])
@pytest.mark.parametrize("dependent", [False, True])
@pytest.mark.parametrize("blocks", [(), (CONVOLUTION, FACTORS)], ids=["alone", "blocks"])
def test_decoded_tensors_are_near_those_encoded(profile, scan_order, dependent, blocks):
    settings = EncoderSettings(
        profile=profile,
        quantization=Quantization(qp=-20, dependent=dependent),
        levels=LevelSettings(scan_order=scan_order, row_skip=profile == 1),
        blocks=blocks,
    )
    assert_near(decode(encode(TENSORS, settings)), TENSORS, (2 if dependent else 0.51) * STEP)


def test_integers_are_exact():
    tensors = {
        "bytes": np.arange(256, dtype=np.uint8),
        "wide": np.array([[2**31 - 1, -(2**31)]], np.int64),
        "flags": np.array([True, False]),
    }
    decoded = decode(encode(tensors))
    for name, array in tensors.items():
        assert decoded[name].dtype == np.int32
        assert np.array_equal(decoded[name], array)


def test_raw_tensors_are_exact():
    settings = EncoderSettings(quantization=Quantization(raw=frozenset({"fc", "scalar"})))
    decoded = decode(encode(TENSORS, settings))
    for name in ("fc", "scalar"):
        assert decoded[name].tobytes() == TENSORS[name].tobytes()


@pytest.mark.parametrize("profile", [0, 1])
@pytest.mark.parametrize("size", [1, 2, 9])
def test_codebook_is_in_the_stream_and_bounds_the_values(profile, size):
    settings = EncoderSettings(
        profile=profile, quantization=Quantization(qp=-20, codebook_size=size)
    )
    data = encode({"fc": TENSORS["fc"]}, settings)
    (unit,) = units(data)
    assert unit.values["codebook_present_flag"] == 1
    values = decode(data)["fc"]
    assert values.dtype == np.float64
    assert len(np.unique(values)) <= size


def test_codebooks_of_a_decomposed_block_are_two():
    settings = EncoderSettings(quantization=Quantization(codebook_size=7), blocks=(FACTORS,))
    data = encode({name: TENSORS[name] for name in ("fac_G", "fac_H")}, settings)
    (unit,) = units(data)
    assert unit.values["codebook"] != unit.values["codebook_dc"]
    assert {array.dtype for array in decode(data).values()} == {np.dtype(np.float64)}


def test_block_is_one_unit_and_pieces_are_several():
    tensors = {name: TENSORS[name] for name in CONVOLUTION.members.values()}
    whole = encode(tensors, EncoderSettings(blocks=(CONVOLUTION,)))
    pieces = encode(tensors, EncoderSettings(blocks=(replace(CONVOLUTION, piecewise=True),)))
    assert [unit.values["compressed_parameter_types"] for unit in units(whole)] == [10]
    assert [unit.values["compressed_parameter_types"] for unit in units(pieces)] == [10, 10, 10]
    first, second = decode(whole), decode(pieces)
    assert all(np.array_equal(first[name], second[name]) for name in tensors)


def test_factors_in_units_of_their_own():
    tensors = {name: TENSORS[name] for name in ("fac_G", "fac_H")}
    settings = EncoderSettings(
        blocks=(replace(FACTORS, piecewise=True),), levels=LevelSettings(scan_order=1)
    )
    data = encode(tensors, settings)
    assert [unit.values["tensor_dimensions"] for unit in units(data)] == [(24, 5, 10)] * 2
    assert_near(decode(data), tensors)


def test_batch_norm_of_a_block():
    roles = ("bn-beta", "bn-gamma", "bn-mean", "bn-var")
    tensors = {"w": TENSORS["fc"]} | {role: RANDOM.normal(0, 1, 40) for role in roles}
    block = Block({"weight": "w", **{role: role for role in roles}})
    data = encode(tensors, EncoderSettings(blocks=(block,)))
    assert units(data)[0].values["topology_elem_ids"] == ("w", *roles)
    assert_near(decode(data), tensors)


def test_quantization_parameters_of_single_tensors():
    quantization = Quantization(qp=-20, qps={"fc": -40}, qp_density=3, base_qp=-10)
    decoded = decode(encode(TENSORS, EncoderSettings(quantization=quantization)))
    assert np.abs(decoded["fc"] - TENSORS["fc"]).max() <= 2.0**-6
    assert np.abs(decoded["conv.bias"] - TENSORS["conv.bias"]).max() > 2.0**-6


def test_layer_parameters_hold_from_their_unit_on():
    layers = {"conv.bias": LayerParameters(3, -5)}
    data = encode(TENSORS, EncoderSettings(layers=layers))
    names = [unit.name for unit in parse_stream(data).units]
    assert names[:6] == ["STR", "MPS", "TPL", "NDU", "NDU", "LPS"]
    decoded = decode(data)
    step = 10 / 8 * 2.0**-5  # qp -38 at density 3; at density 2 it is 6 / 4 * 2 ** -10
    assert np.abs(decoded["fc"] - TENSORS["fc"]).max() < 2.0**-10
    assert np.abs(decoded["conv.bias"] - TENSORS["conv.bias"]).max() > 0.2 * step


def test_names_by_index():
    data = encode(TENSORS, EncoderSettings(indexed_references=True, blocks=(CONVOLUTION,)))
    assert units(data, "TPL")[0].values["topology_elem_ids"] == tuple(TENSORS)
    assert units(data)[1].values["topology_elem_id_indices"] == (1, 3, 2)
    assert set(decode(data)) == set(TENSORS)


def test_a_single_name_by_index():
    data = encode({"fc": TENSORS["fc"]}, EncoderSettings(indexed_references=True))
    assert set(decode(data)) == {"fc"}


def test_dimensions_left_to_the_caller():
    data = encode(TENSORS, EncoderSettings(dimensions_in_stream=False))
    with pytest.raises(nnc.NncUnsupportedError, match="dimensions of 'fc' are not in the stream"):
        decode(data)
    options = nnc.Options(dimensions={name: array.shape for name, array in TENSORS.items()})
    assert_near(decode(data, options), TENSORS)


def test_nncodec_1_dialect_is_decoded_as_such():
    settings = EncoderSettings(
        profile=0,
        interpretation=FIRST_EDITION,
        quantization=Quantization(dependent=True),
        levels=LevelSettings(scan_order=2),
    )
    data = encode(TENSORS, settings)
    assert_near(decode(data, nnc.Options(interpretation=FIRST_EDITION)), TENSORS)
    with pytest.raises(nnc.NncError):
        decode(data)


def test_further_values_override_those_of_the_encoder():
    settings = EncoderSettings(
        parameter_set={"base_model_id_present_flag": 1, "base_model_id": "resnet"},
        unit={"nnr_decompressed_data_format_present_flag": 1, "nnr_decompressed_data_format": 8},
    )
    data = encode({"fc": TENSORS["fc"]}, settings)
    assert units(data, "MPS")[0].values["base_model_id"] == "resnet"
    assert units(data)[0].values["nnr_decompressed_data_format"] == 8
    assert set(decode(data)) == {"fc"}


def test_tensors_of_one_column_have_no_scan_order():
    tensors = {"column": TENSORS["conv.bias"][:, None], "row": TENSORS["conv.bias"][None]}
    data = encode(tensors, EncoderSettings(levels=LevelSettings(scan_order=1)))
    assert [unit.values["scan_order"] for unit in units(data)] == [0, 0]
    assert_near(decode(data), tensors)


def test_factors_of_rank_one_keep_their_entry_points_apart():
    tensors = {"f_G": RANDOM.normal(0, 1, (40, 1)), "f_H": RANDOM.normal(0, 1, (1, 40))}
    settings = EncoderSettings(
        blocks=(Block({"G": "f_G", "H": "f_H"}),), levels=LevelSettings(scan_order=1)
    )
    assert_near(decode(encode(tensors, settings)), tensors)


def differences(round_: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(round_)
    return {
        name: (array * (random.random(array.shape) < 0.3)).astype(array.dtype)
        for name, array in TENSORS.items()
    }


@pytest.mark.parametrize(
    ("dependent", "scan_order", "history", "temporal"),
    list(product([False, True], [0, 1], [False, True], [False, True])),
)
def test_update_chain_keeps_both_sides_in_step(dependent, scan_order, history, temporal):
    base = EncoderSettings(
        quantization=Quantization(qp=-20, dependent=dependent),
        levels=LevelSettings(scan_order=scan_order, row_skip=True, history=history),
        blocks=(CONVOLUTION,),
    )
    writing, reading = DecoderState(), DecoderState()
    for round_ in range(3):
        update = replace(base, update=UpdateSettings(temporal=temporal)) if round_ else base
        decode(encode(differences(round_), update, writing), state=reading)
        assert writing.references.keys() == reading.references.keys()
        for name, reference in writing.references.items():
            found = reading.references[name]
            assert np.array_equal(reference.levels.ravel(), found.levels.ravel())
            assert reference.put_node_depth == found.put_node_depth
        assert writing.histories.keys() == reading.histories.keys()
        for name, marks in writing.histories.items():
            assert np.array_equal(marks, reading.histories[name])


def test_tensors_without_a_change_are_left_out_of_an_update():
    tensors = {"still": np.zeros((3, 4), np.float32), "fc": TENSORS["fc"]}
    update = EncoderSettings(update=UpdateSettings())
    assert set(decode(encode(tensors, update))) == {"fc"}
    kept = EncoderSettings(update=UpdateSettings(keep_zero=True))
    assert set(decode(encode(tensors, kept))) == {"still", "fc"}


@pytest.mark.parametrize(("parent_id", "length"), [("sha256", 64), ("sha512", 128)])
def test_parents_by_hash(parent_id, length):
    digest = "0123456789abcdef" * (length // 16)
    settings = UpdateSettings(parent_id=parent_id, parent_digests={"fc": digest})
    data = encode({"fc": TENSORS["fc"]}, EncoderSettings(update=settings))
    assert units(data)[0].values[f"parent_node_payload_{parent_id}"] == digest
    assert set(decode(data)) == {"fc"}


def test_depth_of_a_node_counts_the_updates():
    state = DecoderState()
    settings = EncoderSettings(device_id=3)
    update = replace(settings, update=UpdateSettings())
    streams = [encode({"fc": TENSORS["fc"]}, each, state) for each in (settings, update, update)]
    values = [units(data)[0].values for data in streams]
    assert [each["put_node_depth"] for each in values] == [0, 1, 2]
    assert [each["device_id"] for each in values] == [3, 3, 3]


def test_a_failed_encoding_leaves_the_state_as_it_was():
    state = DecoderState()
    tensors = {"fc": TENSORS["fc"], "bad": np.array([np.nan])}
    with pytest.raises(ValueError, match="not finite"):
        encode(tensors, EncoderSettings(), state)
    assert not state.references


@pytest.mark.parametrize(
    ("tensors", "settings", "message"),
    [
        ({"w": np.array([2**31])}, {}, "'w' has an integer of more than 32 bits"),
        ({"w": np.ones(2)}, {"quantization": Quantization(qp=-140)}, "the qp of 'w', -140"),
        (
            {"w": np.ones((2, 2))},
            {"blocks": (Block({"weight": "w"}),)},
            "a block has two tensors or more",
        ),
        (
            {"w": np.ones(2), "b": np.ones(2)},
            {"blocks": (Block({"bias": "w", "local-scaling": "b"}),)},
            "a block has a weight, or both G and H",
        ),
        (
            {"g": np.ones((2, 2)), "h": np.ones((2, 2))},
            {"blocks": (Block({"G": "g", "H": "h"}, piecewise=True),)},
            "a name that ends in _G",
        ),
        (
            {"w": np.ones(2)},
            {"update": UpdateSettings(parent_id="sha256")},
            "the digest of the parent of 'w' is not given",
        ),
        ({"a\0b": np.ones(2)}, {}, "topology_elem_id"),
    ],
    ids=["int64", "qp", "lone-weight", "no-weight", "piece-name", "digest", "zero-in-name"],
)
def test_what_cannot_be_encoded_is_refused(tensors, settings, message):
    with pytest.raises(ValueError, match=message):
        encode(tensors, EncoderSettings(**settings))


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="updates need profile 1"):
        EncoderSettings(profile=0, update=UpdateSettings())
    with pytest.raises(ValueError, match=r"NNCodec 1\.0 writes profile 0"):
        EncoderSettings(profile=1, interpretation=FIRST_EDITION)
