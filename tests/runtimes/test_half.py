"""Overflow of float16 and bfloat16, which ONNX Runtime computes in float32 on the CPU."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnx import AttributeProto, TensorProto, helper

from conformance.runtimes import Watched
from tests.runtimes import models

F16, BF16, FLOAT, BOOL, INT64 = (
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.FLOAT,
    TensorProto.BOOL,
    TensorProto.INT64,
)
LOWEST = np.float16(-65504)


def node(operator, inputs, outputs, **attributes):
    return helper.make_node(operator, inputs, outputs, **attributes)


def watched(tmp_path, made, x, *, items=None, **more) -> Watched:
    with models.opened(tmp_path, made) as network:
        runner = network.bind()
        watch = runner.watch()
        assert watch is not None
        inputs = {"x": x, **more}
        watch.add(inputs, items, runner.run(inputs))
        return watch.result()


def around(nodes, tensors=(), *, inputs=(), to=F16, opset=17, **more):
    """A network of float32 that computes ``nodes``, from h to r, in 16 bits."""
    return models.model(
        [node("Cast", ["x"], ["h"], to=to), *nodes, node("Cast", ["r"], ["y"], to=FLOAT)],
        [models.value("x", ["N", 2]), *inputs],
        [models.value("y", None)],
        tensors,
        opset=opset,
        **more,
    )


def rows(*values):
    return np.array([[value, 1.0] for value in values], np.float32)


def test_an_overflow_names_tensor_operator_item_and_value(tmp_path):
    made = around([node("Mul", ["h", "h"], ["hh"], name="square"), node("Sqrt", ["hh"], ["r"])])
    found = watched(tmp_path, made, rows(3, 300, 4, 200), items=4)
    (overflow,) = found.overflows
    assert (overflow.tensor, overflow.operator, overflow.type) == ("hh", "Mul", "float16")
    assert (overflow.place, overflow.item, overflow.value) == ("node square", 1, 90000.0)
    assert (found.tensors, found.items, found.unreached) == (3, 4, ())


def test_only_what_rounds_to_infinity_is_an_overflow(tmp_path):
    made = around([node("Add", ["h", "half"], ["r"])], {"half": np.float16([16.0])})
    assert not watched(tmp_path, made, rows(65472), items=1).overflows
    made = around([node("Add", ["h", "half"], ["r"])], {"half": np.float16([48.0])})
    (found,) = watched(tmp_path, made, rows(65472), items=1).overflows
    assert found.value == 65520.0


def test_a_cast_of_the_file_can_overflow(tmp_path):
    (found,) = watched(
        tmp_path, around([node("Relu", ["h"], ["r"])]), rows(-7e4), items=1
    ).overflows
    assert (found.tensor, found.operator, found.value) == ("h", "Cast", 70000.0)


@pytest.mark.parametrize(
    ("mask", "x"),
    [(LOWEST, -300.0), (np.float16(-np.inf), 5.0), (LOWEST, float(LOWEST)), (LOWEST, math.inf)],
    ids=["at the limit", "infinite", "two masks", "infinity from outside"],
)
def test_masks_and_infinities_are_no_overflow(tmp_path, mask, x):
    nodes = [node("Add", ["h", "mask"], ["s"]), node("Softmax", ["s"], ["r"])]
    made = around(nodes, {"mask": np.array([mask, 0], np.float16)})
    assert watched(tmp_path, made, rows(x), items=1).overflows == ()


MASK = np.array([LOWEST, 0], np.float16)
SOFTMAX = node("Softmax", ["s"], ["r"])
READERS = {
    "in float32": [node("Cast", ["s"], ["w"], to=FLOAT), node("Softmax", ["w"], ["r"])],
    "in a different shape": [
        node("Unsqueeze", ["s", "axis"], ["u"]),
        node("Transpose", ["u"], ["t"], perm=[0, 2, 1]),
        node("Softmax", ["t"], ["r"]),
    ],
    "two masks": [node("Add", ["s", "mask"], ["t"]), node("Softmax", ["t"], ["r"])],
    "bounded below": [node("Max", ["s", "lowest"], ["t"]), node("Softmax", ["t"], ["r"])],
    "clipped below": [node("Clip", ["s", "lowest"], ["t"]), node("Softmax", ["t"], ["r"])],
    "softmax step by step": [
        node("ReduceMax", ["s"], ["most"], axes=[1]),
        node("Sub", ["s", "most"], ["t"]),
        node("Exp", ["t"], ["r"]),
    ],
    "logarithm": [node("ReduceLogSumExp", ["s"], ["r"], axes=[1])],
    "chosen": [node("Where", ["yes", "s", "mask"], ["t"]), node("Softmax", ["t"], ["r"])],
    "read twice": [SOFTMAX, node("Exp", ["s"], ["other"])],
}


@pytest.mark.parametrize("readers", READERS.values(), ids=READERS)
def test_masks_that_softmax_and_its_like_read_are_no_overflow(tmp_path, readers):
    tensors = {"mask": MASK, "lowest": LOWEST, "axis": np.array([2]), "yes": np.array(True)}
    made = around([node("Add", ["h", "mask"], ["s"]), *readers], tensors)
    found = watched(tmp_path, made, rows(-300), items=1)
    assert (found.overflows, found.unreached) == ((), ())


def test_a_masked_output_is_no_overflow_if_it_is_infinite_everywhere(tmp_path):
    add = node("Add", ["x", "mask"], ["y"])
    ports = [models.value("x", ["N", 2], F16)], [models.value("y", ["N", 2], F16)]
    made = models.model([add], *ports, {"mask": MASK})
    found = watched(tmp_path, made, np.float16([[-300, 1]]), items=1)
    assert (found.overflows, found.unreached) == ((), ())


UP, DOWN = (np.array([sign * 65504, 0], np.float16) for sign in (1, -1))
HIDDEN = {
    "added and subtracted": ([node("Add", ["h", "up"], ["s"]), node("Sub", ["s", "up"], ["r"])], 1),
    "down and up": ([node("Add", ["h", "down"], ["s"]), node("Add", ["s", "up"], ["r"])], -1),
    "before a softmax": (
        [
            node("Add", ["h", "down"], ["s"]),
            node("Add", ["up", "s"], ["t"]),
            node("Softmax", ["t"], ["r"]),
        ],
        -1,
    ),
    "subtracted before a softmax": (
        [
            node("Sub", ["h", "up"], ["s"]),
            node("Identity", ["s"], ["i"]),
            node("Sub", ["i", "down"], ["t"]),
            node("Softmax", ["t"], ["r"]),
        ],
        -1,
    ),
    "of the other sign": ([node("Add", ["h", "up"], ["s"]), SOFTMAX], 1),
    "read twice": ([node("Add", ["h", "down"], ["s"]), SOFTMAX, node("Neg", ["s"], ["n"])], -1),
    "as an integer": (
        [
            node("Add", ["h", "down"], ["s"]),
            node("Cast", ["s"], ["i"], to=INT64),
            node("Sign", ["i"], ["m"]),
            node("Cast", ["m"], ["r"], to=F16),
        ],
        -1,
    ),
    "clipped above": (
        [node("Add", ["h", "down"], ["s"]), node("Clip", ["s", "", "zero"], ["r"])],
        -1,
    ),
    "of a sum": ([node("Sum", ["h", "down"], ["s"]), node("Sum", ["s", "up"], ["r"])], -1),
    "in a branch": (
        [
            node("Add", ["h", "down"], ["s"]),
            node(
                "If",
                ["c"],
                ["r"],
                then_branch=helper.make_graph(
                    [node("Add", ["s", "up"], ["a"])], "a", [], [models.value("a", None, F16)]
                ),
                else_branch=helper.make_graph(
                    [node("Exp", ["s"], ["b"])], "b", [], [models.value("b", None, F16)]
                ),
            ),
        ],
        -1,
    ),
}
"""Networks that take a number at the limit away again, and the sign of the score."""


@pytest.mark.parametrize(("nodes", "sign"), HIDDEN.values(), ids=HIDDEN)
def test_a_number_that_only_looks_like_a_mask_hides_no_overflow(tmp_path, nodes, sign):
    """Added and taken away again, 65504 leaves what float16 has lost long before."""
    tensors = {"up": UP, "down": DOWN, "zero": np.float16(0), "c": np.array(True)}
    made = around(nodes, tensors)
    (found,) = watched(tmp_path, made, rows(0, sign * 3000), items=2).overflows
    assert (found.tensor, found.operator) == ("s", nodes[0].op_type)
    assert (found.item, found.value) == (1, 68504.0)
    unharmed = watched(tmp_path, made, np.zeros((1, 2), np.float32), items=1)
    assert (unharmed.overflows, unharmed.unreached) == ((), ())


@pytest.mark.parametrize("bound", [("zero", ""), ("", "zero"), ()], ids=["below", "above", "none"])
def test_a_clip_without_a_bound_has_the_limit_of_its_type(tmp_path, bound):
    made = around([node("Clip", ["h", *bound], ["r"])], {"zero": np.float16(0)})
    assert not watched(tmp_path, made, rows(math.inf, -math.inf), items=2).overflows


def test_what_float16_loses_without_an_overflow_is_noticed_at_the_output(tmp_path):
    """A row that is masked as a whole leaves softmax nothing: in float32 it gives a number."""
    made = around([node("Add", ["h", "mask"], ["s"]), SOFTMAX], {"mask": np.full(2, LOWEST)})
    found = watched(tmp_path, made, np.float32([[-100, -200]]), items=1)
    assert not found.overflows
    (unreached,) = found.unreached
    assert "'y'" in unreached


def test_a_mask_of_float32_may_be_cast(tmp_path):
    lowest = float(np.finfo(np.float32).min)
    made = around([node("Add", ["h", "h"], ["r"])])
    assert watched(tmp_path, made, rows(lowest), items=1).overflows == ()


def branch(name, nodes, output):
    return helper.make_graph(nodes, name, [], [models.value(output, None, F16)])


def chosen(square_where):
    square = branch("s", [node("Mul", ["h", "h"], ["squared"])], "squared")
    other = branch("o", [node("Add", ["h", "h"], ["doubled"])], "doubled")
    then, otherwise = (square, other) if square_where == "then" else (other, square)
    nodes = [node("If", ["c"], ["r"], name="if", then_branch=then, else_branch=otherwise)]
    return around(nodes, inputs=[models.value("c", [], BOOL)])


@pytest.mark.parametrize("where", ["then", "else"])
def test_branches_are_watched_where_they_are_taken(tmp_path, where):
    for condition in (True, False):
        found = watched(tmp_path, chosen(where), rows(300), c=np.array(condition))
        taken = condition == (where == "then")
        assert [each.tensor for each in found.overflows] == (["squared"] if taken else [])
        assert found.tensors == 3
        assert not found.unreached


def looped(rounds):
    body = helper.make_graph(
        [
            node("Mul", ["state", "state"], ["next"], name="inner"),
            node("Identity", ["go"], ["on"]),
            node("ReduceMax", ["next"], ["seen"], keepdims=0),
        ],
        "body",
        [
            models.value("i", [], INT64),
            models.value("go", [], BOOL),
            models.value("state", None, F16),
        ],
        [
            models.value("on", [], BOOL),
            models.value("next", None, F16),
            models.value("seen", None, F16),
        ],
    )
    tensors = {"rounds": np.int64(rounds), "yes": np.array(True)}
    nodes = [node("Loop", ["rounds", "yes", "h"], ["r", "all"], name="loop", body=body)]
    return around(nodes, tensors)


@pytest.mark.parametrize(("rounds", "over"), [(0, False), (2, False), (4, True), (6, True)])
def test_bodies_of_loops_are_watched_in_every_round(tmp_path, rounds, over):
    found = watched(tmp_path, looped(rounds), rows(3), items=1)
    assert [each.tensor for each in found.overflows] == (["next"] if over else [])
    if over:
        assert found.overflows[0].value == 6560.0**2
        assert "loop.body node inner" in found.overflows[0].place


def test_bodies_of_scans_are_watched(tmp_path):
    body = helper.make_graph(
        [node("Add", ["sum", "one"], ["more"]), node("Identity", ["more"], ["out"])],
        "body",
        [models.value("sum", [2], F16), models.value("one", [2], F16)],
        [models.value("more", [2], F16), models.value("out", [2], F16)],
    )
    nodes = [node("Scan", ["zero", "h"], ["last", "r"], body=body, num_scan_inputs=1)]
    made = around(nodes, {"zero": np.zeros(2, np.float16)})
    found = watched(tmp_path, made, rows(30000, 30000, 30000))
    assert [(each.tensor, each.value) for each in found.overflows] == [("more", 90000.0)]
    assert not watched(tmp_path, made, rows(30000, 30000)).overflows


@pytest.mark.parametrize("opset", [17, 13])
def test_local_functions_are_watched_in_each_call(tmp_path, opset):
    square = helper.make_function(
        "mine",
        "Square",
        ["a"],
        ["b"],
        [node("Mul", ["a", "a"], ["b"])],
        [helper.make_opsetid("", opset)],
    )
    nodes = [
        node("Square", ["h"], ["once"], domain="mine"),
        node("Square", ["once"], ["r"], domain="mine"),
    ]
    made = around(nodes, domains=("mine",), functions=[square])
    found = watched(tmp_path, made, rows(20), items=1)
    assert [(each.tensor, each.value) for each in found.overflows] == [("r", 160000.0)]
    assert "mine.Square" in found.overflows[0].place


def test_the_type_may_come_from_the_caller_of_a_function(tmp_path):
    """Under any name: nothing else in the file says that there are 16 bits."""
    convert = node("Cast", ["a"], ["b"])
    convert.attribute.append(
        AttributeProto(name="to", ref_attr_name="kind", type=AttributeProto.INT)
    )
    opsets = [helper.make_opsetid("", 17)]
    own = helper.make_function("mine", "As", ["a"], ["b"], [convert], opsets, ["kind"])
    nodes = [
        node("As", ["x"], ["h"], domain="mine", kind=F16),
        node("Mul", ["h", "h"], ["r"]),
        node("As", ["r"], ["y"], domain="mine", kind=FLOAT),
    ]
    ends = [models.value("x", ["N", 2])], [models.value("y", None)]
    made = models.model(nodes, *ends, (), opset=17, domains=("mine",), functions=[own])
    (found,) = watched(tmp_path, made, rows(300), items=1).overflows
    assert (found.tensor, found.operator, found.value) == ("r", "Mul", 90000.0)


def test_bfloat16_overflows_later(tmp_path):
    made = around([node("Identity", ["h"], ["r"])], to=BF16)
    assert not watched(tmp_path, made, rows(3.396e38), items=1).overflows
    (found,) = watched(tmp_path, made, rows(3.397e38), items=1).overflows
    assert (found.tensor, found.type) == ("h", "bfloat16")


def test_a_body_that_cannot_be_watched_is_named(tmp_path):
    body = helper.make_graph(
        [node("Mul", ["each", "each"], ["squared"])],
        "body",
        [models.value("each", None, F16)],
        [models.value("squared", None, F16)],
    )
    nodes = [
        node("SplitToSequence", ["h"], ["parts"]),
        node("SequenceMap", ["parts"], ["squares"], body=body, name="map"),
        node("ConcatFromSequence", ["squares"], ["r"], axis=0),
    ]
    found = watched(tmp_path, around(nodes), rows(3), items=1)
    assert any("SequenceMap (node map)" in each for each in found.unreached)


def test_networks_of_wider_types_have_no_watch(tmp_path):
    with models.opened(tmp_path, models.cnn()) as network:
        assert network.bind().watch() is None


def test_what_the_items_of_a_batch_lead_to_together_has_no_item(tmp_path):
    made = around([node("ReduceSum", ["h"], ["sum"], keepdims=0), node("Add", ["h", "sum"], ["r"])])
    (found,) = watched(tmp_path, made, rows(3e4, 2e4, 2e4), items=3).overflows
    assert (found.tensor, found.item, found.value) == ("sum", None, 70003.0)


def test_the_parameters_of_a_sample_are_those_that_overflow(tmp_path):
    made = around([node("Mul", ["h", "w"], ["r"])], {"w": np.float16([1, 1])})
    with models.opened(tmp_path, made) as network:
        for scale, expected in ((1.0, 0), (3e4, 1)):
            runner = network.bind({"w": np.float16([scale, 1])})
            watch = runner.watch()
            watch.add({"x": rows(5)}, 1, {})
            assert len(watch.result().overflows) == expected


def test_half_inputs_are_watched_as_they_are_given(tmp_path):
    made = models.model(
        [node("Mul", ["x", "x"], ["y"])],
        [models.value("x", ["N", 2], F16)],
        [models.value("y", ["N", 2], F16)],
    )
    (found,) = watched(tmp_path, made, np.float16([[2, 300]]), items=1).overflows
    assert (found.tensor, found.value) == ("y", 90000.0)


def test_an_empty_tensor_does_not_overflow(tmp_path):
    made = around([node("Mul", ["h", "h"], ["r"])])
    assert not watched(tmp_path, made, np.zeros((0, 2), np.float32)).overflows
