"""Layers: what each holds, that they rise, and that one stream holds what three files hold."""

import numpy as np
import pytest
from nnc_arrays import trained
from scalable_streams import JOINED, LAYERS, POINTS, SUFFIXES, point_id

from conformance.nnc import decode
from conformance.nnc.parser import parse_stream
from conformance.tensorfiles import tensor_digest
from tests.vectors.chains import Chain, decoded_by_nncodec, samples, streams_of, values

ID = "digits-scalable"
SAMPLES = samples(ID)
LAYERED = [name for name, sample in SAMPLES.items() if "layers" in sample]


@pytest.mark.parametrize("name", LAYERED)
def test_every_layer_is_better_than_those_before_it(name):
    layers = SAMPLES[name]["layers"]
    top1 = [values(layer)["top1"] for layer in layers]
    mse = [values(layer)["logits-mse"] for layer in layers]
    assert top1 == sorted(top1)
    assert top1[0] + 0.02 < top1[-1]
    assert mse == sorted(mse, reverse=True)
    assert mse[0] > 5
    assert mse[-1] < 0.1


@pytest.mark.parametrize("name", LAYERED)
def test_sizes_of_layers_add_up_to_the_sample(name):
    total = 0
    for layer in SAMPLES[name]["layers"]:
        total += layer["claims"]["size"]
        assert layer["claims"]["cumulative_size"] == total
    assert total == SAMPLES[name]["claims"]["compressed_size"]


@pytest.mark.parametrize("name", LAYERED)
def test_the_last_layer_is_the_sample(name):
    sample = SAMPLES[name]
    assert values(sample["layers"][-1]) == values(sample)


def test_layers_of_streams_decode_to_what_nncodec_decoded():
    expected, chain, parent = decoded_by_nncodec(ID), Chain(ID), None
    for layer in LAYERS:
        chain.decode(layer, parent)
        parent = layer
        for name, array in chain.networks[layer].items():
            assert tensor_digest(array) == expected[layer][name]
    assert SAMPLES["layers-nnc-files"]["claims"]["tensor_digests"] == expected[parent]
    assert SAMPLES["layers-nnc-units"]["claims"]["tensor_digests"] == expected[parent]


def test_one_stream_holds_what_the_three_hold():
    joined = decode(streams_of(ID) / f"{JOINED}.nnc")
    apart = {
        name + suffix: array
        for layer, suffix in SUFFIXES.items()
        for name, array in decode(streams_of(ID) / f"{layer}.nnc").items()
    }
    assert joined.keys() == apart.keys()
    assert all(np.array_equal(joined[name], apart[name]) for name in joined)


def test_the_ranges_of_units_are_those_of_the_layers():
    units = parse_stream((streams_of(ID) / f"{JOINED}.nnc").read_bytes()).units
    layers = SAMPLES["layers-nnc-units"]["layers"]
    covered = []
    for layer, suffix in zip(layers, SUFFIXES.values(), strict=True):
        (part,) = layer["units"]
        covered += range(part["first"], part["last"] + 1)
        named = [units[i].values.get("topology_elem_id") for i in covered if i >= part["first"]]
        assert all(name.endswith(suffix) for name in named if name is not None)
    assert covered == list(range(len(units)))


def test_enhancements_of_one_stream_are_mapped_to_weights():
    first, *others = SAMPLES["layers-nnc-units"]["layers"]
    assert "name_map" not in first
    for layer, suffix in zip(others, list(SUFFIXES.values())[1:], strict=True):
        for entry in layer["name_map"]:
            assert entry["sample"] == entry["model"] + suffix
            assert entry["model"] in trained()


def test_both_families_have_a_curve_that_falls():
    for kind, parameters in POINTS.items():
        points = [SAMPLES[point_id(kind, qp)] for qp in sorted(parameters)]
        assert {point["family"] for point in points} == {f"nnc-{kind}"}
        sizes = [point["claims"]["compressed_size"] for point in points]
        errors = [values(point)["logits-mse"] for point in points]
        assert len(points) == 5
        assert sizes == sorted(sizes, reverse=True)
        assert errors == sorted(errors)
        assert errors[0] < 0.1 < errors[-1]


def test_whole_networks_that_are_not_packed_claim_random_access():
    claiming = [name for name, s in SAMPLES.items() if "random_access" in s["claims"]]
    assert claiming == ["whole-eight-bits", "nnc-dependent-26", "nnc-uniform-24"]
    for name in claiming:
        assert "layers" not in SAMPLES[name]
        assert "container" not in SAMPLES[name]["codec"]["params"]
