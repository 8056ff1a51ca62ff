import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from conformance.runtimes import Counts
from tests.runtimes import models

TYPES = [
    *("float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32"),
    *("int64", "uint64", "bool", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4"),
    *("int2", "uint2", "float4_e2m1fn"),
]


def dtype(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


def holding(tensors):
    """A model that stores ``tensors`` and does not use them."""
    made = models.relu()
    made.graph.initializer.extend(tensors)
    return made


def stored(network):
    return {**network.parameters, **network.scalars, **network.constants}


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(shape=st.lists(st.integers(0, 5), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_raw_tensors_of_every_type_are_read_as_onnx_reads_them(tmp_path, name, shape, seed):
    array = models.random(seed).integers(0, 2, shape).astype(dtype(name))
    tensor = numpy_helper.from_array(array, "W")
    with models.opened(tmp_path, holding([tensor])) as network:
        found = stored(network)["W"]
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == numpy_helper.to_array(tensor).tobytes()


@pytest.mark.parametrize(
    ("data_type", "values"),
    [
        (TensorProto.FLOAT, [1.5, -2.0, 0.0, 3.0]),
        (TensorProto.DOUBLE, [1.5, -2.0, 0.0, 3.0]),
        (TensorProto.FLOAT16, [1.5, -2.0, 0.0, 3.0]),
        (TensorProto.BFLOAT16, [1.5, -2.0, 0.0, 3.0]),
        (TensorProto.INT64, [1, -2, 0, 3]),
        (TensorProto.INT8, [1, -2, 0, 3]),
        (TensorProto.UINT64, [1, 2, 0, 3]),
        (TensorProto.INT4, [1, -2, 0, 3]),
        (TensorProto.BOOL, [1, 0, 0, 1]),
    ],
)
def test_typed_tensors_are_read_as_onnx_reads_them(tmp_path, data_type, values):
    tensor = helper.make_tensor("W", data_type, [2, 2], values)
    assert not tensor.raw_data
    with models.opened(tmp_path, holding([tensor])) as network:
        found = stored(network)["W"]
    np.testing.assert_array_equal(found, numpy_helper.to_array(tensor))
    assert found.dtype == numpy_helper.to_array(tensor).dtype


def test_parameters_are_read_only_views_of_the_file(tmp_path):
    with models.opened(tmp_path, models.dense()) as network:
        array = network.parameters["W"]
        assert not array.flags.owndata
        assert not array.flags.writeable


def test_parameters_outlive_the_network(tmp_path):
    with models.opened(tmp_path, models.dense()) as network:
        array = network.parameters["W"]
    np.testing.assert_array_equal(array, models.floats(32, 16, seed=1))


def test_shapes_axes_and_strings_belong_to_the_topology(tmp_path):
    tensors = [
        numpy_helper.from_array(np.array([1, 2], np.int64), "shape"),
        numpy_helper.from_array(np.array(3, np.int32), "axis"),
        numpy_helper.from_array(np.array([True]), "flag"),
        numpy_helper.from_array(np.array([["a", ""]], object), "words"),
        numpy_helper.from_array(np.ones((2, 2), np.int8), "quantised"),
        numpy_helper.from_array(np.ones((2, 2), np.int8), "narrow"),
        numpy_helper.from_array(np.array(0.5, np.float32), "scale"),
        numpy_helper.from_array(np.array(3, np.int8), "zero_point"),
        numpy_helper.from_array(np.ones(2, np.int8), "zero_points"),
        numpy_helper.from_array(np.ones(5, np.float32), "bias"),
    ]
    made = holding(tensors)
    made.graph.node.extend(
        [
            helper.make_node("DequantizeLinear", ["quantised", "scale", "zero_point"], ["one"]),
            helper.make_node("DequantizeLinear", ["quantised", "scale", "zero_points"], ["two"]),
        ]
    )
    with models.opened(tmp_path, made) as network:
        assert list(network.constants) == ["shape", "axis", "flag", "narrow"]
        assert list(network.parameters) == ["quantised", "zero_points", "bias"]
        assert list(network.scalars) == ["scale", "zero_point"]
        assert network.counts == Counts(parameters=0, scalars=2, topology=10, unused=11)
        assert "shape" not in network.parameters


def test_ports_have_names_types_and_shapes(tmp_path):
    with models.opened(tmp_path, models.two_in_two_out()) as network:
        assert [(p.name, p.dtype, p.shape) for p in network.inputs] == [
            ("a", "float32", ("N", 32)),
            ("b", "float32", ("N", 16)),
        ]
        assert [(p.name, p.dtype, p.shape) for p in network.outputs] == [
            ("sum", "float32", ("N", 16)),
            ("best", "int64", ("N",)),
        ]


def test_a_free_axis_without_a_name_is_none(tmp_path):
    made = models.relu()
    for port in (made.graph.input[0], made.graph.output[0]):
        port.type.tensor_type.shape.dim[0].ClearField("dim_param")
        port.type.tensor_type.shape.dim[1].dim_value = -1
    with models.opened(tmp_path, made) as network:
        assert network.inputs[0].shape == (None, None)


def test_initializers_are_not_inputs_even_where_old_models_list_them(tmp_path):
    made = models.dense(ir_version=3)
    made.graph.input.append(models.value("W", [32, 16]))
    made.graph.input.append(models.value("b", [16]))
    inputs = {"x": models.floats(4, 32)}
    with models.opened(tmp_path, made) as network:
        assert [port.name for port in network.inputs] == ["x"]
        doubled = {name: array * 2 for name, array in network.parameters.items()}
        found = network.bind(doubled).run(inputs)["y"]
    wanted = models.plain_run(models.rewritten(models.dense(), doubled), inputs)[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
