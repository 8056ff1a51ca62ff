"""Texts that a TorchScript graph computes: they are computed while the graph is inspected.

PyTorch folds constants, strings among them, and takes what time and memory that takes. What
networks compute strings for, messages and equations, needs few operators and little space.
"""

from __future__ import annotations

from typing import Any

from conformance.runtimes.pytorch.script_size import nodes_of
from conformance.verdicts import LimitError, Location, UnsupportedError

MAX_TEXT = 64 << 10
"""Characters that a computed text may have."""

_NUMBER = 400
_JOINED = frozenset({"aten::add", "aten::format"})
_NOT_LONGER = frozenset(
    f"aten::{name}"
    for name in ("__getitem__", "slice", "strip", "lstrip", "rstrip", "lower", "upper", "str")
)
_LANGUAGE = "prim::"
_COUNTING = frozenset({"aten::count", "aten::find", "aten::rfind", "aten::splitlines"})
_DIVIDING = frozenset({"aten::remainder", "aten::divmod", "aten::__rdivmod__"})
_UNDEFINED = (0, -1)


def check_words(graph: Any, file: str) -> None:
    """Raise UnsupportedError for an operator on strings that no network needs.

    LimitError for a string that would be too long; MalformedError is left to PyTorch. Divisions of
    integers by 0 and by -1, which end the process, are refused as well.
    """
    lengths: dict[str, int] = {}
    for node in nodes_of(graph):
        _check_division(node, file)
        inputs = list(node.inputs())
        if any(_is_text(each) for each in inputs) and node.kind() in _COUNTING:
            raise _refused(node.kind(), file)
        for output in node.outputs():
            if not _is_text(output):
                continue
            given = [_length(each, lengths) for each in inputs]
            if node.kind() == "prim::Constant":
                given = [len(output.toIValue())]
            elif node.kind() not in _JOINED | _NOT_LONGER and not _is_language(node.kind()):
                raise _refused(node.kind(), file)
            lengths[output.debugName()] = sum(given)
            if sum(given) > MAX_TEXT:
                raise LimitError(
                    "the network computes a string that is too long",
                    where=Location(file, element=f"forward: {node.kind()}"),
                    expected=f"at most {MAX_TEXT} characters",
                    found="more",
                    fix="Export the network without long messages.",
                )


def _check_division(node: Any, file: str) -> None:
    inputs = list(node.inputs())
    if node.kind() not in _DIVIDING or any(each.type().kind() != "IntType" for each in inputs):
        return
    divisor = inputs[0 if node.kind() == "aten::__rdivmod__" else -1]
    if divisor.node().kind() == "prim::Constant" and divisor.toIValue() in _UNDEFINED:
        raise UnsupportedError(
            "the network takes a remainder of a division by 0 or -1",
            where=Location(file, element=f"forward: {node.kind()}"),
            expected="another divisor",
            found=str(divisor.toIValue()),
            fix="Export the network without this operator.",
        )


def _is_language(kind: str) -> bool:
    return kind.startswith(_LANGUAGE)


def _is_text(value: Any) -> bool:
    kind = value.type().kind()
    return kind == "StringType" or (kind == "OptionalType" and "str" in str(value.type()))


def _length(value: Any, lengths: dict[str, int]) -> int:
    return lengths.get(value.debugName(), 0) if _is_text(value) else _NUMBER


def _refused(kind: str, file: str) -> UnsupportedError:
    return UnsupportedError(
        f"the network uses an operator that is not run here: {kind}",
        where=Location(file, element=f"forward: {kind}"),
        expected="strings for messages and equations, and nothing computed from them",
        found=f"{kind}: it computes with strings",
        fix="Export the network without computing with strings.",
    )
