"""Names and layouts of parameters: what a name map makes of the tensors of a sample.

The entries are those of a submission's ``name_map``. They are applied here for the models that are
written, without the code that is going to be checked with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Tensors: TypeAlias = dict[str, NDArray[np.float32]]
NameMap: TypeAlias = Sequence[Mapping[str, Any]]

CHANNELS_LAST = (0, 2, 3, 1)
"""Order of the axes of an image for TensorFlow, TensorFlow Lite and Keras."""


def renamed(sample: str, model: str, **layout: Sequence[int]) -> dict[str, Any]:
    """Return an entry for one tensor: ``transpose`` and ``reshape``, in this order."""
    return {"sample": sample, "model": model, **{key: [*value] for key, value in layout.items()}}


def arrange(tensors: Tensors, name_map: NameMap) -> Tensors:
    """Return the parameters that ``name_map`` leads to; what it does not name stays as it is."""
    left, arranged = dict(tensors), {}
    for entry in name_map:
        names = entry["sample"] if isinstance(entry["sample"], list) else [entry["sample"]]
        parts = [_lay_out(left.pop(name), entry) for name in names]
        arranged[entry["model"]] = _combine(parts, **entry.get("combine", {"how": "add"}))
    return arranged | left


def reorder_gates(values: NDArray[np.float32], order: str, own: str) -> NDArray[np.float32]:
    """Return ``values`` with the gates along the first axis, now as in ``own``, as in ``order``."""
    blocks = dict(zip(own, np.split(values, len(own)), strict=True))
    return np.concatenate([blocks[gate] for gate in order])


def _lay_out(values: NDArray[np.float32], entry: Mapping[str, Any]) -> NDArray[np.float32]:
    if "permute_gates" in entry:
        values = reorder_gates(values, entry["permute_gates"]["to"], entry["permute_gates"]["from"])
    if "transpose" in entry:
        values = values.transpose(entry["transpose"])
    values = np.ascontiguousarray(values)
    return values.reshape(entry["reshape"]) if "reshape" in entry else values


def _combine(parts: list[NDArray[np.float32]], how: str, axis: int = 0) -> NDArray[np.float32]:
    return sum(parts[1:], parts[0]) if how == "add" else np.concatenate(parts, axis)
