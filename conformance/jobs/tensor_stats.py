"""What is found out about each tensor: facts, likeness and error against the original's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import final

import numpy as np

from conformance.jobs.name_map import FittedTensors
from conformance.jobs.stored_network import StoredNetwork
from conformance.runtimes.fitting import holds, same_values
from conformance.tensorfiles import Array, tensor_digest
from conformance.verdicts import Json, json_number

Facts = dict[str, Json]

_ALWAYS_FINITE = "biuUSO"
_FINITE, _INFINITE, _NEGATIVE, _NO_NUMBER = range(4)


def tensor_facts(array: Array, original: Array | None) -> Facts:
    """Return type, shape, digest, and the number of NaN and infinities the original lacks.

    One that the original has at the same place is not counted: a mask, a lower bound of -inf.
    """
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "sha256": tensor_digest(array),
        "non_finite": _non_finite(array, original),
    }


def original_tensor(original: StoredNetwork, name: str) -> Array | None:
    """Return the stored tensor of the original with this name, None without one."""
    return original.everything.get(name)


def tensor_text(facts: Mapping[str, Json]) -> str:
    """Return type and shape as people write them: ``float32[16, 1, 3, 3]``."""
    return f"{facts['dtype']}{facts['shape']}"


def lossless_comparison(
    tensors: Mapping[str, Facts],
    *originals: Mapping[str, Array],
    converted: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Json]:
    """Return every tensor that differs from the original's of its name in shape or any bit.

    ``originals`` are its parameters and scalars. A tensor that came in a different type is compared
    as it is put into the network, in the parameter's type, which holds its values exactly:
    ``converted`` has its digest there. What is missing, and topology that differs, is reported by
    the coverage.
    """
    differences = []
    found = {name: held for held in originals for name in tensors.keys() & held.keys()}
    for name, held in sorted(found.items(), key=lambda item: item[0]):
        original = tensor_facts(held[name], None)
        if original["sha256"] != converted.get(name, tensors[name]["sha256"]):
            difference = {
                "tensor": name,
                "expected": f"{tensor_text(original)}, sha256 {original['sha256']}",
                "found": f"{tensor_text(tensors[name])}, sha256 {tensors[name]['sha256']}",
            }
            differences.append(difference)
    return {"tensors": len(tensors), "differences": differences}


def model_facts(network: StoredNetwork, original: StoredNetwork) -> dict[str, Facts]:
    """Return the facts of every stored tensor of a sample that is itself a network.

    Those that are no parameters are ``optional``: their digests need not be claimed. Those of
    scalars are worth it.
    Its tools may have given a mask another name than the original's: one that has the shape, and
    the same NaN and infinities at the same places, as a tensor of the original is not counted.
    """
    own = network.everything
    facts = {name: tensor_facts(own[name], original_tensor(original, name)) for name in sorted(own)}
    for name in facts.keys() - network.parameters.keys():
        facts[name]["optional"] = True
    for name in network.scalars:
        facts[name]["scalar"] = True
    renamed = [name for name, each in facts.items() if each["non_finite"]]
    if renamed:
        masks = _masks(original)
        for name in renamed:
            if _mask(own[name]) in masks:
                facts[name]["non_finite"] = 0
    return facts


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


@final
class Survey:
    """Facts about the tensors of a sample, about the parameters made of them, and their errors.

    ``tensors`` are by the sample's names; ``fitted``, ``errors`` and ``likeness`` by the model's.
    Errors are of parameters that the network has; ``other_types`` names those in whose type they do
    not fit, and ``other_values`` the topology that differs from the original's. ``converted`` has
    the digests of those that came in a different type, in the type of their parameter.
    """

    def __init__(
        self,
        mapped: FittedTensors,
        network: StoredNetwork,
        stored_bits: Mapping[str, int],
    ) -> None:
        self._mapped = mapped
        self._stored = network.everything
        self._constants = network.constants
        self._stored_bits = stored_bits
        self._with_errors = False
        self.tensors: dict[str, Facts] = {}
        self.fitted: dict[str, Facts] = {}
        self.errors: dict[str, Json] = {}
        self.likeness: dict[str, dict[str, float]] = {}
        self.converted: dict[str, str] = {}
        self.other_types: set[str] = set()
        self.other_values: set[str] = set()

    def look_at(self, decoded: Mapping[str, Array], *, with_errors: bool) -> None:
        """Decode every tensor; those that are combined are decoded twice."""
        self._with_errors = with_errors
        for name in sorted(decoded):
            self._look_at_tensor(name, decoded[name])
        for name in self._mapped.made_of_several():
            self._keep(name, self._mapped[name])
        self._blame()

    def _look_at_tensor(self, name: str, array: Array) -> None:
        made = self._mapped.made_of(name)
        for parameter in made:
            self._keep(parameter, self._mapped.from_array(parameter, array))
        if len(made) == 1 and self._mapped.is_renamed(made[0]):
            self.tensors[name] = self.fitted[made[0]]
        else:
            self.tensors[name] = tensor_facts(array, None)

    def _blame(self) -> None:
        """Count values that are not finite in the sample's tensors as in the parameters they make.

        Where the original is not finite either is only known in the original's layout. Of several
        tensors those are blamed that are not finite themselves; all of them, if only their sum is
        not.
        """
        own = {name: facts["non_finite"] for name, facts in self.tensors.items()}
        counted: dict[str, int] = {}
        for parameter, facts in self.fitted.items():
            sources = dict.fromkeys(self._mapped.sources(parameter))
            for name in [each for each in sources if own[each]] or sources:
                counted[name] = counted.get(name, 0) + facts["non_finite"]
        for name, count in counted.items():
            self.tensors[name] = {**self.tensors[name], "non_finite": count}

    def _keep(self, parameter: str, array: Array) -> None:
        if parameter in self._constants:
            original = self._constants[parameter]
            self.fitted[parameter] = tensor_facts(array, original)
            if original.shape == array.shape and not same_values(original, array):
                self.other_values.add(parameter)
            return
        own = self._stored.get(parameter)
        self.fitted[parameter] = tensor_facts(array, own)
        if own is None:
            return
        if not holds(own.dtype, array):
            self.other_types.add(parameter)
        elif not self._with_errors and own.dtype != array.dtype and own.size == array.size:
            self.converted[parameter] = tensor_digest(array.astype(own.dtype).reshape(own.shape))
        if self._with_errors:
            self.errors[parameter] = tensor_error(array, own, self._bits_of(parameter))
            if (found := likeness(array, own)) is not None:
                self.likeness[parameter] = found

    def _bits_of(self, parameter: str) -> int | None:
        bits = [self._stored_bits.get(name) for name in self._mapped.sources(parameter)]
        known = [each for each in bits if each is not None]
        return sum(known) if len(known) == len(bits) else None


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
