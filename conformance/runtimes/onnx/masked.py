"""Which infinities of a graph make no difference: those of masks.

A mask adds the lowest number of a type in the place of minus infinity: softmax gives 0 for both.
Where the sum of a mask and a score becomes infinite in 16 bits, nothing is lost therefore, as long
as nothing else uses the sum: an operator that removes the mask again finds infinity in the place of
the score.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnx import GraphProto, NodeProto, TensorProto

from conformance.runtimes.onnx.functions import STANDARD, all_nodes, subgraphs

NEGATIVE, POSITIVE = -1, 1
_NONE = frozenset[int]()
BOTH = frozenset({NEGATIVE, POSITIVE})
"""Signs of an infinity."""

_SAME_RESULT: Mapping[str, frozenset[int]] = {
    **dict.fromkeys(
        (
            *("Softmax", "LogSoftmax", "Hardmax", "Exp", "ReduceMax", "ReduceLogSumExp"),
            *("ArgMax", "Max", "Relu"),
        ),
        frozenset({NEGATIVE}),
    ),
    **dict.fromkeys(("ReduceMin", "ArgMin", "Min"), frozenset({POSITIVE})),
    **dict.fromkeys(("Sigmoid", "Tanh"), BOTH),
}
"""Operators that give the same for an infinity and for the limit of a type, by its sign."""

_MASK_OF_ATTENTION: Mapping[tuple[str, str], int] = {
    ("", "Attention"): 3,
    ("com.microsoft", "Attention"): 5,
    ("com.microsoft", "MultiHeadAttention"): 5,
}
"""The input of an operator, by its domain, that is added to what its softmax reads."""

_HANDED_ON = frozenset({
    *("Identity", "Dropout", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice"),
    *("Split", "Concat", "Gather", "Expand", "Tile", "Where"),
})  # fmt: skip
"""Operators that give the elements of some inputs as they are."""

_REAL = frozenset(
    (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
)
_SUMS: Mapping[str, int] = {"Add": 2, "Sub": 1}
"""Operators that add to an infinity, and how many of their inputs keep its sign."""


def keeps(node: NodeProto, position: int) -> bool:
    """Return whether what is infinite in an input is as infinite in the outputs of a node."""
    if node.domain not in STANDARD:
        return False
    if node.op_type == "Cast":
        return any(each.name == "to" and each.i in _REAL for each in node.attribute)
    return node.op_type in _HANDED_ON or position < _SUMS.get(node.op_type, 0)


def is_sum(node: NodeProto) -> bool:
    """Return whether a node adds to an infinity, or subtracts from one."""
    return node.domain in STANDARD and node.op_type in _SUMS


def absorbed(graph: GraphProto, *, main: bool) -> Mapping[str, frozenset[int]]:
    """Return the signs of infinities in each value that make no difference to what reads it.

    A value that is not in it is not read. To bodies of control flow, and to whoever reads their
    outputs, every infinity makes a difference; an output of the main graph may be masked.
    """
    outputs = frozenset({NEGATIVE}) if main else _NONE
    found = dict.fromkeys((value.name for value in graph.output), outputs)
    for node in reversed(graph.node):
        for name, signs in _by_input(node, found):
            found[name] = found.get(name, BOTH) & signs
    return found


def _by_input(
    node: NodeProto, found: Mapping[str, frozenset[int]]
) -> Iterator[tuple[str, frozenset[int]]]:
    for _, graph in subgraphs(node):
        inner = (name for each in all_nodes(graph.node) for name in each.input)
        yield from ((name, _NONE) for name in (*inner, *(v.name for v in graph.output)))
    for position, name in enumerate(node.input):
        if keeps(node, position):
            yield name, BOTH.intersection(*(found.get(output, BOTH) for output in node.output))
        else:
            yield name, _signs(node, position)


def _signs(node: NodeProto, position: int) -> frozenset[int]:
    """Return the signs of infinities in an input for which a node gives the same as for a limit."""
    domain = "" if node.domain in STANDARD else node.domain
    if _MASK_OF_ATTENTION.get((domain, node.op_type)) == position:
        return frozenset({NEGATIVE})
    if domain:
        return _NONE
    return _bounded(node) if node.op_type == "Clip" else _SAME_RESULT.get(node.op_type, _NONE)


def _bounded(node: NodeProto) -> frozenset[int]:
    """Return the signs of infinities that a Clip has a bound for: an input, once an attribute."""
    bounds = {each.name for each in node.attribute}
    bounds |= {name for name, given in zip(("x", "min", "max"), node.input, strict=False) if given}
    signs = {"min": NEGATIVE, "max": POSITIVE}
    return frozenset(sign for name, sign in signs.items() if name in bounds)
