"""Torch, torchmetrics and pycocotools, imported only by the metrics that need them."""

from __future__ import annotations

from typing import Any

from conformance import registry


def library(module: str, kind: str) -> Any:
    """Import and return ``module``; NotRunError with the command that installs it."""
    return registry.library(module, f"metric kind {kind!r}", "torchmetrics")


def deterministic_torch(kind: str) -> Any:
    """Return torch, set to one thread and to deterministic algorithms."""
    torch = library("torch", kind)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return torch
