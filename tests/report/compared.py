"""Entries of rate_performance, updates, layered and compressed_inference, for tests of pages."""

from __future__ import annotations

from typing import Any


def point(sample: str, size: int, value: float, family: str = "nnc", **fields: Any) -> dict:
    return {
        "sample": sample,
        "layer": None,
        "family": family,
        "size": size,
        "parameter_factor": 154_321 / size,
        "value": value,
        "loss": 0.9722 - value,
        "dominated_by": [],
        **fields,
    }


def curve(**fields: Any) -> dict[str, Any]:
    return {
        "model": "digits-cnn",
        "metric": "top1",
        "vectors": "test",
        "direction": "higher",
        "reference": 0.9722,
        "noise_floor": 0.0028,
        "points": [
            point("coarse", 10_000, 0.94),
            point("fine", 20_000, 0.97),
            point("scalable", 15_000, 0.93, "layers", layer="base", dominated_by=["coarse"]),
            point("scalable", 30_000, 0.9722, "layers", layer="all"),
        ],
        "transparent": {"sample": "fine", "layer": None, "parameter_factor": 154_321 / 20_000},
        "bjontegaard": [
            {
                "anchor": "layers",
                "test": "nnc",
                "rate_percent": -33.3,
                "metric_difference": 0.012,
                "reason": "",
            },
            {
                "anchor": "nnc",
                "test": "tensors",
                "rate_percent": None,
                "metric_difference": None,
                "reason": "tensors has 1 point that no other of its points dominates",
            },
        ],
        **fields,
    }


def metric(value: Any, name: str = "top1", vectors: str = "test") -> dict[str, Any]:
    return {
        "metric": name,
        "vectors": vectors,
        "direction": "higher",
        "reference": 0.9722,
        "value": value,
    }


def step(sample: str, kind: str, round: int, *parents: str, **fields: Any) -> dict[str, Any]:
    return {
        "sample": sample,
        "kind": kind,
        "round": round,
        "parents": list(parents),
        "size": 3000,
        "cumulative_size": 40_000 + 3000 * round,
        "verdict": "pass",
        "metrics": [metric(0.9 + 0.01 * round)],
        **fields,
    }


def tree(**fields: Any) -> dict[str, Any]:
    return {
        "model": "digits-cnn",
        "root": "base",
        "steps": [
            step("base", "base", 0),
            step("device-a", "update", 1, "base"),
            step("device-b", "update", 1, "base", verdict="fail"),
            step("merged", "merge", 1, "device-a", "device-b", size=0),
            step("next", "update", 2, "merged"),
        ],
        "misapplications": {"planned": 9, "detected": 5, "undetected": 3},
        **fields,
    }


def chain(length: int) -> dict[str, Any]:
    """Return a tree of the original with one update after the other."""
    steps = [
        step(f"s{i}", "update", i + 1, *([f"s{i - 1}"] if i else []), cumulative_size=1000 * i)
        for i in range(length)
    ]
    return tree(root=None, steps=steps)


def layered(name: str = "scalable") -> dict[str, Any]:
    return {
        "sample": name,
        "model": "digits-cnn",
        "layers": [
            {
                "id": "base",
                "mode": "whole",
                "size": 9000,
                "cumulative_size": 9000,
                "metrics": [metric(0.91), metric(0.5, "kl")],
            },
            {
                "id": "fine",
                "mode": "add",
                "size": None,
                "cumulative_size": None,
                "metrics": [],
            },
        ],
    }


def inference(sample: str = "int8-qdq", vectors: str = "test") -> dict[str, Any]:
    def cost(seconds: float, peak: int) -> dict[str, Any]:
        return {
            "seconds": {"median": seconds, "low": seconds / 2, "high": seconds * 2},
            "peak_bytes": {"median": peak, "low": peak, "high": peak + 1024},
        }

    return {
        "sample": sample,
        "vectors": vectors,
        "rounds": 7,
        "items": 360,
        "original": cost(0.02, 8 * 1024 * 1024),
        "compressed": cost(0.005, 6 * 1024 * 1024),
    }
