"""The packages that NNEF needs, imported when they are: nnef, nnef_tools and PyTorch."""

from __future__ import annotations

from typing import Any

from conformance.runtimes.libraries import library, versions_of

_FORMAT = "nnef"


def imported(module: str) -> Any:
    """Import and return ``module``; NotRunError with the command that installs it."""
    return library(module, _FORMAT, _FORMAT)


def versions() -> dict[str, str]:
    """Return the versions of the packages that compute."""
    return versions_of("nnef", "nnef_tools", "torch", "numpy")
