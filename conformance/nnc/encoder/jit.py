"""Compilation of the encoder's kernels: as the decoder's, in a cache folder of their own."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit

from conformance.nnc.cabac import jit

Function = TypeVar("Function")
HERE = Path(__file__).parent


class EncoderLocator(jit.KernelLocator):
    """Tells numba where the compiled form of an encoder's function is kept."""

    def get_cache_path(self) -> str:
        """Return the folder."""
        return str(cache_folder())


def kernel(function: Function) -> Function:
    """Compile ``function`` at its first call; it runs without the interpreter's lock."""
    config: Any = numba.config
    before = config.CACHE_LOCATOR_CLASSES
    config.CACHE_LOCATOR_CLASSES = f"{__name__}.{EncoderLocator.__name__}"
    try:
        compile_: Any = njit(nogil=True, error_model="numpy", cache=cache_folder() is not None)
        compiled: Function = compile_(function)
    finally:
        config.CACHE_LOCATOR_CLASSES = before
    return compiled


def inline(function: Function) -> Function:
    """Make a helper part of every kernel that uses it."""
    compile_: Any = njit(inline="always")
    helper: Function = compile_(function)
    return helper


@cache
def cache_folder() -> Path | None:
    """Return the folder of compiled kernels, None where none can be written."""
    decoder = jit.cache_folder()
    if decoder is None:
        return None
    digest = hashlib.sha256(decoder.name.encode())
    for source in sorted(HERE.glob("*.py")):
        digest.update(source.read_bytes())
    folder = decoder.with_name(f"nnc-encoder-{digest.hexdigest()[:16]}")
    return folder if jit.is_writable(folder) else None
