"""Tensors joined to the parameters before them: differences added, or values put in their place.

A sum is computed in the parameter's own type, as a decoder on a device would: one rounding for
each element. What does not fit is told tensor by tensor, and then nothing is joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from conformance.jobs.coverage import problem, some
from conformance.runtimes.fitting import holds
from conformance.submission.values import Mode
from conformance.tensorfiles import Array, tensor_digest
from conformance.verdicts import ConformanceError, Json, Location

_INTEGERS = "iu"


def joined(
    before: Mapping[str, Array], tensors: Mapping[str, Array], mode: Mode, file: str
) -> dict[str, Array]:
    """Return the parameters after a step; those that ``tensors`` lack are the arrays before.

    ``tensors`` have been found to fit by :func:`misfits`. Raises ConformanceError where a sum of
    integers leaves their type.
    """
    after = dict(before)
    for name, array in tensors.items():
        converted = np.ascontiguousarray(array, dtype=before[name].dtype)
        if mode == "add":
            converted = _sum(before[name], converted, name, file)
        after[name] = converted.reshape(before[name].shape)
    return after


def misfits(
    before: Mapping[str, Array],
    tensors: Mapping[str, Array],
    file: str,
    *,
    mode: Mode = "add",
    owner: str = "update",
) -> Iterator[dict[str, Json]]:
    """Yield what keeps tensors from being joined: unknown names, other shapes, other types.

    ``owner`` is what they are part of, for people: an update or a layer.
    """
    names = sorted(before)
    written, joins = ("difference", "be added in") if mode == "add" else ("tensor", "be held by")
    for name in sorted(tensors):
        if name not in before:
            yield problem(
                name,
                file,
                f"the {owner} holds a tensor {name!r} that its base lacks",
                expected=f"parameters named {some(names)}",
                found=f"{tensors[name].dtype.name}{list(tensors[name].shape)}",
                fix="remove the tensor, or map its name with name_map",
            )
            continue
        array, base = tensors[name], before[name]
        if array.shape != base.shape:
            yield problem(
                name,
                file,
                f"tensor {name!r} of the {owner} has another shape than in its base",
                expected=str(list(base.shape)),
                found=str(list(array.shape)),
                fix=f"write the {written} in the layout of the base, or map it with name_map",
            )
        elif base.dtype.kind in "bUSO" or not _fits(base, array):
            yield problem(
                name,
                file,
                f"tensor {name!r} of the {owner} cannot {joins} the type of its base",
                expected=f"{base.dtype.name}, or a narrower type"
                if base.dtype.kind not in "bUSO"
                else "numbers",
                found=f"{array.dtype.name} for {base.dtype.name}",
                fix=f"decode the {written} to the type of the parameter",
            )


def altered(before: Mapping[str, Array], digests: Mapping[str, str]) -> list[str]:
    """Return the names of the arrays that no longer have the digests they had."""
    return sorted(name for name, array in before.items() if tensor_digest(array) != digests[name])


def _fits(base: Array, array: Array) -> bool:
    if base.dtype.kind in _INTEGERS and array.dtype.kind in _INTEGERS:
        return np.can_cast(array.dtype, base.dtype, "safe")
    return holds(base.dtype, array)


def _sum(base: Array, difference: Array, name: str, file: str) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        total: Array = np.add(base, difference, dtype=base.dtype)
    if base.dtype.kind in _INTEGERS and _wrapped(base, difference, total):
        raise ConformanceError(
            f"the sum for {name!r} leaves the type of the parameter",
            where=Location(file, element=name),
            expected=f"values that {base.dtype.name} holds",
            found="an overflow",
            fix="apply the update to the network that it was made for",
        )
    return total


def _wrapped(base: Array, difference: Array, total: Array) -> bool:
    """Say whether any element of a sum of integers went past the ends of its type."""
    grows = difference > 0
    return bool(np.any(np.where(grows, total < base, total > base)))
