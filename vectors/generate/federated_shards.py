"""How the training scans of the digits are divided in ``digits-federated``, always alike.

The base network is trained on a few scans of every digit. The others lie on three devices, each of
which has mostly its own digits: no scan is in two parts, and none is a test scan.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from digits_data import Part, load_digits_split

OWN_DIGITS: Mapping[str, tuple[int, ...]] = {"a": (0, 1, 2, 3), "b": (4, 5, 6), "c": (7, 8, 9)}
"""The digits that each device mostly has."""
BASE_SCANS = 8
"""Scans of each digit that the base network is trained on."""
OWN_SHARE = 0.7
SEED = 2108


def load_shards() -> tuple[Part, dict[str, Part]]:
    """Return the scans of the base network, and those of each device by its name."""
    training, _ = load_digits_split()
    order = np.random.default_rng(SEED).permutation(len(training))
    base: list[int] = []
    shards: dict[str, list[int]] = {device: [] for device in OWN_DIGITS}
    for digit in range(10):
        scans = [int(index) for index in order if training.labels[index] == digit]
        base += scans[:BASE_SCANS]
        for device, share in _divide(digit, scans[BASE_SCANS:]).items():
            shards[device] += share
    return _part(training, base), {name: _part(training, chosen) for name, chosen in shards.items()}


def _divide(digit: int, scans: list[int]) -> dict[str, list[int]]:
    """Give the device whose digit it is the larger part, and the others one half of the rest."""
    owner = next(device for device, digits in OWN_DIGITS.items() if digit in digits)
    cut = round(OWN_SHARE * len(scans))
    half = (cut + len(scans)) // 2
    first, second = (device for device in OWN_DIGITS if device != owner)
    return {owner: scans[:cut], first: scans[cut:half], second: scans[half:]}


def _part(training: Part, chosen: list[int]) -> Part:
    return Part(training.images[sorted(chosen)], training.labels[sorted(chosen)])
