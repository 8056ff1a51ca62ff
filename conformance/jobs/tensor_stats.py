"""What is measured of each tensor: facts, likeness and error against the original's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from conformance.jobs.stored_network import StoredNetwork
from conformance.plan.results import (
    Difference,
    Likeness,
    Lossless,
    ParameterError,
    TensorFacts,
    UnlikeParameter,
)
from conformance.tensorfiles import Array, tensor_digest
from conformance.verdicts import JsonNumber, json_number

_ALWAYS_FINITE = "biuUSO"
_FINITE, _INFINITE, _NEGATIVE, _NO_NUMBER = range(4)


def tensor_facts(array: Array, original: Array | None) -> TensorFacts:
    """Return type, shape, digest, and the number of NaN and infinities the original lacks.

    One that the original has at the same place is not counted: a mask, a lower bound of -inf.
    """
    return TensorFacts(
        dtype=array.dtype.name,
        shape=array.shape,
        sha256=tensor_digest(array),
        non_finite=_non_finite(array, original),
    )


def all_finite(tensors: Mapping[str, TensorFacts]) -> bool:
    """Return whether no tensor has NaN or infinities that the original lacks."""
    return not any(facts.non_finite for facts in tensors.values())


def tensor_text(facts: TensorFacts) -> str:
    """Return type and shape as people write them: ``float32[16, 1, 3, 3]``."""
    return f"{facts.dtype}{list(facts.shape)}"


def lossless_comparison(
    tensors: Mapping[str, TensorFacts],
    *originals: Mapping[str, Array],
    converted: Mapping[str, str] = MappingProxyType({}),
) -> Lossless:
    """Return every tensor that differs from the original's of its name in shape or any bit.

    ``originals`` are its parameters and scalars. A tensor that came in a different type is compared
    as it is put into the network, in the parameter's type, which holds its values exactly:
    ``converted`` has its digest there. What is missing, and topology that differs, is reported by
    the coverage.
    """
    differences = []
    found = {name: held for held in originals for name in tensors.keys() & held.keys()}
    for name, held in sorted(found.items(), key=lambda item: item[0]):
        original, given = tensor_facts(held[name], None), tensors[name]
        if original.sha256 != converted.get(name, given.sha256):
            difference = Difference(
                tensor=name,
                expected=f"{tensor_text(original)}, sha256 {original.sha256}",
                found=f"{tensor_text(given)}, sha256 {given.sha256}",
            )
            differences.append(difference)
    return Lossless(len(tensors), tuple(differences))


def model_facts(network: StoredNetwork, original: StoredNetwork) -> dict[str, TensorFacts]:
    """Return the facts of every stored tensor of a sample that is itself a network.

    Those that are no parameters are ``optional``: their digests need not be claimed. Those of
    scalars are worth it.
    Its tools may have given a mask another name than the original's: one that has the shape, and
    the same NaN and infinities at the same places, as a tensor of the original is not counted.
    """
    own, masks = network.everything, _masks(original)
    facts = {name: tensor_facts(own[name], original.everything.get(name)) for name in sorted(own)}
    return {
        name: replace(
            each,
            non_finite=0 if each.non_finite and _mask(own[name]) in masks else each.non_finite,
            optional=name not in network.parameters,
            scalar=name in network.scalars,
        )
        for name, each in facts.items()
    }


def _masks(original: StoredNetwork) -> set[str | None]:
    """Return the digest of each tensor of the original that is not finite everywhere."""
    return {_mask(array) for array in original.everything.values()} - {None}


def _mask(array: Array) -> str | None:
    """Return the digest of shape, places and kinds of what is not finite; None without any."""
    kinds = _kinds(array)
    return tensor_digest(kinds) if kinds.any() else None


def _non_finite(array: Array, original: Array | None) -> int:
    kinds = _kinds(array)
    bad = kinds != _FINITE
    if original is not None and original.shape == array.shape and bad.any():
        bad &= kinds != _kinds(original)
    return int(bad.sum())


def _kinds(array: Array) -> Array:
    """Return what each value is: finite, infinite, negative infinite, or not a number (uint8)."""
    if array.dtype.kind in _ALWAYS_FINITE:
        return np.zeros(array.shape, np.uint8)
    if array.dtype.kind == "c":
        both: Array = _kinds(array.real) | _kinds(array.imag) << 2
        return both
    # Narrow types of ml_dtypes (int4, float8, bfloat16) are checked as float32.
    numbers = array if array.dtype.kind == "f" else array.astype(np.float32)
    kinds: Array = np.zeros(array.shape, np.uint8)
    if not np.isfinite(numbers).all():
        kinds[np.isposinf(numbers)] = _INFINITE
        kinds[np.isneginf(numbers)] = _NEGATIVE
        kinds[np.isnan(numbers)] = _NO_NUMBER
    return kinds


_RUN = 1 << 20
_NUMERIC = "biufcV"
_REAL = "iufV"
_FEWEST, _MOST = 64, 1 << 16
"""Values by which two parameters are compared."""


def tensor_error(decoded: Array, original: Array, stored_bits: int | None) -> ParameterError:
    """Return the error of one parameter against the original's, and what it costs.

    Errors are None for a different shape and for strings.
    """
    zeros, theirs, distances = None, None, _Distances(None, None, None)
    if decoded.dtype.kind in _NUMERIC:
        zeros = int(decoded.size - np.count_nonzero(decoded))
    if decoded.shape == original.shape and {decoded.dtype.kind, original.dtype.kind} <= {*_NUMERIC}:
        theirs = int(original.size - np.count_nonzero(original))
        distances = _distances(decoded, original)
    return ParameterError(
        values=int(decoded.size),
        max_abs_error=distances.max_abs,
        rms_error=distances.rms,
        relative_error=distances.relative,
        zeros=zeros,
        zeros_in_original=theirs,
        bits_per_parameter=_bits(stored_bits, decoded.size),
    )


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson's correlation of two tensors, and three standard deviations of shuffled values'."""

    correlation: float
    shuffled: float


def likeness(decoded: Array, original: Array) -> Correlation | None:
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
    return Correlation(float(ours @ theirs), 3 / math.sqrt(ours.size - 1))


def likeness_of(parameters: Mapping[str, Correlation]) -> Likeness:
    """Return how many parameters were compared, and those that are like shuffled ones."""
    unlike = (
        UnlikeParameter(name, found.correlation, found.shuffled)
        for name, found in sorted(parameters.items())
        if found.correlation <= found.shuffled
    )
    return Likeness(len(parameters), tuple(unlike))


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


@dataclass(frozen=True, slots=True)
class _Distances:
    max_abs: JsonNumber | None
    rms: JsonNumber | None
    relative: JsonNumber | None


def _distances(decoded: Array, original: Array) -> _Distances:
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
    return _Distances(
        json_number(largest),
        json_number(math.sqrt(squares / max(ours.size, 1))),
        json_number(_relative(squares, scale)),
    )


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _relative(squares: float, scale: float) -> float:
    if squares == 0.0:
        return 0.0
    return math.sqrt(squares / scale) if scale else math.inf


def _bits(stored: int | None, values: int) -> float | None:
    return stored / values if stored is not None and values else None
