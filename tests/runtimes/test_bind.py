"""Binding parameters: what runs is what was given, all of it, and nothing of the original's."""

import ml_dtypes
import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from conformance.verdicts import ConformanceError
from tests.runtimes import models

ZOO = {
    "cnn-opset-9": models.cnn(9),
    "cnn-opset-13": models.cnn(13),
    "cnn-opset-21": models.cnn(21),
    "dense": models.dense(),
    "lstm": models.lstm(),
    "two inputs, two outputs": models.two_in_two_out(),
    "qdq": models.qdq(),
}


def assert_same(found, wanted, names):
    for name, expected in zip(names, wanted, strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-4)


def fresh(name: str, array: np.ndarray) -> np.ndarray:
    """Other values of the same type and shape; scales stay positive."""
    r = models.random(sum(name.encode()))
    if array.dtype.kind in "iu":
        return r.permuted(array.ravel()).reshape(array.shape)
    return (np.abs(array) * (0.5 + r.random(array.shape))).astype(array.dtype)


@pytest.mark.parametrize("made", ZOO.values(), ids=ZOO.keys())
def test_own_parameters_give_what_a_plain_session_gives(tmp_path, made):
    inputs = models.inputs_of(made)
    with models.opened(tmp_path, made) as network:
        found = network.bind().run(inputs)
        assert_same(found, models.plain_run(made, inputs), [p.name for p in network.outputs])


@pytest.mark.parametrize("made", ZOO.values(), ids=ZOO.keys())
def test_replaced_parameters_give_what_a_rewritten_model_gives(tmp_path, made):
    inputs = models.inputs_of(made)
    with models.opened(tmp_path, made) as network:
        new = {name: fresh(name, array) for name, array in network.parameters.items()}
        found = network.bind(new).run(inputs)
        wanted = models.plain_run(models.rewritten(made, new), inputs)
        assert_same(found, wanted, [p.name for p in network.outputs])


@pytest.mark.parametrize("made", ZOO.values(), ids=ZOO.keys())
def test_own_parameters_given_back_change_not_one_bit(tmp_path, made):
    inputs = models.inputs_of(made)
    with models.opened(tmp_path, made) as network:
        copies = {name: array.copy() for name, array in network.parameters.items()}
        own, again = network.bind().run(inputs), network.bind(copies).run(inputs)
    for name, array in own.items():
        np.testing.assert_array_equal(array, again[name])


def test_a_runner_outlives_its_network_and_its_arrays(tmp_path):
    inputs = models.inputs_of(models.dense(300, 200))
    with models.opened(tmp_path, models.dense(300, 200)) as network:
        runner = network.bind({name: array * 1 for name, array in network.parameters.items()})
        wanted = network.bind().run(inputs)["y"]
    del network
    np.testing.assert_array_equal(runner.run(inputs)["y"], wanted)


# Why parameters are handed over as external data: ONNX Runtime's add_initializer is too late.


