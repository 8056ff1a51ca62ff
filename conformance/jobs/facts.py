"""Facts about decoded tensors, and their comparison with the original's bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from conformance.runtimes import Network
from conformance.tensorfiles import Array, tensor_digest
from conformance.verdicts import Json

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


def original_tensor(original: Network, name: str) -> Array | None:
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


def model_facts(network: Network, original: Network) -> dict[str, Facts]:
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


def _masks(original: Network) -> set[str | None]:
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
