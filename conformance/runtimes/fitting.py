"""Putting a sample's tensors in the place of a network's parameters: all of them, or none.

A tensor may come in a floating-point type all of whose values the parameter's type holds exactly
(float16 for float32), or in float64 if every one of its values is one of the parameter's type: what
a decoder computes in double precision is mostly that. Any other difference of type or shape is
refused: to round is the decoder's business, and a tool that did it would judge its own rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType, is_floating, widens
from conformance.verdicts import ConformanceError, Location

_MOST_SHOWN = 20

Fitted = TypeVar("Fitted")


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a tensor in a network: its name, element type and shape."""

    name: str
    dtype: DType
    shape: tuple[int, ...]


def fit_tensors(
    replacement: Mapping[str, Array],
    parameters: Sequence[Slot],
    constants: Sequence[Slot],
    convert: Callable[[Array, Slot], Fitted],
    *,
    file: str,
    element: str,
) -> dict[str, Fitted]:
    """Return ``convert(tensor, slot)`` of every tensor of ``replacement``, by name.

    ``parameters`` have to be there; ``constants`` of the topology may be. Tensors are read one at
    a time, and ``convert`` meets none that does not fit. One ConformanceError, at ``element`` of
    ``file``, names everything that does not fit.
    """
    problems = _wrong_names(replacement, parameters, constants)
    fitted: dict[str, Fitted] = {}
    for slot in (*parameters, *constants):
        if slot.name not in replacement:
            continue
        array = replacement[slot.name]
        problem = _misfit(slot, array)
        if problem:
            problems.append(problem)
        elif not problems:
            fitted[slot.name] = convert(array, slot)
    if problems:
        raise _refusal(problems, file, element)
    return fitted


def as_stored(array: Array, slot: Slot) -> Array:
    """Return ``array`` in the element type of ``slot``, row by row in memory."""
    return np.ascontiguousarray(array, dtype=slot.dtype).reshape(slot.shape)


def _wrong_names(
    replacement: Mapping[str, Array], parameters: Sequence[Slot], constants: Sequence[Slot]
) -> list[str]:
    known = {slot.name for slot in (*parameters, *constants)}
    missing = [f"{s.name} is missing" for s in parameters if s.name not in replacement]
    return missing + [f"{name} is not a parameter" for name in replacement if name not in known]


def _misfit(slot: Slot, array: Array) -> str | None:
    """Return what keeps ``array`` from taking the place of ``slot``, or None."""
    if array.shape != slot.shape:
        return f"{slot.name} has shape {list(array.shape)}, the model {list(slot.shape)}"
    if not holds(slot.dtype, array):
        return f"{slot.name} is {array.dtype.name}, the model holds {slot.dtype.name}"
    return None


def holds(wanted: DType, array: Array) -> bool:
    """Say whether a parameter of type ``wanted`` can take the values of ``array`` as they are."""
    return _fits(array.dtype, wanted) or _is_exact(array, wanted)


def _fits(given: DType, wanted: DType) -> bool:
    if given.kind in "USO" or given.name == wanted.name:
        return given.name == wanted.name
    return is_floating(given) and is_floating(wanted) and widens(given, wanted)


def _is_exact(array: Array, wanted: DType) -> bool:
    """Say whether float64 values all are values of ``wanted``, another floating-point type."""
    if array.dtype != np.float64 or not is_floating(wanted):
        return False
    with np.errstate(over="ignore"):
        narrow = array.astype(wanted)
    return np.array_equal(narrow.astype(np.float64), array, equal_nan=True)


def _refusal(problems: list[str], file: str, element: str) -> ConformanceError:
    more = len(problems) - _MOST_SHOWN
    shown = [*problems[:_MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])]
    return ConformanceError(
        "the decoded tensors do not fit the model's parameters",
        where=Location(file=file, element=element),
        expected="one tensor for every parameter, with its shape, and of values it holds exactly",
        found="; ".join(shown),
        mend=(
            "Decode every parameter under the model's name for it (or give a name_map), in the "
            "model's shape, and in its element type or a narrower floating-point type."
        ),
    )
