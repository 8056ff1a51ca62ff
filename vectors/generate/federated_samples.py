"""The samples of ``digits-federated``: its NNC streams, the merges of each round, the deltas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bundle import Sample
from chain_streams import read_stream
from compression import DEEP_CABAC, by_nncodec, method
from federated_deltas import delta_samples
from federated_hashed import hashed_samples
from federated_rounds import FROZEN_ROUND, ROUNDS, scan_counts
from federated_streams import BASE, DEVICE_IDS, STEM


def federated_samples() -> list[Sample]:
    """Return the samples: every one after those that it builds on."""
    return [_base(), *_rounds(), *hashed_samples(), *delta_samples()]


def _base() -> Sample:
    return Sample(
        id=BASE,
        title="The base network as NNC, which the updates lead on from",
        codec="nnc",
        files={f"{BASE}.nnc": read_stream(STEM, BASE)},
        method=by_nncodec(
            "All parameters of the base network coded by NNCodec; each has a node of depth 0.",
            "dependent quantisation with 8 states, step 6/2048 for weights",
            "the same with step 6/262144 for tensors of one dimension",
        ),
    )


def _rounds() -> Iterator[Sample]:
    shared = BASE
    for number in range(1, ROUNDS + 1):
        yield from (_device(device, number, shared) for device in DEVICE_IDS)
        yield _merged(number)
        parent, shared = shared, f"nnc-global-{number}"
        yield Sample(
            id=shared,
            title=f"Round {number}: what the server sends to all devices",
            codec="nnc",
            files={f"{shared}.nnc": read_stream(STEM, shared)},
            method=_updating(
                "How the merged network differs from the shared one before, as NNC differences."
            ),
            extra={"update_of": {"sample": parent}},
        )


def _device(device: str, number: int, shared: str) -> Sample:
    sent = f"nnc-{device}-{number}"
    still = "; the first layer stands still" if number == FROZEN_ROUND else ""
    update = {"sample": shared}
    if number > 1:
        update["contexts_of"] = f"nnc-{device}-{number - 1}"
    return Sample(
        id=sent,
        title=f"Round {number}: what device {device} learnt from its own scans{still}",
        codec="nnc",
        files={f"{sent}.nnc": read_stream(STEM, sent)},
        method=_updating(
            "How training on one device changed the shared network, as NNC differences."
        ),
        extra={"update_of": update},
    )


def _updating(summary: str) -> dict[str, Any]:
    return by_nncodec(
        summary,
        "dependent quantisation with 8 states, step 4/512 for weights",
        "the same with step 6/32768 for tensors of one dimension",
        coding=(*DEEP_CABAC, "temporal contexts, history-dependent significance and row skip"),
        retraining=True,
    )


def _merged(number: int) -> Sample:
    branches: list[dict[str, Any]] = [
        {"sample": f"nnc-{device}-{number}", "weight": scans}
        for device, scans in scan_counts().items()
    ]
    return Sample(
        id=f"nnc-merged-{number}",
        title=f"Round {number}: the mean of the three devices",
        codec="",
        files={},
        method=method(
            "The mean of the networks of the devices, by the numbers of their training scans.",
            retraining=True,
        ),
        extra={"merge_of": branches},
    )
