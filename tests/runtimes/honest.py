"""Small networks as exporters write them: what graphs store that was not learnt."""

import functools
from dataclasses import dataclass, field

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tests.runtimes import models

WIDTH = 16
INT64 = TensorProto.INT64


@dataclass
class Network:
    """Nodes and tensors of a graph that is being written; ``learnt`` names its parameters."""

    nodes: list = field(default_factory=list)
    tensors: dict = field(default_factory=dict)
    learnt: list = field(default_factory=list)

    def weights(self, name, *shape):
        self.learnt.append(name)
        return self.store(name, models.floats(*shape, seed=len(self.tensors)))

    def store(self, name, array):
        self.tensors[name] = np.asarray(array)
        return name

    def add(self, op, *inputs, **attributes):
        name = f"/{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def ints(self, *values):
        """A list of integers, stored anew each time, as exporters do."""
        return self.store(f"/Constant_{len(self.tensors)}", np.array(values, np.int64))

    def number(self, value, dtype=np.float32):
        return self.store(f"/Constant_{len(self.tensors)}", np.array(value, dtype))

    def dense(self, x, name, rows, columns):
        product = self.add("MatMul", x, self.weights(f"{name}.weight", rows, columns))
        return self.add("Add", product, self.weights(f"{name}.bias", columns))

    def norm(self, x, name):
        """LayerNorm written out, with its own epsilon and exponent."""
        mean = self.add("ReduceMean", x, axes=[-1])
        centred = self.add("Sub", x, mean)
        square = self.add("Pow", centred, self.number(2))
        spread = self.add("ReduceMean", square, axes=[-1])
        root = self.add("Sqrt", self.add("Add", spread, self.number(1e-5)))
        scaled = self.add("Mul", self.add("Div", centred, root), self.weights(f"{name}.g", WIDTH))
        return self.add("Add", scaled, self.weights(f"{name}.b", WIDTH))

    def end(self, last, inputs, shape, **more) -> ModelProto:
        self.nodes.append(helper.make_node("Identity", [last], ["y"]))
        return models.model(self.nodes, inputs, [models.value("y", shape)], self.tensors, **more)


def size(n, x, axis):
    """The size of an axis, as an exporter computes it."""
    return n.add("Gather", n.add("Shape", x), n.number(axis, np.int64), axis=0)


def gpt2():
    """Twelve layers, each with its own causal mask of 1024 by 1024 and its own constants."""
    n = Network()
    ids = n.store("position_ids", np.arange(1024).reshape(1, 1024))
    length = n.add("Unsqueeze", size(n, "ids", 1), n.ints(0))
    places = n.add("Slice", ids, n.ints(0), length, n.ints(1), n.ints(1))
    rows = n.add("Gather", n.weights("wte", 50257, WIDTH), "ids")
    h = n.add("Add", rows, n.add("Gather", n.weights("wpe", 1024, WIDTH), places))
    for layer in range(12):
        inner = n.norm(h, f"h.{layer}.ln")
        q, k, v = (n.dense(inner, f"h.{layer}.{part}", WIDTH, WIDTH) for part in "qkv")
        scores = n.add("MatMul", q, n.add("Transpose", k, perm=[0, 2, 1]))
        scores = n.add("Div", scores, n.number(4))
        mask = n.store(f"h.{layer}.bias", np.tril(np.ones((1024, 1024), bool))[None])
        for axis in (1, 2):
            mask = n.add("Slice", mask, n.ints(0), length, n.ints(axis), n.ints(1))
        scores = n.add("Where", mask, scores, n.store(f"h.{layer}.masked_bias", np.float32(-1e4)))
        h = n.add("Add", h, n.add("MatMul", n.add("Softmax", scores, axis=-1), v))
    return n, n.end(h, [models.value("ids", ["N", "T"], INT64)], ["N", "T", WIDTH])


