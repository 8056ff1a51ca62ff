"""Compare the original's outputs with those that the vectors declare.

How far they may differ is bounded by what was measured (:class:`Magnitudes`), not by what is
declared: outputs that are declared zero, or one that lies far out, widen nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from conformance.plan.results import OutputRow
from conformance.submission.tolerances import WIDEST
from conformance.submission.values import OutputTolerance
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Location, json_number

_INTEGERS = "biu"
ATOL_OF_ZEROS = 1e-5
"""The largest absolute tolerance of an output that is zero on all items."""
_BELOW_1 = 0.999


@dataclass(slots=True)
class _Comparison:
    file: str
    values: int = 0
    violations: int = 0
    max_abs: float = 0.0
    scale: float = 0.0
    worst: str = ""


@dataclass(slots=True)
class OutputComparison:
    """Differences between measured and declared outputs, gathered shard by shard."""

    tolerance: OutputTolerance
    _by_name: dict[str, _Comparison] = field(default_factory=dict)

    def add(self, name: str, file: str, measured: Array, declared: Array) -> None:
        """Compare one output of one shard; :class:`ConformanceError` if the shapes differ."""
        if measured.shape != declared.shape:
            raise ConformanceError(
                f"output {name!r} has another shape than the declared one",
                where=Location(file, element=name),
                expected=f"{tuple(declared.shape)}, as declared",
                found=f"{tuple(measured.shape)}",
                fix="submit the outputs of this very network on these inputs",
            )
        known = self._by_name.setdefault(name, _Comparison(file))
        difference, wrong = self._differences(measured, declared)
        known.values += measured.size
        known.violations += int(wrong.sum())
        known.scale = max(known.scale, _scale(declared))
        if measured.size and (worst := float(difference.max())) > known.max_abs:
            place = np.unravel_index(int(difference.argmax()), measured.shape)
            known.file, known.max_abs = file, worst
            known.worst = str([int(axis) for axis in place])

    def _differences(self, measured: Array, declared: Array) -> tuple[Array, Array]:
        """Return absolute differences (infinite where only one is a number) and which are wrong."""
        if not (_is_numeric(measured) and _is_numeric(declared)):
            wrong = measured.astype(str) != declared.astype(str)
            return wrong.astype(np.float64), wrong
        same = equal_numbers(measured, declared)
        if "b" in (measured.dtype.kind, declared.dtype.kind):
            return (~same).astype(np.float64), ~same
        a, b = wide(measured), wide(declared)
        # Integers count or name something: being near in proportion to their size means nothing.
        rtol = 0.0 if measured.dtype.kind in "iu" else self.tolerance.rtol
        with np.errstate(invalid="ignore"):
            difference = np.where(same, 0.0, np.abs(a - b))
            allowed = self.tolerance.atol + rtol * np.abs(b)
        difference[np.isnan(difference)] = np.inf
        # Large integers may differ where float64 does not tell them apart.
        difference[~same & (difference == 0)] = 1.0
        within = np.isfinite(difference) & (difference <= allowed)
        return difference, ~same & ~within

    def rows(self) -> dict[str, OutputRow]:
        """Return what was found, by output name."""
        return {
            name: OutputRow(
                file=known.file,
                values=known.values,
                violations=known.violations,
                max_abs=json_number(known.max_abs),
                scale=known.scale,
                worst=known.worst,
            )
            for name, known in self._by_name.items()
        }


@dataclass(slots=True)
class Magnitudes:
    """How large the outputs of a network are, item by item: one number for each is kept.

    ``batched`` says whether axis 0 counts items; if not, an array is one item.
    """

    batched: bool
    _by_name: dict[str, list[Array]] = field(default_factory=dict)
    _integers: set[str] = field(default_factory=set)

    def add(self, outputs: Mapping[str, Array]) -> None:
        """Take in the outputs of a shard; those that are compared by equality have no magnitude."""
        for name, array in outputs.items():
            if _is_numeric(array) and array.dtype.kind != "b":
                items = len(array) if self.batched else 1
                self._by_name.setdefault(name, []).append(_rms_of_items(array, items))
                self._integers |= {name} if array.dtype.kind in "iu" else set()

    def widest_atol(self, name: str) -> float | None:
        """Return the largest ``atol`` that says something about an output.

        It is :data:`~conformance.submission.tolerances.WIDEST` of the median of the items' root
        mean squares; over the items that are not zero, if that is 0. Below 1 it lets no integer be
        another, so that any such ``atol`` will do. None stands for what is compared by equality.
        """
        if name not in self._by_name:
            return None
        sizes = np.concatenate(self._by_name[name])
        if not (sizes.size and (median := float(np.median(sizes)))):
            sizes = sizes[sizes > 0]
            median = float(np.median(sizes)) if sizes.size else 0.0
        widest = WIDEST * median if median else ATOL_OF_ZEROS
        return max(widest, _BELOW_1) if name in self._integers else widest


def _rms_of_items(array: Array, items: int) -> Array:
    """Return the root mean square of the finite values of each item that has some.

    Values are divided by the item's largest before they are squared, so that none overflows.
    """
    values = np.abs(wide(array)).reshape(items, array.size // max(items, 1))
    finite = np.isfinite(values)
    values = np.where(finite, values, 0.0)[finite.any(axis=1)]
    counts = finite.sum(axis=1)[finite.any(axis=1)]
    peaks = values.max(axis=1, initial=0.0)
    scaled = values / np.where(peaks > 0, peaks, 1.0)[:, None]
    return np.asarray(peaks * np.sqrt(np.square(scaled).sum(axis=1) / counts))


def wide(array: Array) -> Array:
    """Return numbers in double precision: complex ones keep both their parts."""
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def equal_numbers(a: Array, b: Array) -> Array:
    """Say of each pair of numbers whether they are equal, or both not a number."""
    if a.dtype.kind in _INTEGERS and b.dtype.kind in _INTEGERS:
        return np.asarray(a == b)
    a, b = wide(a), wide(b)
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))


def same_arrays(a: Array, b: Array) -> bool:
    """Return whether two arrays hold the same, in whatever types; NaN is equal to NaN."""
    if a.shape != b.shape:
        return False
    if not (_is_numeric(a) and _is_numeric(b)):
        return bool((a.astype(str) == b.astype(str)).all())
    return bool(equal_numbers(a, b).all())


def _scale(declared: Array) -> float:
    """Return the largest finite magnitude of the declared values; 0 where they are none."""
    if not _is_numeric(declared):
        return 0.0
    magnitudes = np.abs(wide(declared))
    return float(magnitudes.max(initial=0.0, where=np.isfinite(magnitudes)))


def _is_numeric(array: Array) -> bool:
    return array.dtype.kind not in "USO"
