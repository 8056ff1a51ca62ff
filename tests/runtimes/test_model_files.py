"""Whole model files: what is damaged is found, named and never anything but a finding."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from conformance.runtimes import runtime
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.runtimes import models

GOOD = models.cnn().SerializeToString()


def read_all(folder, data: bytes) -> None:
    with models.opened(folder, data) as network:
        for name in network.parameters:
            np.asarray(network.parameters[name]).tobytes()


def only_findings():
    """Let pass what submitted material may raise; anything else fails the test."""
    return contextlib.suppress(ConformanceError)


def with_tensor(**changes) -> ModelProto:
    """A model whose one initializer is ``W``, three float32 numbers, but for ``changes``."""
    tensor = TensorProto(name="W", data_type=TensorProto.FLOAT, dims=[3], raw_data=bytes(12))
    for name, content in changes.items():
        if isinstance(content, list):
            tensor.ClearField(name)
            getattr(tensor, name).extend(content)
        else:
            setattr(tensor, name, content)
    node = helper.make_node("Add", ["x", "W"], ["y"])
    return models.model([node], [models.value("x", [3])], [models.value("y", [3])], [tensor])


def refusal(folder, made) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        models.opened(folder, made)
    error = caught.value
    assert error.where.file == "model.onnx"
    assert error.expected
    assert error.found
    assert error.fix
    return error


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(position=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_harmless_or_a_finding(tmp_path, position, bit):
    data = bytearray(GOOD)
    data[position] ^= 1 << bit
    with only_findings():
        read_all(tmp_path, bytes(data))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(position=st.integers(0, 600), replacement=st.binary(min_size=1, max_size=12))
def test_overwritten_bytes_are_harmless_or_a_finding_up_to_a_run(tmp_path, position, replacement):
    data = bytearray(models.dense(8, 4).SerializeToString())
    data[position : position + len(replacement)] = replacement
    with only_findings():
        read_all(tmp_path, bytes(data))
        with models.opened(tmp_path, bytes(data)) as network:
            network.bind().run({"x": models.floats(2, 8)})


@pytest.mark.parametrize("size", [1, 2, 3, 10, 50, 200, 1000, len(GOOD) // 2, len(GOOD) - 1])
def test_a_file_cut_short_is_malformed_with_an_offset(tmp_path, size):
    error = refusal(tmp_path, GOOD[:size])
    assert isinstance(error, MalformedError)
    assert error.where.byte_offset is not None
    assert error.where.byte_offset <= size


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_finding(tmp_path, data):
    refusal(tmp_path, data)


def test_an_empty_file_is_malformed(tmp_path):
    assert refusal(tmp_path, b"").found == "no bytes"


def test_a_file_without_a_graph_is_malformed(tmp_path):
    assert refusal(tmp_path, b"\x08\x08").found == "no graph field"


def test_two_graphs_are_malformed(tmp_path):
    error = refusal(tmp_path, models.relu().SerializeToString() * 2)
    assert error.message == "the model does not hold one graph"


def test_two_initializers_of_one_name_are_malformed(tmp_path):
    made = with_tensor()
    made.graph.initializer.append(made.graph.initializer[0])
    error = refusal(tmp_path, made)
    assert error.where.element == "graph.initializer[1]"
    assert "'W'" in error.message
    assert "graph.initializer[0]" in error.found


@pytest.mark.parametrize(
    ("changes", "element", "found"),
    [
        pytest.param({"raw_data": bytes(8)}, ".raw_data", "8 bytes", id="data too short"),
        pytest.param({"raw_data": bytes(16)}, ".raw_data", "16 bytes", id="data too long"),
        pytest.param({"dims": [-3]}, ".dims", "[-3]", id="negative size"),
        pytest.param({"dims": [1 << 40, 1 << 40]}, ".dims", "1099511627776", id="huge shape"),
        pytest.param({"dims": [0, 1 << 62]}, ".dims", "[0, 46", id="huge shape of nothing"),
        pytest.param({"dims": [1] * 40}, ".dims", "and more", id="too many axes"),
        pytest.param({"data_type": 0}, "", "0", id="no type"),
        pytest.param({"name": ""}, "", "none", id="no name"),
        pytest.param({"float_data": [1.0]}, "", "raw_data and typed data", id="two places"),
        pytest.param({"raw_data": b""}, "", "no data", id="no data"),
        pytest.param({"data_type": TensorProto.STRING}, "", "raw_data", id="strings as raw data"),
        pytest.param(
            {"data_location": TensorProto.EXTERNAL}, "", "and external_data", id="also outside"
        ),
    ],
)
def test_a_tensor_that_contradicts_itself_is_malformed(tmp_path, changes, element, found):
    error = refusal(tmp_path, with_tensor(**changes))
    assert isinstance(error, MalformedError)
    assert error.where.element == f"graph.initializer[0]{element}"
    assert error.where.byte_offset > 0
    assert found in error.found


def test_a_huge_packed_shape_is_refused_without_reading_it_all(tmp_path):
    made = with_tensor(dims=[1] * 100_000)
    assert "1] and more" in refusal(tmp_path, made).found


def test_too_few_numbers_in_typed_data_are_malformed(tmp_path):
    made = with_tensor(float_data=[1.0])
    made.graph.initializer[0].ClearField("raw_data")
    error = refusal(tmp_path, made)
    assert error.where.element == "graph.initializer[0]"
    assert error.expected == "3 elements of float32 for [3]"
    assert "cannot reshape" in error.found


def test_an_unknown_element_type_is_unsupported(tmp_path):
    error = refusal(tmp_path, with_tensor(data_type=77))
    assert isinstance(error, UnsupportedError)
    assert error.found == "data_type 77"


def test_parameters_beyond_the_limit_are_refused(tmp_path):
    with pytest.raises(LimitError, match="parameters") as caught:
        models.opened(tmp_path, models.dense(), limit_bytes=2000)
    assert caught.value.found == "2112 bytes"


def test_a_graph_beyond_the_limit_is_refused(tmp_path):
    with pytest.raises(LimitError, match="graph"):
        models.opened(tmp_path, models.relu(), limit_bytes=10)


def test_a_model_file_above_two_gigabytes_is_opened_without_reading_it(tmp_path):
    """Only headers are written: the parameters are a hole in the file."""
    size = 5 * (1 << 29)
    tensor = TensorProto(name="W", data_type=TensorProto.UINT8, dims=[size]).SerializeToString()
    raw = b"\x4a" + varint(size)  # field 9, raw_data
    initializer = b"\x2a" + varint(len(tensor) + len(raw) + size) + tensor + raw
    rest = models.relu().graph.SerializeToString()
    header = b"\x08\x08" + b"\x3a" + varint(len(rest) + len(initializer) + size)
    with (tmp_path / "model.onnx").open("wb") as file:
        file.write(header + rest + initializer)
        file.seek(size - 1, 1)
        file.write(b"\x07")
    source = models.source(tmp_path, "model.onnx", limit_bytes=4 * size)
    with runtime("onnx").open(source) as network:
        assert list(network.constants) == ["W"]
        assert network.counts.topology == size


def test_an_unused_initializer_is_no_obstacle(tmp_path):
    made = models.dense()
    made.graph.initializer.append(numpy_helper.from_array(models.floats(64, 64), "spare"))
    x = models.floats(2, 32)
    with models.opened(tmp_path, made) as network:
        own = network.bind().run({"x": x})
        again = network.bind(dict(network.parameters)).run({"x": x})
    np.testing.assert_array_equal(own["y"], again["y"])


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def test_a_pointer_of_git_lfs_is_named(tmp_path):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    error = refusal(tmp_path, pointer.encode())
    assert isinstance(error, MalformedError)
    assert "Git LFS pointer" in error.message
    assert error.where.byte_offset == 0
    assert "git lfs pull" in error.fix
