"""Quantised operators: integer weights, scales and zero points are parameters, and replaced."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.runtimes import models

U8, I8, I32 = np.uint8, np.int8, np.int32


def integers(low, high, *shape, dtype, seed):
    return models.random(seed).integers(low, high, shape).astype(dtype)


def one(value, dtype):
    return np.asarray(value, dtype)


def activations(t):
    return [helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"])]


def dequantised(name="yq"):
    return helper.make_node("DequantizeLinear", [name, "ys", "yz"], ["y"])


AROUND = {
    "xs": one(0.05, np.float32),
    "xz": one(128, U8),
    "ys": one(0.2, np.float32),
    "yz": one(100, U8),
}


def qlinear_conv(t):
    inputs = ["xq", "xs", "xz", "W", "ws", "wz", "ys", "yz", "b"]
    nodes = [*activations(t), helper.make_node("QLinearConv", inputs, ["yq"]), dequantised()]
    ports = [models.value("x", ["N", 3, 6, 6])], [models.value("y", ["N", 8, 4, 4])]
    return models.model(nodes, *ports, t)


def qlinear_matmul(t):
    inputs = ["xq", "xs", "xz", "W", "ws", "wz", "ys", "yz"]
    nodes = [*activations(t), helper.make_node("QLinearMatMul", inputs, ["yq"]), dequantised()]
    ports = [models.value("x", ["N", 32])], [models.value("y", ["N", 16])]
    return models.model(nodes, *ports, t)


def conv_integer(t):
    nodes = [
        *activations(t),
        helper.make_node("ConvInteger", ["xq", "W", "xz", "wz"], ["c"]),
        helper.make_node("Cast", ["c"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "ws"], ["y"]),
    ]
    ports = [models.value("x", ["N", 3, 6, 6])], [models.value("y", ["N", 8, 4, 4])]
    return models.model(nodes, *ports, t)


def dynamic_matmul(t):
    """The scale of the activations is found when the network runs."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"]),
        helper.make_node("MatMulInteger", ["xq", "W", "xz", "wz"], ["c"]),
        helper.make_node("Cast", ["c"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["xs", "ws"], ["s"]),
        helper.make_node("Mul", ["f", "s"], ["y"]),
    ]
    ports = [models.value("x", ["N", 32])], [models.value("y", ["N", 16])]
    return models.model(nodes, *ports, t)


def weights_only(t):
    """Blocks of eight rows have a scale and a zero point each."""
    node = helper.make_node("DequantizeLinear", ["W", "ws", "wz"], ["w"], axis=0, block_size=8)
    nodes = [node, helper.make_node("MatMul", ["x", "w"], ["y"])]
    ports = [models.value("x", ["N", 32])], [models.value("y", ["N", 16])]
    return models.model(nodes, *ports, t, opset=21, ir_version=10)


def per_channel(n, seed, dtype=I8):
    return {
        "ws": (models.random(seed).random(n) * 0.01 + 0.01).astype(np.float32),
        "wz": np.zeros(n, dtype),
    }


def conv_tensors(seed, dtype):
    low, high = (-64, 64) if dtype is I8 else (0, 256)
    zero = 0 if dtype is I8 else 128
    return {
        **AROUND,
        "W": integers(low, high, 8, 3, 3, 3, dtype=dtype, seed=seed),
        "ws": per_channel(8, seed)["ws"],
        "wz": np.full(8, zero, dtype),
        "b": integers(-500, 500, 8, dtype=I32, seed=seed + 1),
    }


def matmul_tensors(seed, dtype):
    low, high = (-64, 64) if dtype is I8 else (0, 256)
    return {
        **AROUND,
        "W": integers(low, high, 32, 16, dtype=dtype, seed=seed),
        "ws": one(0.01 + seed / 1000, np.float32),
        "wz": one(0 if dtype is I8 else 128, dtype),
    }


def without(tensors, *names):
    return {name: array for name, array in tensors.items() if name not in names}


def conv_integer_tensors(seed, dtype):
    tensors = without(conv_tensors(seed, dtype), "b", "ys", "yz")
    return {**tensors, "ws": one(0.01 + seed / 1000, np.float32), "wz": tensors["wz"][0]}


def dynamic_tensors(seed, dtype):
    return without(matmul_tensors(seed, dtype), *AROUND)


def block_tensors(seed, dtype):
    low, high = (-64, 64) if dtype is I8 else (0, 256)
    return {
        "W": integers(low, high, 32, 16, dtype=dtype, seed=seed),
        "ws": (models.random(seed).random((4, 16)) * 0.01 + 0.01).astype(np.float32),
        "wz": integers(0, 10, 4, 16, dtype=dtype, seed=seed + 1),
    }


OPERATORS = {
    "QLinearConv": (qlinear_conv, conv_tensors),
    "QLinearMatMul": (qlinear_matmul, matmul_tensors),
    "ConvInteger": (conv_integer, conv_integer_tensors),
    "DynamicQuantizeLinear, MatMulInteger": (dynamic_matmul, dynamic_tensors),
    "DequantizeLinear in blocks": (weights_only, block_tensors),
}


