"""Compare the original's outputs with those that the vectors declare."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from conformance.evaluation.numbers import plain
from conformance.submission.values import OutputTolerance
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Json, Location

_INTEGERS = "biu"


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
                mend="submit the outputs of this very network on these inputs",
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
        if not _is_numeric(measured) or not _is_numeric(declared):
            wrong = measured.astype(str) != declared.astype(str)
            return wrong.astype(np.float64), wrong
        a, b = wide(measured), wide(declared)
        same = equal_numbers(measured, declared)
        with np.errstate(invalid="ignore"):
            difference = np.where(same, 0.0, np.abs(a - b))
            allowed = self.tolerance.atol + self.tolerance.rtol * np.abs(b)
        difference[np.isnan(difference)] = np.inf
        # Large integers may differ where float64 does not tell them apart.
        difference[~same & (difference == 0)] = 1.0
        within = np.isfinite(difference) & (difference <= allowed)
        return difference, ~same & ~within

    def to_json(self) -> dict[str, Json]:
        """Return what was found, by output name."""
        return {
            name: {
                "file": known.file,
                "values": known.values,
                "violations": known.violations,
                "max_abs": plain(known.max_abs),
                "scale": known.scale,
                "worst": known.worst,
            }
            for name, known in self._by_name.items()
        }


def wide(array: Array) -> Array:
    """Return numbers in double precision: complex ones keep both their parts."""
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def equal_numbers(a: Array, b: Array) -> Array:
    """Say of each pair of numbers whether they are equal, or both not a number."""
    if a.dtype.kind in _INTEGERS and b.dtype.kind in _INTEGERS:
        return np.asarray(a == b)
    a, b = wide(a), wide(b)
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))


def _scale(declared: Array) -> float:
    """Return the largest finite magnitude of the declared values; 0 for texts."""
    if not _is_numeric(declared):
        return 0.0
    magnitudes = np.abs(wide(declared))
    return float(magnitudes.max(initial=0.0, where=np.isfinite(magnitudes)))


def _is_numeric(array: Array) -> bool:
    return array.dtype.kind not in "USO"
