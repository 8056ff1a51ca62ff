"""Models that keep parameters elsewhere than in initializers; each is built from its tensors."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.runtimes import models

X4 = [models.value("x", ["N", 4])]
Y4 = [models.value("y", ["N", 4])]
FLAG = models.value("flag", [], TensorProto.BOOL)


def tensor(array, name=""):
    return numpy_helper.from_array(np.asarray(array), name)


def constant_node(tensors):
    """x W + b, with both in Constant nodes, and the number 2 in one more."""
    nodes = [
        helper.make_node("Constant", [], ["W"], name="k", value=tensor(tensors["W"])),
        helper.make_node("Constant", [], ["b"], value_floats=tensors["b"].tolist()),
        helper.make_node("Constant", [], ["two"], value_float=2.0),
        helper.make_node("Constant", [], ["shape"], value=tensor(np.array([-1, 4]))),
        helper.make_node("MatMul", ["x", "W"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["s"]),
        helper.make_node("Mul", ["s", "two"], ["d"]),
        helper.make_node("Reshape", ["d", "shape"], ["y"]),
    ]
    return models.model(nodes, X4, Y4)


def branch(name, tensors, output):
    nodes = [
        helper.make_node("Constant", [], ["k"], value=tensor(tensors[f"y.{name}.k"])),
        helper.make_node("MatMul", ["x", "hidden"], ["h"]),
        helper.make_node("Add", ["h", "k"], [output]),
    ]
    hidden = tensor(tensors[f"y.{name}.hidden"], "hidden")
    return helper.make_graph(nodes, name, [], [models.value(output, None)], [hidden])


def branches(tensors):
    """Two branches that call different tensors by the same names."""
    node = helper.make_node(
        "If",
        ["flag"],
        ["y"],
        name="choice",
        then_branch=branch("then_branch", tensors, "a"),
        else_branch=branch("else_branch", tensors, "b"),
    )
    return models.model([node], [*X4, FLAG], Y4)


def loop(tensors):
    """Three times v = tanh(v W)."""
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["v", "W"], ["p"]),
            helper.make_node("Tanh", ["p"], ["w"]),
            helper.make_node("Identity", ["go"], ["on"]),
        ],
        "body",
        [
            models.value("i", [], TensorProto.INT64),
            models.value("go", [], TensorProto.BOOL),
            models.value("v", None),
        ],
        [models.value("on", [], TensorProto.BOOL), models.value("w", None)],
        [tensor(tensors["y.body.W"], "W")],
    )
    node = helper.make_node("Loop", ["trips", "", "x"], ["y"], body=body)
    return models.model([node], X4, Y4, {"trips": np.array(3)})


def scan(tensors):
    """A cell by hand: the state is tanh(state R + item W)."""
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "R"], ["r"]),
            helper.make_node("MatMul", ["item", "W"], ["w"]),
            helper.make_node("Add", ["r", "w"], ["sum"]),
            helper.make_node("Tanh", ["sum"], ["next"]),
            helper.make_node("Identity", ["next"], ["out"]),
        ],
        "cell",
        [models.value("state", [4]), models.value("item", [3])],
        [models.value("next", [4]), models.value("out", [4])],
        [tensor(tensors["last.body.R"], "R"), tensor(tensors["last.body.W"], "W")],
    )
    node = helper.make_node("Scan", ["s", "x"], ["last", "y"], num_scan_inputs=1, body=body)
    ports = [models.value("x", ["T", 3])], [models.value("y", ["T", 4])]
    return models.model([node], *ports, {"s": tensors["s"]})


def nested(tensors):
    """A branch within a branch."""
    inner = helper.make_node(
        "If",
        ["flag"],
        ["deep"],
        then_branch=branch_of("V", tensors["y.then_branch.deep.then_branch.V"], "c"),
        else_branch=branch_of("V", tensors["y.then_branch.deep.else_branch.V"], "d"),
    )
    then = helper.make_graph([inner], "outer", [], [models.value("deep", None)])
    other = branch_of("V", tensors["y.else_branch.V"], "e")
    node = helper.make_node("If", ["flag"], ["y"], then_branch=then, else_branch=other)
    return models.model([node], [*X4, FLAG], Y4)


def branch_of(name, array, output):
    node = helper.make_node("Mul", ["x", name], [output])
    return helper.make_graph(
        [node], f"g-{output}", [], [models.value(output, None)], [tensor(array, name)]
    )


OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]


def function(name, nodes, inputs=("p",), outputs=("q",), attributes=(), domain="mine"):
    return helper.make_function(domain, name, inputs, outputs, nodes, OPSETS, attributes)


def call(name, inputs=("x",), outputs=("y",), **attributes):
    return helper.make_node(name, list(inputs), list(outputs), domain="mine", **attributes)


def functions(tensors):
    """Shift is called twice, and by another function; its constant is one parameter."""
    shift = function(
        "Shift",
        [
            helper.make_node("Constant", [], ["k"], value=tensor(tensors["mine.Shift.k"])),
            helper.make_node("Add", ["p", "k"], ["q"]),
        ],
    )
    block = function(
        "Block",
        [
            helper.make_node("Constant", [], ["W"], value=tensor(tensors["mine.Block.W"])),
            helper.make_node("MatMul", ["p", "W"], ["m"]),
            call("Shift", ["m"], ["q"]),
        ],
    )
    nodes = [call("Block", ["x"], ["h"]), call("Shift", ["h"], ["y"])]
    return models.model(nodes, X4, Y4, domains=["mine"], functions=[shift, block])


def function_attribute(tensors):
    """The caller gives the function its weights, as an attribute."""
    constant = helper.make_node("Constant", [], ["W"])
    reference = constant.attribute.add(name="value", ref_attr_name="weights")
    reference.type = 4
    scaled = function(
        "Scaled", [constant, helper.make_node("Mul", ["p", "W"], ["q"])], attributes=["weights"]
    )
    nodes = [
        call("Scaled", ["x"], ["h"], weights=tensor(tensors["h.weights"])),
        call("Scaled", ["h"], ["y"], weights=tensor(tensors["y.weights"])),
    ]
    return models.model(nodes, X4, Y4, domains=["mine"], functions=[scaled])


def function_with_branch(tensors):
    """A branch inside a function, with its own initializer."""
    then = branch_of_function(tensors["mine.Choose.q.then_branch.V"], "a")
    other = branch_of_function(tensors["mine.Choose.q.else_branch.V"], "b")
    node = helper.make_node("If", ["c"], ["q"], then_branch=then, else_branch=other)
    made = function("Choose", [node], inputs=["p", "c"])
    nodes = [call("Choose", ["x", "flag"])]
    return models.model(nodes, [*X4, FLAG], Y4, domains=["mine"], functions=[made])


def branch_of_function(array, output):
    node = helper.make_node("Mul", ["p", "V"], [output])
    return helper.make_graph(
        [node], f"g-{output}", [], [models.value(output, None)], [tensor(array, "V")]
    )


def sparse_of(array, name="", per_axis=False):
    positions = np.flatnonzero(array)
    values = tensor(array.ravel()[positions], name)
    indices = np.argwhere(array) if per_axis else positions
    return helper.make_sparse_tensor(values, tensor(indices.astype(np.int64)), array.shape)


def sparse(tensors):
    """x S + b, with S as a sparse initializer and b in a Constant's sparse_value."""
    nodes = [
        helper.make_node("Constant", [], ["b"], sparse_value=sparse_of(tensors["b"], "b")),
        helper.make_node("MatMul", ["x", "S"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["y"]),
    ]
    made = models.model(nodes, X4, Y4)
    made.graph.sparse_initializer.append(sparse_of(tensors["S"], "S"))
    return made


def sparse_in_branch(tensors):
    then = branch_of("V", tensors["y.then_branch.V"], "a")
    del then.initializer[:]
    then.sparse_initializer.append(sparse_of(tensors["y.then_branch.V"], "V"))
    other = branch_of("V", tensors["y.else_branch.V"], "b")
    node = helper.make_node("If", ["flag"], ["y"], then_branch=then, else_branch=other)
    return models.model([node], [*X4, FLAG], Y4)


def f(*shape, seed):
    return models.floats(*shape, seed=seed)


def _tensors(**shapes):
    return {
        name.replace("__", "."): f(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())
    }


HALF = np.where(np.arange(16).reshape(4, 4) % 2, f(4, 4, seed=50), 0).astype(np.float32)
PLACES = {
    "constant nodes": (constant_node, _tensors(W=(4, 4), b=(4,))),
    "branches": (
        branches,
        _tensors(
            y__then_branch__hidden=(4, 4),
            y__then_branch__k=(4,),
            y__else_branch__hidden=(4, 4),
            y__else_branch__k=(4,),
        ),
    ),
    "loop": (loop, _tensors(y__body__W=(4, 4))),
    "scan": (scan, _tensors(s=(4,), last__body__R=(4, 4), last__body__W=(3, 4))),
    "nested branches": (
        nested,
        _tensors(
            y__then_branch__deep__then_branch__V=(4,),
            y__then_branch__deep__else_branch__V=(4,),
            y__else_branch__V=(4,),
        ),
    ),
    "functions": (functions, _tensors(mine__Shift__k=(4,), mine__Block__W=(4, 4))),
    "attribute of a call": (function_attribute, _tensors(h__weights=(4,), y__weights=(4,))),
    "branch in a function": (
        function_with_branch,
        _tensors(mine__Choose__q__then_branch__V=(4,), mine__Choose__q__else_branch__V=(4,)),
    ),
    "sparse": (sparse, {"S": HALF, "b": HALF[1]}),
    "sparse in a branch": (
        sparse_in_branch,
        {"y.then_branch.V": HALF[2], "y.else_branch.V": HALF[3]},
    ),
}
"""How a model is built, and the tensors it is built from, by the names they are listed under."""


def inputs_of(made, flag: bool = True):
    inputs = models.inputs_of(made)
    if "flag" in inputs:
        inputs["flag"] = np.array(flag)
    return inputs