@pytest.mark.parametrize("dtype", [U8, I8], ids=["uint8", "int8"])
@pytest.mark.parametrize(("build", "tensors"), OPERATORS.values(), ids=OPERATORS)
def test_integer_weights_scales_and_zero_points_are_replaced(tmp_path, build, tensors, dtype):
    own, new = tensors(1, dtype), tensors(20, dtype)
    inputs = models.inputs_of(build(own))
    with models.opened(tmp_path, build(own)) as network:
        assert set(network.parameters) == {name for name in own if own[name].size > 1}
        assert set(network.scalars) == {name for name in own if own[name].size == 1}
        assert network.unused_parameters == ()
        assert not network.constants
        same = {**network.parameters, **network.scalars}
        runners = network.bind(), network.bind(new), network.bind(same)
    found = [runner.run(inputs)["y"] for runner in runners]
    for y, tensors_ in zip(found, (own, new), strict=False):
        np.testing.assert_array_equal(y, models.plain_run(build(tensors_), inputs)[0])
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])


# A plain session adds pairs of uint8 times int8 in 16 bits on many CPUs; here they are exact.

MATMUL = [models.value("x", ["N", 64], TensorProto.UINT8)], [models.value("y", ["N", 8], 6)]
LARGE = np.full((3, 64), 255, U8)


def product(tensors, zeros=("", "wz")):
    node = helper.make_node("MatMulInteger", ["x", "W", *zeros], ["y"])
    return models.model([node], *MATMUL, tensors)


@pytest.mark.parametrize("value", [127, -128, 100, -1])
@pytest.mark.parametrize("columns", [8, 40], ids=["within the graph", "next to it"])
def test_products_of_large_numbers_lose_nothing(tmp_path, value, columns):
    weights = np.full((64, columns), value, I8)
    made = product({"W": weights}, zeros=())
    made.graph.output[0].type.tensor_type.shape.dim[1].dim_value = columns
    with models.opened(tmp_path, made) as network:
        own, same = network.bind(), network.bind({"W": weights.copy()})
    wanted = LARGE.astype(np.int64) @ weights.astype(np.int64)
    np.testing.assert_array_equal(own.run({"x": LARGE})["y"], wanted)
    np.testing.assert_array_equal(same.run({"x": LARGE})["y"], wanted)


@pytest.mark.parametrize("zero", [one(3, I8), np.arange(8).astype(I8)], ids=["one", "per column"])
def test_the_zero_point_of_weights_moves_with_them(tmp_path, zero):
    weights = integers(-128, 128, 64, 8, dtype=I8, seed=1)
    x = integers(0, 256, 5, 64, dtype=U8, seed=2)
    with models.opened(tmp_path, product({"W": weights, "wz": zero})) as network:
        found = network.bind().run({"x": x})["y"]
    wanted = x.astype(np.int64) @ (weights.astype(np.int64) - zero.astype(np.int64))
    np.testing.assert_array_equal(found, wanted)


def test_weights_that_are_read_elsewhere_too_stay_signed_there(tmp_path):
    weights = integers(-128, 128, 64, 8, dtype=I8, seed=1)
    made = product({"W": weights}, zeros=())
    made.graph.node.append(helper.make_node("Cast", ["W"], ["z"], to=TensorProto.FLOAT))
    made.graph.output.append(models.value("z", [64, 8]))
    with models.opened(tmp_path, made) as network:
        outputs = network.bind().run({"x": LARGE})
    np.testing.assert_array_equal(outputs["z"], weights)
    np.testing.assert_array_equal(outputs["y"], LARGE.astype(np.int64) @ weights.astype(np.int64))


def test_signed_activations_are_left_as_they_are(tmp_path):
    weights = np.full((64, 8), 127, I8)
    made = product({"W": weights}, zeros=())
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.INT8
    x = np.full((3, 64), 127, I8)
    with models.opened(tmp_path, made) as network:
        found = network.bind().run({"x": x})["y"]
    np.testing.assert_array_equal(found, x.astype(np.int64) @ weights.astype(np.int64))


def test_a_convolution_of_large_numbers_loses_nothing(tmp_path):
    weights = np.full((8, 3, 3, 3), 127, I8)
    tensors = {
        **conv_tensors(1, I8),
        "W": weights,
        "ws": np.full(8, 1 / 127, np.float32),
        "xz": one(0, U8),
        "xs": one(1 / 255, np.float32),
        "yz": one(0, U8),
        "ys": one(0.125, np.float32),
        "b": np.zeros(8, I32),
    }
    x = np.ones((1, 3, 6, 6), np.float32)
    with models.opened(tmp_path, qlinear_conv(tensors)) as network:
        found = network.bind().run({"x": x})["y"]
    np.testing.assert_allclose(found, np.full((1, 8, 4, 4), 27.0))


def test_float_scales_are_taken_as_float16_too(tmp_path):
    tensors = matmul_tensors(1, U8) | {"ws": one(0.25, np.float32)}
    made = qlinear_matmul(tensors)
    inputs = models.inputs_of(made)
    with models.opened(tmp_path, made) as network:
        given = {**network.parameters, "ws": np.float16(0.25).reshape(())}
        np.testing.assert_array_equal(
            network.bind(given).run(inputs)["y"], network.bind().run(inputs)["y"]
        )
