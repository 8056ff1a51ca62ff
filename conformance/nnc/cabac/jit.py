"""Compilation of the kernels, with a cache that suits an installed package.

Numba's own cache looks only at the file of the function that is compiled, not at those it takes
helpers from, and refuses to work where nothing is writable. So the kernels have a folder named
after everything they depend on: the sources of this package, the versions of numba and the
processor. It is next to the sources if that can be written, else in the user's cache; where neither
can, the kernels are compiled anew in each process. The encoder's kernels have their own folder
next to it.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numba
from numba import njit
from platformdirs import user_cache_path

Function = TypeVar("Function", bound=Callable[..., Any])

KERNELS: Final[list[Any]] = []
"""Every compiled entry into the decoder's kernels."""
HERE: Final = Path(__file__).parent
KERNEL_COUNT: Final = 6
"""How many there are, known before they are."""

inline: Final[Callable[[Callable[..., Any]], Any]] = njit(forceinline=True, error_model="numpy")
"""Decorate a helper that becomes part of every kernel that uses it."""


def expand(function: Function) -> Function:
    """Put a helper into its caller before that is compiled.

    Nothing is compiled twice, which pays for what is large and used once.
    """
    compile_: Any = njit(inline="always")
    helper: Function = compile_(function)
    return helper


def kernel(function: Function) -> Function:
    """Compile ``function`` at its first call; it runs without the interpreter's lock."""
    package = package_of(function)
    config: Any = numba.config
    before = config.CACHE_LOCATOR_CLASSES
    config.CACHE_LOCATOR_CLASSES = f"{__name__}.{KernelLocator.__name__}"
    try:
        is_kept = folder_of(package) is not None
        compile_: Any = njit(nogil=True, error_model="numpy", cache=is_kept)
        compiled: Function = compile_(function)
    finally:
        config.CACHE_LOCATOR_CLASSES = before
    if package == HERE:
        KERNELS.append(compiled)
    return compiled


class KernelLocator:
    """Says to numba where the compiled form of a function is kept."""

    def __init__(self, package: Path, line: int) -> None:
        self.package = package
        self.line = line

    @classmethod
    def from_function(cls, function: Callable[..., Any], _source: str) -> KernelLocator:
        """Return the locator of a function."""
        return cls(package_of(function), function.__code__.co_firstlineno)

    def get_cache_path(self) -> str:
        """Return the folder."""
        return str(folder_of(self.package))

    def get_source_stamp(self) -> str:
        """Return what the sources are known by: the folder is theirs alone."""
        return ""

    def get_disambiguator(self) -> str:
        """Return what distinguishes functions of the same name."""
        return str(self.line)

    def ensure_cache_path(self) -> None:
        """Do nothing: the folder was looked at before."""


def package_of(function: Callable[..., Any]) -> Path:
    """Return the folder of the source of a function."""
    return Path(function.__code__.co_filename).parent


@cache
def folder_of(package: Path) -> Path | None:
    """Return the folder of the compiled kernels of a package, which may use those of this one."""
    decoder = cache_folder()
    if decoder is None or package == HERE:
        return decoder
    digest = hashlib.sha256(decoder.name.encode())
    for source in sorted(package.glob("*.py")):
        digest.update(source.read_bytes())
    folder = decoder.with_name(f"nnc-{package.name}-{digest.hexdigest()[:16]}")
    return folder if is_writable(folder) else None


@cache
def cache_folder() -> Path | None:
    """Return the folder of the decoder's compiled kernels, None where none can be written."""
    name = f"nnc-{environment_digest()}"
    for parent in (HERE / "__pycache__", user_cache_path("nnr-conformance") / "kernels"):
        folder = parent / name
        if is_complete(folder) or is_writable(folder):
            return folder
    return None


def environment_digest() -> str:
    """Return a short digest of the sources, the compiler and the processor."""
    digest = hashlib.sha256()
    for source in sorted(HERE.glob("*.py")):
        digest.update(source.read_bytes())
    config: Any = numba.config  # NUMBA_CPU_NAME and NUMBA_CPU_FEATURES go before the processor's
    features = config.CPU_FEATURES
    host = (
        config.CPU_NAME or llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten() if features is None else features,
    )
    digest.update(repr((numba.__version__, sys.version_info[:3], host)).encode())
    return digest.hexdigest()[:16]


def is_writable(folder: Path) -> bool:
    """Return whether files can be made in ``folder``; it is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def is_complete(folder: Path) -> bool:
    """Return whether a folder has every kernel: each has an index there."""
    return sum(1 for _ in folder.rglob("*.nbi")) >= KERNEL_COUNT


def is_compiled() -> bool:
    """Return whether every kernel can be used at once; if not, they are compiled first.

    That takes some seconds, once for an installation if anything there can be written.
    """
    folder = cache_folder()
    loaded = len(KERNELS) == KERNEL_COUNT and all(compiled.signatures for compiled in KERNELS)
    return loaded or (folder is not None and is_complete(folder))


@cache
def announce_compilation() -> None:
    """Log, once in a process, that kernels are about to be compiled, if they are."""
    if not is_compiled():
        logging.getLogger("conformance.nnc").warning(
            "Compiling the NNC decoder, once after installation: about ten seconds"
        )
