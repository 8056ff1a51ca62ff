"""ONNX graphs whose parameters are inputs, named as in a state dict: topology without values."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.runtimes import models
from tests.runtimes.pytorch import nets


def parameters(kind: str, prefix: str = ""):
    shapes = {name: array.shape for name, array in nets.tensors(kind).items()}
    return [models.value(prefix + name, list(shape)) for name, shape in shapes.items()]


def graph(kind: str, nodes, result, constants=None):
    port = [models.value("x", ["N", *nets.SHAPES[kind]])]
    return models.model(
        nodes, [*port, *parameters(kind)], [models.value("output", result)], constants or {}
    )


def cnn():
    norm = [f"bn.{each}" for each in ("weight", "bias", "running_mean", "running_var")]
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["c"]),
        helper.make_node("BatchNormalization", ["c", *norm], ["n"], epsilon=1e-5),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "fc.weight", "fc.bias"], ["output"], transB=1),
    ]
    return graph("cnn", nodes, ["N", 5])


def _split(name: str, gates: int, order: str, letters: str):
    """Put the gates of one tensor into ONNX's order."""
    parts = [f"{name}/{letter}" for letter in letters]
    wanted = [f"{name}/{letter}" for letter in order]
    return [
        helper.make_node("Split", [name], parts, axis=0, num_outputs=gates),
        helper.make_node("Concat", wanted, [f"{name}/gates"], axis=0),
    ]


def _cell(layers, letters: str, order: str):
    """W, R and B of a layer from PyTorch's tensors; ``layers`` are the suffixes of directions."""
    nodes, stacks = [], {"weight_ih": [], "weight_hh": [], "bias": []}
    for suffix in layers:
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            nodes += _split(f"rnn.{part}_{suffix}", len(letters), order, letters)
        both = [f"rnn.bias_ih_{suffix}/gates", f"rnn.bias_hh_{suffix}/gates"]
        nodes.append(helper.make_node("Concat", both, [f"bias_{suffix}"], axis=0))
        stacks["weight_ih"].append(f"rnn.weight_ih_{suffix}/gates")
        stacks["weight_hh"].append(f"rnn.weight_hh_{suffix}/gates")
        stacks["bias"].append(f"bias_{suffix}")
    names = []
    for part, given in stacks.items():
        rows = [f"{each}/row" for each in given]
        pairs = zip(given, rows, strict=True)
        nodes += [helper.make_node("Unsqueeze", [one, "zero"], [row]) for one, row in pairs]
        names.append(f"{part}_{layers[0]}/all")
        nodes.append(helper.make_node("Concat", rows, [names[-1]], axis=0))
    return nodes, names


ZERO = {"zero": np.array([0]), "last": np.array(-1)}


def lstm():
    nodes = [helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2])]
    for layer, given in enumerate(("steps", "states0")):
        made, names = _cell([f"l{layer}"], "ifgo", "iofg")
        run = helper.make_node("LSTM", [given, *names], [f"y{layer}"], hidden_size=4)
        squeeze = helper.make_node("Squeeze", [f"y{layer}", "one"], [f"states{layer}"])
        nodes += [*made, run, squeeze]
    nodes += [
        helper.make_node("Gather", ["states1", "last"], ["h"], axis=0),
        helper.make_node("Gemm", ["h", "fc.weight", "fc.bias"], ["output"], transB=1),
    ]
    return _opset18(graph("lstm", nodes, ["N", 2], {**ZERO, "one": np.array([1])}))


def gru():
    made, names = _cell(["l0", "l0_reverse"], "rzn", "zrn")
    nodes = [
        helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        *made,
        helper.make_node(
            "GRU",
            ["steps", *names],
            ["y"],
            hidden_size=4,
            direction="bidirectional",
            linear_before_reset=1,
        ),
        helper.make_node("ReduceMean", ["y", "zero"], ["h"], keepdims=0),
        helper.make_node("Transpose", ["h"], ["t"], perm=[1, 0, 2]),
        helper.make_node("Flatten", ["t"], ["f"]),
        helper.make_node("Gemm", ["f", "fc.weight", "fc.bias"], ["output"], transB=1),
    ]
    return _opset18(graph("gru", nodes, ["N", 2], ZERO))


def _opset18(made):
    made.opset_import[0].version = 18
    return made


def with_values(kind: str, arrays):
    """The graph of ``kind`` with the parameters stored in it, as an exporter writes it."""
    made = GRAPHS[kind]()
    kept = [each for each in made.graph.input if each.name not in arrays]
    del made.graph.input[:]
    made.graph.input.extend(kept)
    made.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in arrays.items())
    return made


def with_external_data(kind: str, arrays, location: str = "net.onnx.data"):
    """The same with the values in another file, which is not there."""
    made, place = with_values(kind, arrays), 0
    for tensor in made.graph.initializer:
        if tensor.name in arrays:
            size = len(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", location), ("offset", place), ("length", size)):
                tensor.external_data.add(key=key, value=str(value))
            place += size
    return made


GRAPHS = {"cnn": cnn, "lstm": lstm, "gru": gru}
