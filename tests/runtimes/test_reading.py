"""How operators use stored tensors: followed through graphs, branches, loops and functions."""

import re
from dataclasses import astuple

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as state

from conformance.runtimes.onnx.operators import QUANTISED
from tests.runtimes import models, places
from tests.runtimes.test_learned_attributes import LEARNED

ROWS = np.arange(12, dtype=np.int8).reshape(4, 3)
IDS = models.value("ids", ["N"], TensorProto.INT64)
X43 = models.value("x", [4, 3])
FLAG = models.value("flag", [], TensorProto.BOOL)
SCALE = {"scale": np.array(0.5, np.float32)}


def role_of(folder, nodes, inputs, tensors, name="T", **more):
    """The role of a tensor next to a parameter."""
    nodes = [*nodes, helper.make_node("Neg", ["W"], ["w"])]
    outputs = [models.value("y", None), models.value("w", None)]
    tensors = {"W": models.floats(4), **tensors}
    with models.opened(folder, models.model(nodes, inputs, outputs, tensors, **more)) as network:
        held = {
            "parameter": network.parameters,
            "scalar": network.scalars,
            "topology": network.constants,
        }
        return next(role for role, of_role in held.items() if name in of_role)


def dequantised(source, result="y"):
    return helper.make_node("DequantizeLinear", [source, "scale"], [result])


PASSING = {
    "Identity": {},
    "Transpose": {},
    "Flatten": {},
    "Cast": {"to": TensorProto.UINT8},
    "Reshape": [2, 6],
    "Expand": [2, 4, 3],
    "Tile": [1, 2],
    "Unsqueeze": [0],
}


@pytest.mark.parametrize("op", PASSING)
def test_operators_that_hand_elements_on_are_passed_through(tmp_path, op):
    more = PASSING[op]
    node = helper.make_node(op, ["T"], ["t"], **more) if isinstance(more, dict) else None
    node = node or helper.make_node(op, ["T", "operand"], ["t"])
    operand = {"operand": np.array(more)} if isinstance(more, list) else {}
    tensors = {"T": ROWS, **SCALE, **operand}
    assert role_of(tmp_path, [node, dequantised("t")], [], tensors) == "parameter"
    used = helper.make_node("Cast", ["t"], ["y"], to=TensorProto.FLOAT)
    assert role_of(tmp_path, [node, used], [], tensors) == "topology"


def test_every_part_of_a_list_is_followed(tmp_path):
    nodes = [
        helper.make_node("Concat", ["T", "other"], ["both"], axis=0),
        helper.make_node("Split", ["both"], ["a", "b"], axis=0),
        helper.make_node("Where", ["choice", "a", "b"], ["c"]),
        dequantised("c"),
    ]
    tensors = {"T": ROWS, "other": ROWS + 1, "choice": ROWS > 3, **SCALE}
    for name, role in (("T", "parameter"), ("other", "parameter"), ("choice", "topology")):
        assert role_of(tmp_path, nodes, [], tensors, name) == role


def reading_branch(nodes, output):
    return helper.make_graph(nodes, f"g-{output}", [], [models.value(output, None)])


def test_what_a_branch_reads_from_around_it_is_followed(tmp_path):
    then = reading_branch([helper.make_node("Identity", ["T"], ["a"])], "a")
    other = reading_branch([helper.make_node("Neg", ["T"], ["b"])], "b")
    node = helper.make_node("If", ["flag"], ["t"], then_branch=then, else_branch=other)
    tensors = {"T": ROWS, **SCALE}
    assert role_of(tmp_path, [node, dequantised("t")], [FLAG], tensors) == "parameter"


