"""How far a decoded parameter lies from the original's."""

from __future__ import annotations

import math

import numpy as np

from conformance.evaluation.numbers import plain
from conformance.tensorfiles import Array
from conformance.verdicts import Json

_RUN = 1 << 20
_NUMERIC = "biufcV"


def tensor_error(decoded: Array, original: Array, stored_bits: int | None) -> dict[str, Json]:
    """Return the error of one parameter against the original's, and what it costs.

    ``max_abs_error`` and ``rms_error`` are in units of the parameter, ``relative_error`` is the
    root of the quotient of the sums of squares of error and original; all are computed in float64.
    ``zeros`` counts values that are exactly zero, here and in the original. ``bits_per_parameter``
    is None where the codec does not tell what a tensor was decoded from. Errors are None for
    another shape and for texts.
    """
    facts: dict[str, Json] = {
        "values": int(decoded.size),
        "max_abs_error": None,
        "rms_error": None,
        "relative_error": None,
        "zeros": None,
        "zeros_in_original": None,
        "bits_per_parameter": _bits(stored_bits, decoded.size),
    }
    if decoded.dtype.kind in _NUMERIC:
        facts["zeros"] = int(decoded.size - np.count_nonzero(decoded))
    if decoded.shape == original.shape and {decoded.dtype.kind, original.dtype.kind} <= {*_NUMERIC}:
        facts["zeros_in_original"] = int(original.size - np.count_nonzero(original))
        facts |= _distances(decoded, original)
    return facts


def _distances(decoded: Array, original: Array) -> dict[str, Json]:
    largest, squares, scale = 0.0, 0.0, 0.0
    ours, theirs = decoded.reshape(-1), original.reshape(-1)
    for begin in range(0, ours.size, _RUN):
        reference = _wide(theirs[begin : begin + _RUN])
        with np.errstate(invalid="ignore", over="ignore"):
            # Equal values differ by nothing, where both are infinite or not a number as well.
            wide = _wide(ours[begin : begin + _RUN])
            same = (wide == reference) | (np.isnan(wide) & np.isnan(reference))
            error = np.where(same, 0.0, np.abs(wide - reference))
            largest = float(np.maximum(largest, error.max()))
            squares += float(np.sum(error * error))
            finite = reference[np.isfinite(reference)]
            scale += float(np.sum(np.abs(finite) ** 2))
    return {
        "max_abs_error": plain(largest),
        "rms_error": plain(math.sqrt(squares / max(ours.size, 1))),
        "relative_error": plain(_relative(squares, scale)),
    }


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _relative(squares: float, scale: float) -> float:
    if squares == 0.0:
        return 0.0
    return math.sqrt(squares / scale) if scale else math.inf


def _bits(stored: int | None, values: int) -> float | None:
    return stored / values if stored is not None and values else None
