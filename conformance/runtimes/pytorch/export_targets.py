"""The names of operators in an exported program, and the few that compute without PyTorch.

PyTorch's own loader takes a name apart at its dots and follows it through whatever modules it
names. Here a name is looked up: in these tables, or among the operators on tensors.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

_OPERATOR = re.compile(r"torch\.ops\.aten\.(\w+)\.(\w+)", re.ASCII)
_BITS = 63

CONDITION = "torch.ops.higher_order.cond"
LOOP = "torch.ops.higher_order.while_loop"
WITHOUT_GRADIENTS = "torch.ops.higher_order.wrap_with_set_grad_enabled"
HIGHER_ORDER = frozenset({CONDITION, LOOP, WITHOUT_GRADIENTS})
"""Operators that run their own graph."""


def operator_name(target: str) -> tuple[str, str] | None:
    """Return name and overload of an operator of the namespace ``aten``; None for any other."""
    match = _OPERATOR.fullmatch(target)
    return (match[1], match[2]) if match else None


def is_arithmetic(target: str) -> bool:
    """Return whether a target computes with numbers that come from sizes."""
    return target in _ARITHMETIC


def compute(target: str, arguments: list[Any]) -> Any:
    """Return the result of arithmetic on numbers.

    Raises ValueError for a number that would not fit into 64 bits, TypeError for arguments that
    are not numbers (Python multiplies strings and lists too), and what Python raises for others.
    """
    if not all(map(_is_number, _numbers_in(target, arguments))):
        raise TypeError(f"{target} is given something that is not a number")
    result = _ARITHMETIC[target](*arguments)
    if isinstance(result, int) and result.bit_length() > _BITS:
        raise ValueError(f"{target} gives a number that does not fit into 64 bits")
    return result


def _numbers_in(target: str, arguments: list[Any]) -> list[Any]:
    """Return the arguments that must be numbers: all but the list that is looked into."""
    if arguments and isinstance(arguments[0], list | tuple):
        if target == "_operator.getitem":
            return arguments[1:]
        if target == "torch.sym_sum":
            return [*arguments[0], *arguments[1:]]
    return arguments


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _sum(values: list[Any]) -> Any:
    return sum(values)


_ARITHMETIC: Mapping[str, Callable[..., Any]] = {
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in (
            *("add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "getitem"),
            *("eq", "ne", "lt", "le", "gt", "ge", "and_", "or_", "not_"),
        )
    },
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "floor", "trunc")},
    "torch.sym_float": float,
    "torch.sym_int": int,
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_not": operator.not_,
    "torch.sym_sum": _sum,
    "torch.sym_ite": lambda condition, yes, no: yes if condition else no,
    "torch._sym_sqrt": math.sqrt,
}
