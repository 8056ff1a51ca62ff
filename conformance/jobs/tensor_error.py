"""How far a decoded parameter lies from the original's."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from conformance.tensorfiles import Array
from conformance.verdicts import Json, json_number

_RUN = 1 << 20
_NUMERIC = "biufcV"
_REAL = "iufV"
_FEWEST, _MOST = 64, 1 << 16
"""Values by which two parameters are compared."""


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


def likeness(decoded: Array, original: Array) -> dict[str, float] | None:
    """Return how much a parameter rises and falls with the original's, None if nobody can say.

    ``correlation`` is Pearson's. That of values in random order has mean 0 and a standard deviation
    of exactly 1/sqrt(n - 1): three of these are ``shuffled``. What quantisation, pruning and low
    rank leave of a tensor is far more alike. Nobody can say for few or equal values.
    """
    kinds = {decoded.dtype.kind, original.dtype.kind}
    if decoded.shape != original.shape or not kinds <= {*_REAL} or decoded.size < _FEWEST:
        return None
    ours, theirs = _deviations(decoded), _deviations(original)
    if ours is None or theirs is None:
        return None
    return {
        "correlation": float(ours @ theirs),
        "shuffled": 3 / math.sqrt(ours.size - 1),
    }


def likeness_block(parameters: Mapping[str, Mapping[str, float]]) -> dict[str, Json]:
    """Return how many parameters were compared, and those that are like shuffled ones."""
    return {
        "compared": len(parameters),
        "unlike": [
            {"tensor": name, **found}
            for name, found in sorted(parameters.items())
            if found["correlation"] <= found["shuffled"]
        ],
    }


def _deviations(array: Array) -> Array | None:
    """Return values from all over a tensor less their mean, of length 1; None if all are equal."""
    flat = array.reshape(-1)
    some = flat[:: -(-flat.size // _MOST)].astype(np.float64)
    largest = np.abs(some).max()
    if not np.isfinite(largest) or not np.ptp(some):
        return None
    deviations = some / largest  # Neither overflows nor vanishes when it is squared.
    deviations -= deviations.mean()
    length = float(np.linalg.norm(deviations))
    return deviations / length if length else None


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
        "max_abs_error": json_number(largest),
        "rms_error": json_number(math.sqrt(squares / max(ours.size, 1))),
        "relative_error": json_number(_relative(squares, scale)),
    }


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _relative(squares: float, scale: float) -> float:
    if squares == 0.0:
        return 0.0
    return math.sqrt(squares / scale) if scale else math.inf


def _bits(stored: int | None, values: int) -> float | None:
    return stored / values if stored is not None and values else None
