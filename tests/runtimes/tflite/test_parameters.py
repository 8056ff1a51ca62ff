"""What of a TFLite model is a parameter, and what a sample must bring."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from conformance.runtimes.tflite import dtypes
from conformance.verdicts import ConformanceError, UnsupportedError
from tests.runtimes.tflite import models as m


def shapes(network):
    return sorted((a.dtype.name, a.shape) for a in network.parameters.values())


FLOATS = [(3,), (3, 20), (4,), (4,), (4, 3, 3, 1), (1, 3, 3, 4), (20,), (20, 64)]


@pytest.mark.parametrize(("name", "dtype"), [("cnn", "float32"), ("half", "float16")])
def test_parameters_have_the_layout_and_type_of_the_file(converted, name, dtype):
    with m.opened(converted / f"{name}.tflite") as network:
        assert shapes(network) == sorted((dtype, shape) for shape in FLOATS)
        assert network.counts.parameters == sum(int(np.prod(shape)) for shape in FLOATS)


def test_quantised_parameters_are_the_stored_integers(converted):
    with m.opened(converted / "int8.tflite") as network:
        found = {a.shape: a.dtype.name for a in network.parameters.values()}
    assert found == {
        **{shape: "int8" for shape in FLOATS if len(shape) > 1},
        **{shape: "int32" for shape in FLOATS if len(shape) == 1},
    }


def test_dynamic_range_quantisation_keeps_integers_and_floats(converted):
    with m.opened(converted / "dynamic.tflite") as network:
        found = {a.shape: a.dtype.name for a in network.parameters.values()}
    assert found[20, 64] == "int8"
    assert found[(20,)] == "float32"


def test_values_are_those_that_were_stored(converted):
    path = converted / "cnn.tflite"
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    with m.opened(path) as network:
        for name, array in network.parameters.items():
            stored = model.buffers[m.tensor(model, name).buffer].data
            same = [t for t in model.subgraphs[0].tensors if t.name.decode() == name]
            assert len(same) == 1
            stored = model.buffers[same[0].buffer].data
            assert bytes(stored) == array.tobytes()
            assert not array.flags.writeable


def test_shapes_and_axes_are_topology(converted):
    with m.opened(converted / "cnn.tflite") as network:
        assert any("Reshape" in name for name in network.constants)
        assert not set(network.constants) & set(network.parameters)


def test_a_sample_may_bring_what_is_topology(converted, expected):
    with m.opened(converted / "cnn.tflite") as network:
        own = m.run(network, expected["images"])
        tensors = {**network.parameters, **network.constants}
        assert np.array_equal(m.run(network, expected["images"], tensors), own)


def test_two_tensors_of_one_name_are_told_apart(converted, tmp_path):
    def change(model):
        for each in model.subgraphs[0].tensors:
            if model.buffers[each.buffer].data is not None:
                each.name = b"w"

    content = m.changed(converted / "cnn.tflite", change)
    with m.opened_bytes(tmp_path, content) as network:
        names = [*network.parameters, *network.constants]
    assert len(set(names)) == len(names) == 11
    assert all(name == "w" or name.startswith("w@0.") for name in names)


def test_a_stored_tensor_that_nothing_reads_is_unused(converted, tmp_path):
    def change(model):
        graph = model.subgraphs[0]
        graph.tensors.append(schema.TensorT())
        graph.tensors[-1].name, graph.tensors[-1].shape = b"spare", [6]
        graph.tensors[-1].buffer = len(model.buffers)
        model.buffers.append(schema.BufferT())
        model.buffers[-1].data = np.ones(24, np.uint8)

    content = m.changed(converted / "cnn.tflite", change)
    with m.opened_bytes(tmp_path, content) as network:
        assert network.unused_parameters == ("spare",)
        assert network.parameters["spare"].shape == (6,)


def own(network):
    return {name: np.array(array) for name, array in network.parameters.items()}


def bias_name(network):
    return next(name for name, array in network.parameters.items() if array.shape == (20,))


def missing(tensors, name):
    del tensors[name]


def extra(tensors, name):
    tensors["no.such"] = np.zeros(3, np.float32)


def wrong_shape(tensors, name):
    tensors[name] = np.zeros(21, np.float32)


def wrong_type(tensors, name):
    tensors[name] = np.full(20, 1j)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (missing, "BiasAdd"),
        (extra, "no.such"),
        (wrong_shape, "[21]"),
        (wrong_type, "complex128"),
    ],
    ids=["missing", "extra", "shape", "dtype"],
)
def test_a_replacement_that_does_not_fit_is_refused(converted, spoil, said):
    with m.opened(converted / "cnn.tflite") as network:
        tensors = own(network)
        spoil(tensors, bias_name(network))
        with pytest.raises(ConformanceError) as caught:
            network.bind(tensors)
    assert said in str(caught.value)
    assert "cnn.tflite" in str(caught.value)


def test_values_in_a_list_of_integers_cannot_hide(converted, tmp_path):
    """A table of integers is not a parameter: with too many of them, no sample can be judged."""

    def change(model):
        listed = m.tensor(model, "Reshape/shape/1")
        listed.shape = [500]
        hidden = np.random.default_rng(2).integers(0, 256, 2000)
        model.buffers[listed.buffer].data = hidden.astype(np.uint8)

    content = m.changed(converted / "cnn.tflite", change)
    with m.opened_bytes(tmp_path, content) as network:
        with pytest.raises(UnsupportedError) as caught:
            network.bind(own(network))
        assert "outside the parameters" in caught.value.expected
        assert "Reshape/shape/1 (500 of content)" in caught.value.found


SCALES = np.random.default_rng(3).uniform(0.1, 0.2, 1280).astype(np.float32)


def test_scales_of_quantisation_cannot_hide_the_original(converted, tmp_path):
    def change(model):
        weights = m.tensor(model, "dense_1/MatMul")
        weights.shape = [1280, 1]
        weights.quantization.scale = SCALES
        weights.quantization.zeroPoint = np.zeros(1280, np.int64)
        weights.quantization.quantizedDimension = 0

    content = m.changed(converted / "int8.tflite", change)
    with m.opened_bytes(tmp_path, content) as network:
        with pytest.raises(UnsupportedError) as caught:
            network.check_replaceable()
        assert "quantization (1280 of content)" in caught.value.found


def scales_of_a_result(model):
    """DEQUANTIZE would multiply by them."""
    result = model.subgraphs[0].tensors[model.subgraphs[0].outputs[0]]
    result.shape, result.shapeSignature = [1, 300], None
    result.quantization.scale = SCALES[:300]
    result.quantization.zeroPoint = np.zeros(300, np.int64)
    result.quantization.quantizedDimension = 1


def sizes_of_empty_tensors(model):
    """SHAPE would make numbers of them."""
    for number in range(50):
        empty = schema.TensorT()
        empty.name, empty.shape, empty.buffer = (
            f"empty{number}".encode(),
            [0, *range(2, 8), 9 + number],
            0,
        )
        model.subgraphs[0].tensors.append(empty)


@pytest.mark.parametrize(
    ("hide", "place"),
    [(scales_of_a_result, "quantization"), (sizes_of_empty_tensors, "shape")],
    ids=["scales", "sizes"],
)
def test_tensors_without_data_cannot_hide_the_original(converted, tmp_path, hide, place):
    content = m.changed(converted / "int8.tflite", hide)
    with m.opened_bytes(tmp_path, content) as network, pytest.raises(UnsupportedError) as caught:
        network.check_replaceable()
    assert "outside the parameters" in caught.value.expected
    assert caught.value.where.element.endswith(place)


PACKED = {
    "int4": (-8, 7),
    "uint4": (0, 15),
    "int2": (-2, 1),
}


@pytest.mark.parametrize("name", PACKED)
@given(data=st.data())
def test_packed_numbers_survive_a_round_trip(name, data):
    low, high = PACKED[name]
    values = data.draw(st.lists(st.integers(low, high), max_size=33))
    dtype = np.dtype(getattr(ml_dtypes, name))
    array = np.array(values, np.int8).astype(dtype)
    stored = dtypes.packed(array, dtype)
    assert stored.size == dtypes.stored_bytes(dtype, len(values))
    assert dtypes.unpacked(stored, dtype, (len(values),)).astype(int).tolist() == values


def test_the_first_of_two_packed_numbers_is_in_the_low_bits():
    dtype = np.dtype(ml_dtypes.int4)
    assert dtypes.packed(np.array([1, -2, 3]).astype(dtype), dtype).tolist() == [0xE1, 0x03]


@pytest.mark.parametrize("code", [5, 13, 14, 23, 200, -1])
def test_texts_resources_and_unknown_types_have_no_numbers(code):
    assert dtypes.dtype_of(code) is None
