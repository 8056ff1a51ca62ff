"""The settings that verdicts are computed under, and what ONNX Runtime refuses."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from conformance.runtimes.onnx.session import SETTINGS, session_options
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.runtimes import models


def optimised(folder, made, options) -> list[str]:
    """Operators of the graph that is run after optimisation."""
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node]


def test_quantised_networks_are_computed_as_written(tmp_path):
    operators = optimised(tmp_path, models.qdq(), session_options())
    assert set(operators) <= {"QuantizeLinear", "DequantizeLinear", "Conv"}
    assert "Conv" in operators


def test_the_defaults_would_fuse_quantised_operators(tmp_path):
    """If this fails, the settings that keep them apart may no longer be needed."""
    matmul = quantised_product()
    assert "QLinearMatMul" in optimised(tmp_path, matmul, onnxruntime.SessionOptions())
    assert "QLinearMatMul" not in optimised(tmp_path, matmul, session_options())


def quantised_product():
    tensors = {
        "xs": np.float32(0.1),
        "xz": np.uint8(128),
        "W": models.random(1).integers(0, 255, (32, 16)).astype(np.uint8),
        "ws": np.float32(0.01),
        "wz": np.uint8(120),
        "ys": np.float32(0.2),
        "yz": np.uint8(128),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
        helper.make_node("DequantizeLinear", ["W", "ws", "wz"], ["Wd"]),
        helper.make_node("MatMul", ["xd", "Wd"], ["p"]),
        helper.make_node("QuantizeLinear", ["p", "ys", "yz"], ["pq"]),
        helper.make_node("DequantizeLinear", ["pq", "ys", "yz"], ["y"]),
    ]
    ports = [models.value("x", ["N", 32])], [models.value("y", ["N", 16])]
    return models.model(nodes, *ports, {name: np.asarray(a) for name, a in tensors.items()})


def test_repeated_runs_agree_in_every_bit(tmp_path):
    made = models.cnn()
    inputs = models.inputs_of(made, 64)
    with models.opened(tmp_path, made) as network:
        first = network.bind().run(inputs)["logits"]
        for _ in range(3):
            np.testing.assert_array_equal(network.bind().run(inputs)["logits"], first)


def test_settings_and_versions_are_told(tmp_path):
    with models.opened(tmp_path, models.relu()) as network:
        assert network.settings == SETTINGS
        assert network.settings["intra_op_num_threads"] == "1"
        assert network.settings["graph_optimization_level"] == "basic"
        assert network.versions["onnxruntime"] == onnxruntime.__version__
        assert network.versions["onnx"] == onnx.__version__


def test_the_options_are_those_that_are_told():
    options = session_options()
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.use_deterministic_compute
    assert not options.enable_cpu_mem_arena
    for key, value in SETTINGS.items():
        if key.startswith("session."):
            assert options.get_session_config_entry(key) == value


def test_a_model_that_looks_like_the_runtimes_own_format_is_still_onnx(tmp_path):
    made = models.relu()
    made.ClearField("producer_name")
    data = made.SerializeToString()
    assert data[:2] == b"\x08\x08"
    disguised = data[:2] + b"\x12\x04ORTM" + data[2:]
    assert disguised[4:8] == b"ORTM"
    with models.opened(tmp_path, disguised) as network:
        x = models.floats(2, 4)
        np.testing.assert_array_equal(network.bind().run({"x": x})["y"], np.maximum(x, 0))


# What ONNX Runtime refuses


def node(op: str, inputs=("x",), outputs=("y",), **more):
    return helper.make_node(op, list(inputs), list(outputs), **more)


def graph(*nodes, **more):
    ports = [models.value("x", ["N", 4])], [models.value("y", None)]
    return models.model(list(nodes), *ports, **more)


def refusal(folder, made) -> ConformanceError:
    with models.opened(folder, made) as network, pytest.raises(ConformanceError) as caught:
        network.bind()
    error = caught.value
    assert error.where.file == "model.onnx"
    assert error.expected
    assert error.fix
    assert "/onnxruntime_src/" not in error.found
    assert "[ONNXRuntimeError]" not in error.found
    return error


@pytest.mark.parametrize(
    ("made", "name", "operator"),
    [
        pytest.param(graph(node("Foo", name="n1")), "n1", "Foo of domain ai.onnx", id="ai.onnx"),
        pytest.param(
            graph(node("Bar", name="n2", domain="my.ops"), domains=["my.ops"]),
            "n2",
            "Bar of domain my.ops",
            id="custom domain",
        ),
    ],
)
def test_an_unknown_operator_is_unsupported_and_named(tmp_path, made, name, operator):
    error = refusal(tmp_path, made)
    assert isinstance(error, UnsupportedError)
    assert error.where.element == f"node {name}"
    assert operator in error.found
    assert "standard operators" in error.fix


def test_an_operator_without_a_kernel_for_its_type_is_unsupported(tmp_path):
    elem_type = TensorProto.DOUBLE
    made = models.model(
        [helper.make_node("Tan", ["x"], ["y"], name="tangent")],
        [models.value("x", ["N"], elem_type)],
        [models.value("y", ["N"], elem_type)],
    )
    error = refusal(tmp_path, made)
    assert isinstance(error, UnsupportedError)
    assert error.where.element == "node tangent"


@pytest.mark.parametrize(
    "made",
    [graph(node("Relu"), opset=999), graph(node("Relu"), ir_version=99)],
    ids=["opset", "ir"],
)
def test_a_newer_version_of_onnx_is_unsupported(tmp_path, made):
    error = refusal(tmp_path, made)
    assert isinstance(error, UnsupportedError)
    assert "version_converter" in error.fix


@pytest.mark.parametrize(
    ("made", "found"),
    [
        pytest.param(graph(node("Relu", ["q"])), "'q'", id="undefined input"),
        pytest.param(graph(node("Relu"), node("Abs")), "Duplicate definition", id="two sources"),
        pytest.param(
            graph(node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Abs", ["b"])),
            "not acyclic",
            id="cycle",
        ),
        pytest.param(graph(node("Conv", ["x", "x"], group="1")), "attribute type", id="attribute"),
        pytest.param(
            graph(node("Bar", domain="my.ops")), "No opset import for domain", id="no opset"
        ),
    ],
)
def test_an_invalid_graph_is_malformed(tmp_path, made, found):
    error = refusal(tmp_path, made)
    assert isinstance(error, MalformedError)
    assert found in error.found


def test_a_graph_that_asks_for_all_memory_is_over_the_limit(tmp_path):
    tensors = {"shape": np.array([1 << 42, 4], np.int64)}
    made = graph(
        node("ConstantOfShape", ["shape"], ["c"]), node("Add", ["x", "c"]), tensors=tensors
    )
    with models.opened(tmp_path, made) as network, pytest.raises(LimitError) as caught:
        network.bind().run({"x": models.floats(1, 4)})
    assert "ConstantOfShape" in caught.value.where.element