def swin():
    """Attention in a window of 4 by 4: an index table into a learnt table of biases, and a mask."""
    n = Network()
    index = np.add.outer(np.arange(16), np.arange(16)[::-1]).reshape(16, 16)
    h = n.norm("x", "norm")
    q, k, v = (n.dense(h, part, WIDTH, WIDTH) for part in "qkv")
    scores = n.add("MatMul", q, n.add("Transpose", k, perm=[0, 2, 1]))
    flat = n.add("Reshape", n.store("relative_position_index", index), n.ints(-1))
    bias = n.add("Gather", n.weights("relative_position_bias_table", 49, 1), flat)
    bias = n.add("Reshape", bias, n.ints(1, 16, 16))
    blocks = np.arange(16) // 8
    mask = np.where(np.equal.outer(blocks, blocks), 0, -100).astype(np.float32)
    n.learnt.append("attn_mask")
    scores = n.add("Add", n.add("Add", scores, bias), n.store("attn_mask", mask))
    h = n.add("MatMul", n.add("Softmax", scores, axis=-1), v)
    return n, n.end(h, [models.value("x", ["N", 16, WIDTH])], ["N", 16, WIDTH])


def tf2onnx():
    """Every operand an initializer under its own name, and many numbers of rank 0."""
    n = Network()
    h = n.add("Transpose", "x", perm=[0, 3, 1, 2])
    for layer, (before, after) in enumerate([(3, 8), (8, 16)]):
        pads = n.store(f"Pad_{layer}", np.array([0, 0, 1, 1, 0, 0, 1, 1]))
        h = n.add("Pad", h, pads, n.number(0))
        h = n.add("Conv", h, n.weights(f"conv{layer}/kernel", after, before, 3, 3))
        h = n.add("Add", h, n.weights(f"conv{layer}/bias", 1, after, 1, 1))
        h = n.add("Clip", h, n.store(f"min_{layer}", np.float32(0)), n.number(6))
        h = n.add("Mul", h, n.store(f"half_{layer}", np.float32(0.5)))
    rows, columns = size(n, h, 2), size(n, h, 3)
    steps = n.add("Range", n.number(0, np.int64), rows, n.number(1, np.int64))
    hot = n.add("OneHot", steps, columns, n.store("on_off", np.float32([0, 1])))
    h = n.add("Mul", h, hot)
    h = n.add("Slice", h, n.ints(0, 0), n.ints(8, 8), n.ints(2, 3))
    h = n.add("Reshape", h, n.store("shape", np.array([-1, 16 * 64])))
    h = n.dense(h, "dense", 16 * 64, 4)
    return n, n.end(h, [models.value("x", ["N", 8, 8, 3])], ["N", 4])


def yolo():
    """Scales of Resize, a grid of anchors and strides (real numbers: they count as learnt)."""
    n = Network()
    h = n.add("Conv", "x", n.weights("stem.weight", 8, 3, 3, 3), pads=[1] * 4, strides=[2, 2])
    h = n.add("Mul", h, n.add("Sigmoid", h))
    scales = n.store("scales", np.float32([1, 1, 2, 2]))
    h = n.add("Resize", h, "", scales, mode="nearest")
    h = n.add("Conv", h, n.weights("head.weight", 6, 8, 1, 1), n.weights("head.bias", 6))
    h = n.add("Reshape", h, n.ints(-1, 6, 64))
    parts = [
        n.add("Slice", h, n.ints(begin), n.ints(end), n.ints(1)) for begin, end in ((0, 2), (2, 6))
    ]
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(8))).reshape(1, 2, 64) + 0.5
    n.learnt += ["anchors", "strides"]
    boxes = n.add("Add", parts[0], n.store("anchors", grid.astype(np.float32)))
    strides = np.repeat(np.float32([8, 16]), 32).reshape(1, 64)
    boxes = n.add("Mul", boxes, n.store("strides", strides))
    h = n.add("Concat", boxes, parts[1], axis=1)
    return n, n.end(h, [models.value("x", ["N", 3, 8, 8])], ["N", 6, 64])


