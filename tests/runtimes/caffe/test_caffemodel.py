"""Caffemodels that are damaged, hostile, or of another network."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.runtimes import runtime
from conformance.runtimes.caffe import CaffeRuntime
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    MalformedError,
    UnsupportedError,
)
from tests.runtimes.caffe import files, nets
from tests.runtimes.caffe.files import blob, caffemodel, field, sizes
from tests.runtimes.caffe.files import layer as stored

TEXT = (
    files.inputs(x=(2, 4))
    + 'layer { name: "fc" type: "InnerProduct" bottom: "x" top: "y" '
    + "inner_product_param { num_output: 3 } }"
)
WEIGHT = np.arange(12, dtype=np.float32).reshape(3, 4)
BIAS = np.float32([1, 2, 3])
GOOD = caffemodel({"fc": [WEIGHT, BIAS]})
VALUES = WEIGHT.tobytes()


def with_nan():
    weight = WEIGHT.copy()
    weight[1, 2] = np.nan
    return caffemodel({"fc": [weight, BIAS]})


CASES = {
    "empty": (b"", MalformedError, "the file is empty"),
    "wrong-magic": (b"PK\x03\x04 not a caffemodel", MalformedError, "net.caffemodel"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(99), UnsupportedError, "HDF5"),
    "text": (b"layer { }", MalformedError, "net.caffemodel"),
    "missing-bias": (caffemodel({"fc": [WEIGHT]}), MalformedError, "layer 'fc'"),
    "missing-layer": (caffemodel({"other": [WEIGHT, BIAS]}), MalformedError, "layer 'fc'"),
    "extra-blob": (caffemodel({"fc": [WEIGHT, BIAS, BIAS]}), MalformedError, "layer 'fc'"),
    "wrong-shape": (caffemodel({"fc": [WEIGHT.T, BIAS]}), MalformedError, "weight [3, 4]"),
    "nan": (with_nan(), MalformedError, "element 6"),
    "infinity": (
        caffemodel({"fc": [WEIGHT, np.float32([1, np.inf, 0])]}),
        MalformedError,
        "not finite",
    ),
    "beyond-single-precision": (
        caffemodel({"fc": [np.full((3, 4), 1e300), BIAS]}),
        MalformedError,
        "not finite",
    ),
    "two-layers-of-one-name": (GOOD + GOOD, MalformedError, "twice"),
    "two-versions": (
        GOOD + files.old_layer("m", [blob(BIAS)]),
        MalformedError,
        "a different version",
    ),
    "values-too-short": (
        stored("fc", [sizes((3, 4)) + field(5, VALUES[:-4]), blob(BIAS)]),
        MalformedError,
        "as many values",
    ),
    "values-in-pieces": (
        stored("fc", [sizes((3, 4)) + field(5, VALUES[:24]) + field(5, VALUES[24:]), blob(BIAS)]),
        MalformedError,
        "in pieces",
    ),
    "values-in-two-places": (
        stored("fc", [blob(WEIGHT) + field(8, bytes(96)), blob(BIAS)]),
        MalformedError,
        "several places",
    ),
    "values-not-packed": (
        stored("fc", [sizes((3, 4)) + b"\x2d\x00\x00\x80\x3f" * 12, blob(BIAS)]),
        MalformedError,
        "stored in the wrong way",
    ),
    "gradients": (
        stored("fc", [blob(WEIGHT) + field(6, VALUES), blob(BIAS)]),
        MalformedError,
        "gradients",
    ),
    "huge-shape": (
        stored("fc", [sizes((1 << 40, 1 << 40)) + field(5, VALUES), blob(BIAS)]),
        MalformedError,
        "impossible shape",
    ),
    "many-axes": (
        stored("fc", [sizes((1,) * 40) + field(5, VALUES[:4]), blob(BIAS)]),
        MalformedError,
        "impossible shape",
    ),
    "integers": (
        stored("fc", [sizes((3, 4)) + field(10, 4) + field(12, bytes(24)), blob(BIAS)]),
        UnsupportedError,
        "raw_data_type 4",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_caffemodel_is_refused_with_the_place(name, tmp_path):
    model, kind, said = CASES[name]
    with pytest.raises(ConformanceError) as caught, nets.opened(tmp_path, TEXT, model):
        pass
    error = caught.value
    assert type(error) is kind, error
    assert said in str(error)
    assert "models/net.caffemodel" in str(error)
    assert error.expected
    assert error.fix


def test_a_million_fields_are_the_most(tmp_path):
    model = GOOD + field(1, 0) * ((1 << 20) + 10)
    with pytest.raises(LimitError) as caught, nets.opened(tmp_path, TEXT, model):
        pass
    assert "too many fields" in str(caught.value)


def test_parameters_beyond_the_limit_are_refused(tmp_path):
    text = TEXT.replace("num_output: 3", "num_output: 600")
    model = caffemodel({"fc": [np.zeros((600, 4), np.float32), np.zeros(600, np.float32)]})
    with pytest.raises(LimitError), nets.opened(tmp_path, text, model, limit=11_500):
        pass


def test_blobs_of_no_layer_are_unused_parameters(tmp_path):
    model = caffemodel({"fc": [WEIGHT, BIAS], "gone": [BIAS]})
    with nets.opened(tmp_path, TEXT, model) as network:
        assert network.unused_parameters == ("gone/blob0",)
        assert sum(astuple(network.counts)) == 18
        assert np.array_equal(nets.stored(network)["gone/blob0"], BIAS)


def test_unused_parameters_are_in_the_order_of_the_file(tmp_path):
    names = [f"gone{i}" for i in (5, 3, 8, 1, 9, 2, 7)]
    model = caffemodel({"fc": [WEIGHT, BIAS]} | {name: [BIAS] for name in names})
    with nets.opened(tmp_path, TEXT, model) as network:
        assert network.unused_parameters == tuple(f"{name}/blob0" for name in names)


def test_a_parameter_that_no_output_depends_on_is_unused(tmp_path):
    text = TEXT + (
        'layer { name: "side" type: "InnerProduct" bottom: "x" top: "z" '
        "inner_product_param { num_output: 3 bias_term: false } }"
        'layer { name: "end" type: "Silence" bottom: "z" }'
    )
    model = caffemodel({"fc": [WEIGHT, BIAS], "side": [WEIGHT]})
    with nets.opened(tmp_path, text, model) as network:
        assert network.unused_parameters == ("side/weight",)
        assert [port.name for port in network.outputs] == ["y"]


def test_a_third_file_is_unused(tmp_path):
    with nets.opened(tmp_path, TEXT, GOOD, "notes.txt") as network:
        assert network.unused_files == ("models/notes.txt",)


def test_one_file_is_no_network(tmp_path):
    source = files.write(tmp_path, TEXT, GOOD)
    alone = type(source)(source.files[:1], source.display[:1], source.root, source.limit_bytes)
    with pytest.raises(ConformanceError) as caught:
        CaffeRuntime().open(alone)
    assert "two files" in str(caught.value)


@pytest.mark.parametrize("name", ["net.caffemodel", "other.caffemodel"])
def test_init_finds_the_caffemodel_beside_the_prototxt(tmp_path, name):
    source = files.write(tmp_path, TEXT, GOOD)
    source.files[1].rename(tmp_path / name)
    found = runtime("caffe").describe(source.files[0])
    assert [(port.name, port.shape) for port in found.inputs] == [("x", (2, 4))]
    assert [(port.name, port.shape) for port in found.outputs] == [("y", (2, 3))]
    assert found.parameter_count == 15
    assert found.external_files == (name,)


@pytest.mark.parametrize("others", [(), ("a.caffemodel", "b.caffemodel")], ids=["none", "two"])
def test_init_does_not_guess_a_caffemodel(tmp_path, others):
    source = files.write(tmp_path, TEXT, GOOD)
    source.files[1].unlink()
    for name in others:
        (tmp_path / name).write_bytes(GOOD)
    with pytest.raises(ConformanceError) as caught:
        runtime("caffe").describe(source.files[0])
    assert "caffemodel of the network is not found" in str(caught.value)


EACH = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@EACH
@given(data=st.data())
def test_a_truncated_file_is_malformed_at_any_length(tmp_path, data):
    end = data.draw(st.integers(0, len(GOOD) - 1))
    with pytest.raises(MalformedError), nets.opened(tmp_path, TEXT, GOOD[:end]):
        pass


@EACH
@given(data=st.data())
def test_other_bytes_anywhere_are_a_finding_or_another_network(tmp_path, data):
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(GOOD) - 1))
        new = data.draw(st.binary(min_size=1, max_size=8))
        content[start : start + len(new)] = new
    try:
        with nets.opened(tmp_path, TEXT, bytes(content)) as network:
            made = network.bind().run(nets.inputs_of(network))
            assert made["y"].shape == (2, 3)
    except ConformanceError as error:
        said = (error.expected, error.found, error.fix)
        assert all(said)
