"""Real ONNX models, built with onnx.helper, for the tests of the runtimes."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, TensorProto, helper, numpy_helper

from conformance.runtimes import ModelSource, Network, runtime

FLOAT = TensorProto.FLOAT
GIB = 1 << 30


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    return random(seed).normal(size=shape).astype(np.float32)


def value(name: str, shape, elem_type: int = FLOAT):
    return helper.make_tensor_value_info(name, elem_type, shape)


def model(nodes, inputs, outputs, tensors=(), *, opset=17, ir_version=8, domains=(), **more):
    """A model; ``tensors`` is a mapping of arrays, or a list of TensorProto."""
    if isinstance(tensors, dict):
        tensors = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializer=list(tensors))
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version, **more)


def save(folder: Path, made: ModelProto | bytes, name: str = "model.onnx", **more) -> ModelSource:
    data = made if isinstance(made, bytes) else made.SerializeToString()
    (folder / name).write_bytes(data)
    return source(folder, name, **more)


def source(folder: Path, *names: str, limit_bytes: int = GIB) -> ModelSource:
    files = tuple(folder / name for name in names)
    return ModelSource(files=files, display=names, root=folder, limit_bytes=limit_bytes)


def opened(folder: Path, made: ModelProto | bytes, **more) -> Network:
    return runtime("onnx").open(save(folder, made, **more))


def rewritten(made: ModelProto, tensors) -> ModelProto:
    """The model with ``tensors`` stored in it, as an exporter would have written it."""
    copy = ModelProto()
    copy.CopyFrom(made)
    for tensor in copy.graph.initializer:
        if tensor.name in tensors:
            old = numpy_helper.to_array(tensor)
            new = np.asarray(tensors[tensor.name]).astype(old.dtype)
            tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))
    return copy


def plain_run(made: ModelProto, inputs) -> list[np.ndarray]:
    """Outputs of a bare session on the model as it is, without any optimisation."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, dict(inputs))


def relu(shape=("N", 4)) -> ModelProto:
    return model([helper.make_node("Relu", ["x"], ["y"])], [value("x", shape)], [value("y", shape)])


def dense(rows: int = 32, columns: int = 16, batch="N", **more) -> ModelProto:
    """y = x W + b; W is large enough to be handed over outside the skeleton."""
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["y"]),
    ]
    tensors = {"W": floats(rows, columns, seed=1), "b": floats(columns, seed=2)}
    ports = [value("x", [batch, rows])], [value("y", [batch, columns])]
    return model(nodes, *ports, tensors, **more)


def cnn(opset: int = 17) -> ModelProto:
    """Conv, batch normalisation, ReLU, pooling, flatten by Reshape, Gemm."""
    bn = {name: random(i).random(16).astype(np.float32) + 0.5 for i, name in enumerate("gbmv")}
    tensors = {
        "conv.weight": floats(16, 3, 3, 3, seed=3),
        "conv.bias": floats(16, seed=4),
        **{f"bn.{name}": array for name, array in bn.items()},
        "shape": np.array([-1, 16 * 4 * 4], np.int64),
        "fc.weight": floats(10, 16 * 4 * 4, seed=5),
        "fc.bias": floats(10, seed=6),
    }
    nodes = [
        helper.make_node("Conv", ["image", "conv.weight", "conv.bias"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node(
            "BatchNormalization", ["c", "bn.g", "bn.b", "bn.m", "bn.v"], ["n"], epsilon=1e-5
        ),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["m", "shape"], ["f"]),
        helper.make_node("Gemm", ["f", "fc.weight", "fc.bias"], ["logits"], transB=1),
    ]
    ports = [value("image", ["N", 3, 8, 8])], [value("logits", ["N", 10])]
    return model(nodes, *ports, tensors, opset=opset)


def lstm() -> ModelProto:
    """A recurrent network; the batch is axis 0 of its input, and transposed inside."""
    tensors = {
        "W": floats(1, 64, 8, seed=7),
        "R": floats(1, 64, 16, seed=8),
        "B": floats(1, 128, seed=9),
        "axes": np.array([0], np.int64),
    }
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["t", "W", "R", "B"], ["", "h"], hidden_size=16),
        helper.make_node("Squeeze", ["h", "axes"], ["y"]),
    ]
    return model(nodes, [value("x", ["N", "T", 8])], [value("y", ["N", 16])], tensors)


def two_in_two_out() -> ModelProto:
    nodes = [
        helper.make_node("MatMul", ["a", "W"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["sum"]),
        helper.make_node("ArgMax", ["sum"], ["best"], axis=1, keepdims=0),
    ]
    return model(
        nodes,
        [value("a", ["N", 32]), value("b", ["N", 16])],
        [value("sum", ["N", 16]), value("best", ["N"], TensorProto.INT64)],
        {"W": floats(32, 16, seed=1)},
    )


def qdq() -> ModelProto:
    """A quantised convolution between QuantizeLinear and DequantizeLinear."""
    r = random(10)
    tensors = {
        "xs": np.float32(0.02),
        "xz": np.uint8(128),
        "W": r.integers(-127, 128, (16, 8, 3, 3)).astype(np.int8),
        "ws": (r.random(16) * 0.01 + 0.001).astype(np.float32),
        "wz": np.zeros(16, np.int8),
        "ys": np.float32(0.05),
        "yz": np.uint8(120),
    }
    tensors = {name: np.asarray(array) for name, array in tensors.items()}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
        helper.make_node("DequantizeLinear", ["W", "ws", "wz"], ["Wd"], axis=0),
        helper.make_node("Conv", ["xd", "Wd"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "ys", "yz"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "ys", "yz"], ["y"]),
    ]
    return model(nodes, [value("x", ["N", 8, 6, 6])], [value("y", ["N", 16, 4, 4])], tensors)


def labels() -> ModelProto:
    """Strings in, strings out: a table in the attributes of one operator."""
    node = helper.make_node(
        "LabelEncoder",
        ["word"],
        ["translation"],
        domain="ai.onnx.ml",
        keys_strings=["cat", "dog"],
        values_strings=["Katze", "Hund"],
        default_string="?",
    )
    made = model(
        [node],
        [value("word", ["N"], TensorProto.STRING)],
        [value("translation", ["N"], TensorProto.STRING)],
    )
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    return made


def inputs_of(made: ModelProto, items: int = 5) -> dict[str, np.ndarray]:
    """Random inputs, with ``items`` for the axis N and 3 for any other free axis."""
    made_inputs = {}
    for seed, port in enumerate(made.graph.input):
        dims = port.type.tensor_type.shape.dim
        shape = [d.dim_value or (items if d.dim_param == "N" else 3) for d in dims]
        made_inputs[port.name] = floats(*shape, seed=100 + seed)
    return made_inputs


def save_with_external_data(folder: Path, made: ModelProto, location: str = "model.bin") -> None:
    onnx.save_model(
        made,
        folder / "model.onnx",
        save_as_external_data=True,
        location=location,
        size_threshold=0,
    )