def conv_and_batch_norm(tensors) -> bytes:
    nodes = [
        helper.make_node("Conv", ["x", "W"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["y"]),
    ]
    ports = [models.value("x", ["N", 8, 6, 6])], [models.value("y", ["N", 16, 4, 4])]
    return models.model(nodes, *ports, tensors)


def conv_and_batch_norm_tensors(seed: int) -> dict[str, np.ndarray]:
    r = models.random(seed)
    small = {name: (r.random(16) + 0.5).astype(np.float32) for name in "sbmv"}
    return {"W": models.floats(16, 8, 3, 3, seed=seed), **small}


def test_add_initializer_silently_runs_the_originals_folded_parameters():
    original, new = conv_and_batch_norm_tensors(1), conv_and_batch_norm_tensors(2)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    values = {n: onnxruntime.OrtValue.ortvalue_from_numpy(array) for n, array in new.items()}
    for name, array in values.items():
        options.add_initializer(name, array)
    made = conv_and_batch_norm(original)
    session = onnxruntime.InferenceSession(made.SerializeToString(), options)
    inputs = {"x": models.floats(2, 8, 6, 6)}
    outputs = session.run(None, inputs)[0]
    np.testing.assert_allclose(outputs, models.plain_run(made, inputs)[0], rtol=1e-3, atol=1e-3)
    wanted = models.plain_run(conv_and_batch_norm(new), inputs)[0]
    assert np.abs(outputs - wanted).max() > 1


def test_bind_runs_the_replacement_where_parameters_are_folded(tmp_path):
    original, new = conv_and_batch_norm_tensors(1), conv_and_batch_norm_tensors(2)
    inputs = {"x": models.floats(2, 8, 6, 6)}
    with models.opened(tmp_path, conv_and_batch_norm(original)) as network:
        outputs = network.bind(new).run(inputs)["y"]
    wanted = models.plain_run(conv_and_batch_norm(new), inputs)[0]
    np.testing.assert_allclose(outputs, wanted, rtol=1e-3, atol=1e-3)


# What fits


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_narrower_floats_are_taken_exactly(tmp_path, name):
    made = models.dense()
    inputs = models.inputs_of(made)
    with models.opened(tmp_path, made) as network:
        narrow = {
            n: a.astype(getattr(ml_dtypes, name, name)) for n, a in network.parameters.items()
        }
        wide = {n: a.astype(np.float32) for n, a in narrow.items()}
        found, wanted = network.bind(narrow).run(inputs), network.bind(wide).run(inputs)
    np.testing.assert_array_equal(found["y"], wanted["y"])


def test_big_endian_and_transposed_arrays_are_taken(tmp_path):
    made = models.dense()
    inputs = models.inputs_of(made)
    with models.opened(tmp_path, made) as network:
        own = network.bind().run(inputs)["y"]
        odd = {n: np.asfortranarray(a).astype(">f4") for n, a in network.parameters.items()}
        np.testing.assert_array_equal(network.bind(odd).run(inputs)["y"], own)


@pytest.mark.parametrize("name", ["int4", "uint4", "float8_e4m3fn", "bfloat16"])
def test_parameters_of_types_numpy_lacks_are_replaced(tmp_path, name):
    dtype = getattr(ml_dtypes, name)
    stored = models.random(1).integers(0, 7, (64, 64)).astype(dtype)
    new = models.random(2).integers(0, 7, (64, 64)).astype(dtype)
    widened = helper.make_node("Cast", ["W"], ["w"], to=TensorProto.FLOAT)
    if name in ("int4", "uint4"):
        widened = helper.make_node("DequantizeLinear", ["W", "one"], ["w"])
    nodes = [widened, helper.make_node("MatMul", ["x", "w"], ["y"])]
    ports = [models.value("x", ["N", 64])], [models.value("y", ["N", 64])]
    tensors = {"W": stored, "one": np.array(1, np.float32)}
    made = models.model(nodes, *ports, tensors, opset=21, ir_version=10)
    identity = {"x": np.eye(64, dtype=np.float32)}
    with models.opened(tmp_path, made) as network:
        own, replaced = network.bind(), network.bind({"W": new})
        np.testing.assert_array_equal(own.run(identity)["y"], stored.astype(np.float32))
        np.testing.assert_array_equal(replaced.run(identity)["y"], new.astype(np.float32))


def test_constants_of_the_topology_may_be_given_or_left_out(tmp_path):
    made = models.cnn()
    inputs = models.inputs_of(made)
    with models.opened(tmp_path, made) as network:
        own = network.bind().run(inputs)["logits"]
        given = {**network.parameters, "shape": np.array([-1, 256], np.int64)}
        np.testing.assert_array_equal(network.bind(given).run(inputs)["logits"], own)


def test_a_long_table_of_integers_is_run_and_replaced(tmp_path):
    table = np.arange(70 << 20, dtype=np.uint8).reshape(-1, 1)
    node = helper.make_node("Gather", ["table", "x"], ["y"])
    ports = [
        [models.value("x", ["N"], TensorProto.INT64)],
        [models.value("y", ["N", 1], TensorProto.UINT8)],
    ]
    made = models.model([node], *ports, {"table": table})
    inputs = {"x": np.array([0, 7, (70 << 20) - 1])}
    with models.opened(tmp_path, made) as network:
        np.testing.assert_array_equal(network.bind().run(inputs)["y"].ravel(), [0, 7, 255])
        replaced = network.bind({"table": 255 - table}).run(inputs)["y"]
        np.testing.assert_array_equal(replaced.ravel(), [255, 248, 0])


# What does not fit


def refusal(network, replacement) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        network.bind(replacement)
    assert caught.value.where.file == "model.onnx"
    assert caught.value.fix
    return caught.value


def test_one_error_names_every_tensor_that_does_not_fit(tmp_path):
    with models.opened(tmp_path, models.cnn()) as network:
        given = dict(network.parameters)
        del given["bn.g"]
        given["stranger"] = given["conv.bias"]
        given["fc.weight"] = given["fc.weight"].T
        given["fc.bias"] = given["fc.bias"].astype(np.float64) / 3
        error = refusal(network, given)
    assert error.found.split("; ") == [
        "bn.g is missing",
        "fc.weight has shape [256, 10], the model [10, 256]",
        "fc.bias is float64, the model holds float32",
        "stranger is not a parameter",
    ]
    assert "name_map" in error.fix


@pytest.mark.parametrize("stored", ["float32", "float16", "bfloat16"])
def test_float64_is_taken_if_the_parameter_holds_every_value(tmp_path, stored):
    made = models.relu()
    values = np.array([[0.5, -3.0], [0.0, np.inf]], getattr(ml_dtypes, stored, stored))
    made.graph.initializer.append(models.numpy_helper.from_array(values, "W"))
    with models.opened(tmp_path, made) as network:
        network.bind({"W": values.astype(np.float64)})
        for value in (1 / 3, 1e300, 1e-300):
            error = refusal(network, {"W": np.full((2, 2), value)})
            assert error.found == f"W is float64, the model holds {stored}"


@pytest.mark.parametrize(
    ("stored", "given", "value"),
    [
        ("float16", "float32", 1 / 3),
        ("float16", "bfloat16", 1e20),
        ("bfloat16", "float16", 1 / 3),
        ("float32", "int32", 2**24 + 1),
        ("int8", "int32", 128),
        ("int8", "float32", 0.5),
        ("float32", "str", 1),
    ],
)
def test_another_type_is_taken_if_the_parameter_holds_every_value(tmp_path, stored, given, value):
    array = np.ones((3, 3)).astype(getattr(ml_dtypes, stored, stored))
    node = helper.make_node("DequantizeLinear", ["W", "one"], ["w"])
    tensors = {"W": array, "one": np.array(1, np.float32)}
    made = models.model([node], [], [models.value("w", [3, 3])], tensors)
    if stored != "int8":
        made = models.relu()
        made.graph.initializer.append(numpy_helper.from_array(array, "W"))
    kind = getattr(ml_dtypes, given, given)
    with models.opened(tmp_path, made) as network:
        other = np.full((3, 3), value).astype(kind)
        assert f"the model holds {stored}" in refusal(network, {"W": other}).found
        if given != "str":
            network.bind({"W": np.ones((3, 3)).astype(kind)})


def test_a_long_list_of_problems_is_cut_and_counted(tmp_path):
    with models.opened(tmp_path, models.dense()) as network:
        given = {f"t{i}": np.zeros(1) for i in range(40)}
        assert refusal(network, given).found.endswith("and 22 more")