def quantised_words():
    """An embedding in int8, dequantised after the look-up, and weights of 4 bits in blocks."""
    n = Network()
    random = np.random.default_rng(1)
    n.learnt += ["table", "scales", "zeros", "B", "B_scales", "B_zeros"]
    n.store("table", random.integers(-128, 128, (40, 32)).astype(np.int8))
    n.store("scales", random.random(40).astype(np.float32))
    n.store("zeros", random.integers(-9, 9, 40).astype(np.int8))
    rows, scales, zeros = (n.add("Gather", each, "ids") for each in ("table", "scales", "zeros"))
    h = n.add("DequantizeLinear", rows, scales, zeros, axis=0)
    n.store("B", random.integers(0, 256, (8, 1, 16)).astype(np.uint8))
    n.store("B_scales", random.random(8).astype(np.float32))
    n.store("B_zeros", random.integers(0, 256, 8).astype(np.uint8))
    sizes = {"K": 32, "N": 8, "bits": 4, "block_size": 32}
    h = n.add("MatMulNBits", h, "B", "B_scales", "B_zeros", domain="com.microsoft", **sizes)
    ports = [models.value("ids", ["N"], INT64)], ["N", 8]
    return n, n.end(h, *ports, opset=21, ir_version=10, domains=["com.microsoft"])


HONEST = {each.__name__: each for each in (gpt2, swin, tf2onnx, yolo, quantised_words)}


@functools.cache
def made(kind) -> tuple[Network, ModelProto]:
    """What was written, and the graph; neither may be changed."""
    return HONEST[kind]()


def in_constants(made: ModelProto, typed: bool = False) -> ModelProto:
    """The model with every initializer as a Constant node; ``typed``, in lists where there are."""
    copy = ModelProto()
    copy.CopyFrom(made)
    nodes = [
        helper.make_node("Constant", [], [tensor.name], **_attribute(tensor, typed))
        for tensor in copy.graph.initializer
    ]
    nodes += copy.graph.node
    del copy.graph.initializer[:], copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def _attribute(tensor: TensorProto, typed: bool) -> dict:
    array = numpy_helper.to_array(tensor)
    kinds = {"float32": "value_float", "int64": "value_int", "object": "value_string"}
    name = kinds.get(array.dtype.name)
    if not typed or name is None or array.ndim > 1:
        return {"value": tensor}
    return {name + "s" * array.ndim: array.tolist()}


def in_sparse(made: ModelProto, *, nodes: bool = False) -> ModelProto:
    """The model with every matrix of real numbers as a sparse tensor, of the graph or of nodes."""
    copy = ModelProto()
    copy.CopyFrom(made)
    tensors = list(copy.graph.initializer)
    del copy.graph.initializer[:]
    constants = []
    for tensor in tensors:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.ndim < 2 or not array.all():
            copy.graph.initializer.append(tensor)
            continue
        values = numpy_helper.from_array(array.reshape(-1), tensor.name)
        indices = numpy_helper.from_array(np.arange(array.size))
        sparse = helper.make_sparse_tensor(values, indices, array.shape)
        if nodes:
            constants.append(helper.make_node("Constant", [], [tensor.name], sparse_value=sparse))
        else:
            copy.graph.sparse_initializer.append(sparse)
    rest = list(copy.graph.node)
    del copy.graph.node[:]
    copy.graph.node.extend([*constants, *rest])
    return copy


STORED = {
    "initializers": lambda made: made,
    "Constant nodes": in_constants,
    "Constant nodes with lists": lambda made: in_constants(made, typed=True),
    "sparse initializers": in_sparse,
    "sparse Constant nodes": lambda made: in_sparse(made, nodes=True),
}
"""Ways to store one network: the names of its tensors stay."""
