"""Tensors for the bitstream vectors: trained weights, and arrays made from a seed.

The same arrays every time, with the NumPy of ``requirements.lock``: a stream depends on them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Array: TypeAlias = NDArray[Any]
Tensors: TypeAlias = dict[str, Array]

OFTEN, REPEATED, ELSEWHERE = 0.25, 0.8, 0.03
"""Of an update: the share of places that change often, how often they do, and how often others."""
WEIGHTS = Path(__file__).resolve().parent / "digits_cnn_weights.safetensors"


def trained(*names: str) -> Tensors:
    """Return the trained weights of digits-cnn in the order of ``names``; all of them for none."""
    weights = load_file(WEIGHTS)
    return {name: weights[name] for name in (names or sorted(weights))}


def laplacian(*shape: int, seed: int = 1, scale: float = 0.04) -> NDArray[np.float32]:
    """Return independent Laplacian values, as the weights of a trained network nearly are."""
    drawn = np.random.default_rng(seed).random(shape)
    centred = drawn - 0.5
    values = -scale * np.sign(centred) * np.log1p(-2 * np.abs(centred) + 1e-12)
    return values.astype(np.float32)


def sparse(*shape: int, seed: int = 2, kept: float = 0.2) -> NDArray[np.float32]:
    """Return Laplacian values of which the share ``kept`` is not zero."""
    mask = np.random.default_rng(seed).random(shape) < kept
    return np.where(mask, laplacian(*shape, seed=seed + 1), 0).astype(np.float32)


def with_empty_rows(values: NDArray[np.float32], every: int = 3) -> NDArray[np.float32]:
    """Return ``values`` with every row zero but one in ``every``."""
    kept = np.arange(values.shape[0]) % every == 0
    return np.where(kept.reshape(-1, *[1] * (values.ndim - 1)), values, 0).astype(np.float32)


def shared(*shape: int, values: tuple[float, ...], seed: int = 3) -> NDArray[np.float32]:
    """Return an array of a few shared ``values``, the first most often."""
    weights = 1 / np.arange(1, len(values) + 1)
    bounds = np.cumsum(weights / weights.sum())
    drawn = np.random.default_rng(seed).random(shape)
    return np.asarray(values, np.float32)[np.searchsorted(bounds[:-1], drawn)]


def steps(*shape: int, low: int, high: int, seed: int = 4) -> NDArray[np.int32]:
    """Return integers between ``low`` and ``high``, both included, all equally likely."""
    drawn = np.random.default_rng(seed).random(shape)
    return (low + np.floor(drawn * (high - low + 1))).astype(np.int32)


def scaling(size: int, seed: int = 5) -> NDArray[np.float32]:
    """Return positive factors around one, such as local scaling or a batch norm's gamma."""
    return (1 + 0.2 * (np.random.default_rng(seed).random(size) - 0.5)).astype(np.float32)


def drifting(values: NDArray[np.float32], count: int, seed: int = 6) -> list[NDArray[np.float32]]:
    """Return ``count`` sparse updates of ``values`` whose places repeat from update to update."""
    random = np.random.default_rng(seed)
    often = random.random(values.shape) < OFTEN
    updates = []
    for number in range(count):
        now = random.random(values.shape) < np.where(often, REPEATED, ELSEWHERE)
        update = laplacian(*values.shape, seed=seed + 1 + number, scale=0.02)
        updates.append(np.where(now, update, 0).astype(np.float32))
    return updates
