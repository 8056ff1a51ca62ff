"""Putting a sample's tensors in the place of a network's parameters: all of them, or none.

A tensor may come in any numeric type, if every one of its values is one of the parameter's type
too: NNC decodes to float32 and int32, and what a decoder computes in double precision is mostly of
single. Any other difference of type or shape is refused: rounding is for the decoder, and a tool
that did it would judge its own. A scalar may come in any shape of one element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType, holds, same_values
from conformance.runtimes.roles import Inventory, Role
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
    inventory: Inventory,
    convert: Callable[[Array, Slot], Fitted],
    *,
    element: str,
) -> dict[str, Fitted]:
    """Return ``convert(tensor, slot)`` of the parameters and scalars of ``replacement``, by name.

    Parameters must be there, under their name or an alias, unless no output depends on them (the
    original's are given then); scalars may be; topology may be, with the values of the original.
    Tensors are read one at a time, and ``convert`` meets none that does not fit. One
    ConformanceError, at ``element`` of the file, names everything that does not fit.
    """
    problems = [f"{name} is missing" for name in missing_names(replacement, inventory)]
    fitted: dict[str, Fitted] = {}
    for given in replacement:
        name = inventory.aliases.get(given, given)
        if name not in inventory.roles:
            problems.append(f"{given} is not a parameter")
            continue
        problem = _mismatch(name, replacement[given], inventory)
        if problem is None and given != name and name in replacement:
            problem = _tie_problem(given, name, replacement)
        if problem:
            problems.append(problem)
        elif not problems and name not in inventory.constants and name not in fitted:
            slot = _slot(name, inventory)
            fitted[name] = convert(replacement[given], slot)
    if problems:
        raise _refusal(problems, inventory.file, element)
    for name in inventory.unused_parameters:
        if name not in fitted:
            fitted[name] = convert(inventory.parameters[name], _slot(name, inventory))
    return fitted


def as_stored(array: Array, slot: Slot) -> Array:
    """Return ``array`` in the element type of ``slot``, row by row in memory."""
    return np.ascontiguousarray(array, dtype=slot.dtype).reshape(slot.shape)


def missing_names(given: Mapping[str, object], inventory: Inventory) -> list[str]:
    """Return the parameters that ``given`` has neither under their names nor under aliases.

    Those that no output depends on need not be brought: the copies and the optimiser's variables
    that some exporters store are nobody's to compress.
    """
    known = {inventory.aliases.get(name, name) for name in given} | {*inventory.unused_parameters}
    return [name for name in inventory.parameters if name not in known]


def fits_shape(given: tuple[int, ...], wanted: tuple[int, ...], role: Role) -> bool:
    """Return whether a tensor of shape ``given`` can take the place of one of ``wanted``."""
    return given == wanted or (role is Role.SCALAR and math.prod(given) == 1)


def _mismatch(name: str, array: Array, inventory: Inventory) -> str | None:
    """Return what keeps ``array`` from taking the place of tensor ``name``, or None."""
    slot, role = _slot(name, inventory), inventory.roles[name]
    if not inventory.can_bring(name):
        return f"{name} cannot be replaced"
    if not fits_shape(array.shape, slot.shape, role):
        return f"{name} has shape {list(array.shape)}, the model {list(slot.shape)}"
    if role is Role.TOPOLOGY:
        equal = same_values(inventory.constants[name], array)
        return None if equal else f"{name} belongs to the topology, and has different values"
    if not holds(slot.dtype, array):
        return f"{name} is {array.dtype.name}, the model holds {slot.dtype.name}"
    return None


def _tie_problem(alias: str, name: str, replacement: Mapping[str, Array]) -> str | None:
    if np.array_equal(replacement[alias], replacement[name], equal_nan=True):
        return None
    return f"{alias} and {name} are one parameter of the model, and have different values"


def _slot(name: str, inventory: Inventory) -> Slot:
    stored = inventory.stored(name)
    return Slot(name, stored.dtype, stored.shape)


def _refusal(problems: list[str], file: str, element: str) -> ConformanceError:
    more = len(problems) - _MOST_SHOWN
    shown = [*problems[:_MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])]
    return ConformanceError(
        "the decoded tensors do not fit the model's parameters",
        where=Location(file=file, element=element),
        expected="one tensor for every parameter, with its shape, and of values it holds exactly",
        found="; ".join(shown),
        fix=(
            "Decode every parameter under the model's name for it (or give a name_map), in the "
            "model's shape, and in a type whose values the model's type holds exactly."
        ),
    )
