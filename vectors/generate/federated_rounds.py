"""The rounds of ``digits-federated``: what the devices trained, and the networks that come of it.

``train_federated`` wrote the committed file that :func:`load_rounds` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from federated_shards import OWN_DIGITS, load_shards
from numpy.typing import NDArray
from safetensors.numpy import load_file

WEIGHTS = Path(__file__).resolve().parent / "digits_federated_weights.safetensors"
ROUNDS = 5
FROZEN_ROUND = 4
FROZEN_LAYERS = ("conv1", "bn1")
"""The layers that no device trains in one of the rounds."""

Arrays: TypeAlias = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Round:
    """The network of each device after a round, by its name, and the shared one."""

    devices: Mapping[str, Arrays]
    shared: Arrays


def load_rounds() -> tuple[Arrays, list[Round]]:
    """Return the base network and the rounds, float32, before anything is compressed."""
    stored = load_file(WEIGHTS)
    base = {name: values for name, values in stored.items() if "/" not in name}
    scans, rounds, shared = scan_counts(), [], base
    for number in range(1, ROUNDS + 1):
        devices = {
            device: {name: shared[name] + stored[f"{device}-{number}/{name}"] for name in shared}
            for device in OWN_DIGITS
        }
        shared = merge(devices, scans)
        rounds.append(Round(devices, shared))
    return base, rounds


def is_frozen(name: str) -> bool:
    """Return whether a parameter is of a layer that stands still in one of the rounds."""
    return name.partition(".")[0] in FROZEN_LAYERS


def scan_counts() -> dict[str, int]:
    """Return the number of training scans of each device: the weights of a merge."""
    return {device: len(part) for device, part in load_shards()[1].items()}


def merge(networks: Mapping[str, Arrays], weights: Mapping[str, float]) -> Arrays:
    """Return the weighted mean of ``networks``, in float64 and their order, rounded once."""
    total = sum(weights.values())
    names = next(iter(networks.values()))
    return {
        name: np.asarray(
            sum(weights[key] * one[name].astype(np.float64) for key, one in networks.items())
            / total
        ).astype(np.float32)
        for name in names
    }
