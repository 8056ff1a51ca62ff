"""Conditions, counts and inferred values of the syntax, written as short expressions.

An expression is a string in a small part of Python's notation, read once into nested functions::

    present = Expression("mps_quantization_method_flags & 3 != 0")
    present.evaluate({"mps_quantization_method_flags": 1})  # True

Names stand for values of the unit and of the units before it. There are integers, strings,
arithmetic, comparison, ``and``, ``or``, ``not``, ``a if c else b``, tuples, indices, and the
functions of :data:`FUNCTIONS`; anything else is refused when the expression is made.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

Scope: TypeAlias = Mapping[str, Any]
Evaluate: TypeAlias = Callable[[Scope], Any]

_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


class Expression:
    """An expression: ``text`` is what documentation prints, ``evaluate(scope)`` its value.

    ``constant`` is the value of what is only a constant, else None.
    """

    __slots__ = ("constant", "evaluate", "text")

    def __init__(self, text: str) -> None:
        node = ast.parse(text, mode="eval").body
        self.text = text
        self.evaluate: Evaluate = _compile(node)
        self.constant: Any = node.value if isinstance(node, ast.Constant) else None

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def _compile(node: ast.expr) -> Evaluate:
    match node:
        case ast.Constant(value=value):
            return lambda scope: value  # noqa: ARG005 - all evaluators take the scope
        case ast.Name(id=name):
            return lambda scope: scope[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(left, op, right)
        case ast.Compare():
            return _comparison(node)
        case ast.BoolOp():
            return _bool(node)
        case _:
            return _compile_rarer(node)


def _compile_rarer(node: ast.expr) -> Evaluate:
    match node:
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            function = operator.not_ if isinstance(node.op, ast.Not) else operator.neg
            inner = _compile(operand)
            return lambda scope: function(inner(scope))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            condition, yes, no = _compile(test), _compile(body), _compile(orelse)
            return lambda scope: yes(scope) if condition(scope) else no(scope)
        case ast.Tuple(elts=elements):
            members = [_compile(each) for each in elements]
            return lambda scope: tuple(each(scope) for each in members)
        case ast.Subscript(value=value, slice=index):
            return _binary_of(operator.getitem, value, index)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            call, arguments = FUNCTIONS[name], [_compile(each) for each in args]
            return lambda scope: call(*(each(scope) for each in arguments))
    raise ValueError(f"not part of the expression language: {ast.unparse(node)}")


def _binary(left: ast.expr, op: ast.AST, right: ast.expr) -> Evaluate:
    if type(op) not in _OPERATORS:
        raise ValueError(f"not part of the expression language: {type(op).__name__}")
    return _binary_of(_OPERATORS[type(op)], left, right)


def _binary_of(function: Callable[[Any, Any], Any], left: ast.expr, right: ast.expr) -> Evaluate:
    if isinstance(left, ast.Name) and isinstance(right, ast.Constant):  # most, hence fast
        name, value = left.id, right.value
        return lambda scope: function(scope[name], value)
    first, second = _compile(left), _compile(right)
    return lambda scope: function(first(scope), second(scope))


def _comparison(node: ast.Compare) -> Evaluate:
    values = [node.left, *node.comparators]
    pairs = zip(values, node.ops, node.comparators, strict=False)
    return _all([_binary(left, op, right) for left, op, right in pairs])


def _bool(node: ast.BoolOp) -> Evaluate:
    parts = [_compile(each) for each in node.values]
    if isinstance(node.op, ast.And):
        return _all(parts)
    return lambda scope: any(part(scope) for part in parts)


def _all(parts: list[Evaluate]) -> Evaluate:
    if len(parts) == 1:
        return parts[0]
    return lambda scope: all(part(scope) for part in parts)


def bit_count(number: int) -> int:
    """Return how many bits of a number are 1."""
    return number.bit_count()


def ceil_div(a: int, b: int) -> int:
    """Return ``a / b`` rounded up, for ``b`` > 0."""
    return -(-a // b)


def ends_with(text: str | None, ending: str) -> bool:
    """Whether a string, if there is one, ends so."""
    return text is not None and text.endswith(ending)


def item(values: Sequence[Any] | None, index: int | None) -> Any:
    """Return ``values[index]``, or None where there is none."""
    if values is None or index is None or not 0 <= index < len(values):
        return None
    return values[index]


def dimensions_of(
    known: Callable[[str | None], Sequence[int] | None], name: str | None
) -> tuple[int, ...] | None:
    """Return the dimensions that are known of a tensor, by its own or its undecomposed name."""
    dimensions = known(name)
    if dimensions is None and name is not None and name.endswith(("_G", "_H")):
        dimensions = known(name[:-2])
    return None if dimensions is None else tuple(dimensions)


def rows_of_blocks(heights: Sequence[int], block_height: int) -> int:
    """Return the block rows of matrices of these heights, all together."""
    return sum(ceil_div(height, block_height) for height in heights)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "bit_count": bit_count,
    "dimensions_of": dimensions_of,
    "ends_with": ends_with,
    "item": item,
    "len": len,
    "max": max,
    "rows_of_blocks": rows_of_blocks,
}
