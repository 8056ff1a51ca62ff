"""The libraries of the model formats, imported only by the runtimes that need them."""

from __future__ import annotations

import functools
import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from conformance import registry

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""Set before TensorFlow is imported: no log, no GPU, and no kernels that are chosen at run time."""


def library(module: str, format: str, extra: str) -> Any:
    """Import and return ``module``, which the model format ``format`` is run with.

    Raises NotRunError with the command that installs it: the package's ``extra``.
    """
    os.environ.update(QUIET)
    return registry.library(module, f"the model format {format!r}", extra)


def versions_of(*distributions: str) -> dict[str, str]:
    """Return the installed version of each distribution; one that is not installed is left out."""
    found = {name: _version_of(name) for name in distributions}
    return {name: version for name, version in found.items() if version is not None}


@functools.cache
def _version_of(distribution: str) -> str | None:
    """Return the version, cached: a network is opened often, and finding it parses a file."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
