"""Torch, torchmetrics and pycocotools, imported only by the metrics that need them."""

from __future__ import annotations

import importlib
from typing import Any

from conformance.verdicts import NotRunError

INSTALL = "pip install 'nnr-conformance[torchmetrics]'"


def optional(module: str, kind: str) -> Any:
    """Import and return ``module``; NotRunError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise NotRunError(
            f"metric kind {kind!r} needs {library}, which cannot be imported",
            expected=f"{library} is installed",
            found=str(error),
            fix=f"Run: {INSTALL}",
        ) from error


def deterministic_torch(kind: str) -> Any:
    """Return torch, set to one thread and to deterministic algorithms."""
    torch = optional("torch", kind)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return torch