def test_the_state_of_a_loop_is_followed_into_it_and_around(tmp_path):
    """What comes in as one state is another in the next round, and is dequantised there."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Identity", ["one"], ["next"]),
            dequantised("two", "floats"),
        ],
        "body",
        [
            models.value("i", [], TensorProto.INT64),
            models.value("go", [], TensorProto.BOOL),
            models.value("one", None, TensorProto.INT8),
            models.value("two", None, TensorProto.INT8),
        ],
        [
            models.value("on", [], TensorProto.BOOL),
            models.value("one", None, TensorProto.INT8),
            models.value("next", None, TensorProto.INT8),
            models.value("floats", None),
        ],
    )
    node = helper.make_node("Loop", ["trips", "", "T", "start"], ["", "", "y"], body=body)
    tensors = {"T": ROWS, "start": ROWS + 1, "trips": np.array(3), **SCALE}
    for name, role in (("T", "parameter"), ("start", "parameter"), ("trips", "topology")):
        assert role_of(tmp_path, [node], [], tensors, name) == role


def test_a_scan_is_followed(tmp_path):
    body = helper.make_graph(
        [helper.make_node("Identity", ["s"], ["t"]), dequantised("item", "floats")],
        "body",
        [models.value("s", None, TensorProto.INT8), models.value("item", [3], TensorProto.INT8)],
        [models.value("t", None, TensorProto.INT8), models.value("floats", [3])],
    )
    node = helper.make_node("Scan", ["S", "T"], ["last", "y"], num_scan_inputs=1, body=body)
    tensors = {"S": ROWS + 1, "T": ROWS, **SCALE}
    for name, role in (("T", "parameter"), ("S", "topology")):
        assert role_of(tmp_path, [node], [], tensors, name) == role


def test_a_function_is_followed_through_inputs_attributes_and_outputs(tmp_path):
    constant = helper.make_node("Constant", [], ["held"])
    constant.attribute.add(name="value", ref_attr_name="weights", type=4)
    inner = places.function("Inner", [helper.make_node("Identity", ["p"], ["q"])])
    outer = places.function(
        "Outer",
        [
            constant,
            places.call("Inner", ["p"], ["one"]),
            helper.make_node("Concat", ["one", "held"], ["q"], axis=0),
        ],
        attributes=["weights"],
    )
    weights = places.tensor(ROWS + 1)
    nodes = [places.call("Outer", ["T"], ["t"], weights=weights), dequantised("t")]
    made = models.model(
        nodes,
        [],
        [models.value("y", None)],
        {"T": ROWS, **SCALE},
        domains=["mine"],
        functions=[inner, outer],
    )
    with models.opened(tmp_path, made) as network:
        assert list(network.parameters) == ["T", "t.weights"]


@pytest.mark.parametrize(
    ("indices", "table", "role"),
    [
        ("ids", ROWS, "parameter"),
        ("shifted", ROWS, "parameter"),
        ("stored", ROWS, "topology"),
        ("ids", ROWS[:, 0], "topology"),
        ("ids", ROWS[:, :1].astype(np.int64), "parameter"),
        ("ids", ROWS > 3, "topology"),
    ],
    ids=["input", "computed", "stored", "a list", "int64", "truth values"],
)
def test_integers_among_whose_rows_is_looked_up_are_parameters(tmp_path, indices, table, role):
    nodes = [
        helper.make_node("Add", ["ids", "one"], ["shifted"]),
        helper.make_node("Gather", ["T", indices], ["rows"]),
        helper.make_node("Cast", ["rows"], ["y"], to=TensorProto.FLOAT),
    ]
    tensors = {"T": table, "one": np.array(1), "stored": np.array([[1, 2], [0, 3]])}
    assert role_of(tmp_path, nodes, [IDS], tensors) == role
    assert role_of(tmp_path, nodes, [IDS], tensors, "stored") == "topology"


def test_rows_that_the_rounds_of_a_loop_look_up_are_an_embedding(tmp_path):
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Gather", ["T", "i"], ["row"]),
        ],
        "body",
        [models.value("i", [], TensorProto.INT64), models.value("go", [], TensorProto.BOOL)],
        [models.value("on", [], TensorProto.BOOL), models.value("row", None, TensorProto.INT8)],
    )
    node = helper.make_node("Loop", ["trips", ""], ["y"], body=body)
    tensors = {"T": ROWS, "trips": np.array(3)}
    assert role_of(tmp_path, [node], [], tensors) == "parameter"


def test_another_axis_is_no_look_up(tmp_path):
    nodes = [
        helper.make_node("Gather", ["T", "ids"], ["columns"], axis=1),
        helper.make_node("Cast", ["columns"], ["y"], to=TensorProto.FLOAT),
    ]
    assert role_of(tmp_path, nodes, [IDS], {"T": ROWS}) == "topology"


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (helper.make_node("Clip", ["x", "T", ""], ["y"]), np.float32(0)),
        (helper.make_node("Pad", ["x", "pads", "T"], ["y"]), np.float32(-1)),
        (helper.make_node("Range", ["T", "one", "one"], ["y"]), np.float32(0)),
        (helper.make_node("OneHot", ["ids", "depth", "T"], ["y"]), np.float32([0, 1])),
    ],
    ids=lambda value: getattr(value, "op_type", ""),
)
def test_operands_of_real_numbers_are_topology(tmp_path, node, value):
    tensors = {
        "T": np.asarray(value),
        "pads": np.array([0, 0, 1, 1]),
        "one": np.array(1, np.float32),
        "depth": np.array(5),
    }
    nodes = [node]
    assert role_of(tmp_path, nodes, [X43, IDS], tensors) == "topology"
    nodes.append(helper.make_node("Neg", ["T"], ["more"]))
    assert role_of(tmp_path, nodes, [X43, IDS], tensors) != "topology"


@pytest.mark.parametrize("name", LEARNED)
def test_trees_and_other_models_of_attributes_can_be_replaced(tmp_path, name):
    """What a tree asks where is its graph: it counts as nothing that could be weights."""
    build, tensors = LEARNED[name]
    with models.opened(tmp_path, build(tensors)) as network:
        network.check_replaceable()
        assert network.counts.topology == 0
        assert sum(astuple(network.counts)) == sum(array.size for array in tensors.values())


# The quantised operators of the installed ONNX Runtime

_NARROW = {"tensor(int8)", "tensor(uint8)", "tensor(int4)", "tensor(uint4)"}
_OTHERS = {
    *("DynamicQuantizeLinear",),  # stores nothing: scale and zero point are computed
    *("NhwcMaxPool", "Snpe"),  # of activations
    *("DynamicSparseAttention", "SparsePagedAttention"),  # of a cache, which is an input
    *("PagedAttention", "GroupQueryAttention"),
}


def test_every_quantised_operator_of_the_runtime_is_known():
    words = re.compile("Quant|^QLinear|Integer|NBits|Bnb4|FpQ4|BFP|^Q[A-Z]")
    found = set()
    for schema in state.get_all_operator_schema():
        if schema.domain not in ("", "com.microsoft"):
            continue
        types = {each.type_param_str: each.allowed_type_strs for each in schema.type_constraints}
        inputs = [set(types.get(each.typeStr, [each.typeStr])) for each in schema.inputs]
        narrow = schema.domain and any(_NARROW & each and len(each) < 8 for each in inputs)
        if narrow or words.search(schema.name):
            found.add(schema.name)
    assert found - _OTHERS <= set(QUANTISED)
    assert set(QUANTISED) - {"QLinearConvTranspose"} <= found


def test_inputs_that_are_no_weights_are_those_of_their_names():
    indices = re.compile("ids|ind|idx|mask|shape|strides|lens|condition|bias|global")
    schemas = {schema.name: schema for schema in state.get_all_operator_schema()}
    for name, positions in QUANTISED.items():
        for position in positions:
            assert indices.search(schemas[name].inputs[position].name), (name, position)
