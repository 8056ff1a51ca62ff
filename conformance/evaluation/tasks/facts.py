"""Facts about decoded tensors, and their comparison with the original's bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from conformance.tensorfiles import Array, tensor_digest
from conformance.verdicts import Json

Facts = dict[str, Json]


def tensor_facts(array: Array, original: Array | None) -> Facts:
    """Return type, shape, digest, and how many values are not finite though the original's are."""
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "sha256": tensor_digest(array),
        "non_finite": _non_finite(array, original),
    }


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


def _non_finite(array: Array, original: Array | None) -> int:
    """Count NaN and infinite values, but for those where the original has one as well (masks)."""
    if array.dtype.kind in "biuUSO":
        return 0
    bad = ~_finite(array)
    if original is not None and original.shape == array.shape:
        bad &= _finite(original)
    return int(bad.sum())


def _finite(array: Array) -> Array:
    # Narrow types of ml_dtypes (int4, float8, bfloat16) are checked as float32.
    numbers = array if array.dtype.kind in "fc" else array.astype(np.float32)
    finite: Array = np.isfinite(numbers)
    return finite
