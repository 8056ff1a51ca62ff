"""Open a file of named arrays by its suffix, or an open file by its format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias, get_args

from conformance.tensorfiles._file import TensorFile
from conformance.tensorfiles._lfs import LFS_BYTES, refuse_lfs_pointer
from conformance.tensorfiles._npz import read_npz
from conformance.tensorfiles._safetensors import read_safetensors
from conformance.tensorfiles._tensorproto import read_tensorproto
from conformance.verdicts import Location, MalformedError, UnsupportedError

Format: TypeAlias = Literal["safetensors", "npz"]
"""A format that holds any number of named arrays."""

FORMATS: tuple[Format, ...] = get_args(Format)
_READERS: dict[Format, Callable[[BinaryIO, str, int], TensorFile]] = {
    "safetensors": read_safetensors,
    "npz": read_npz,
}


def open_tensors(path: Path, *, display: str, limit_bytes: int) -> TensorFile:
    """Open the ``.safetensors``, ``.npz`` or ``.pb`` file at ``path``.

    ``display`` is how errors name the file. All arrays together may take ``limit_bytes``; a
    LimitError is raised before memory is allocated for more. A file that its format does not
    allow is a MalformedError, a different kind of file an UnsupportedError. The name of a
    TensorProto without one is the empty string.
    """
    suffix = path.suffix.lower()
    if suffix not in {".pb", *(f".{known}" for known in FORMATS)}:
        raise UnsupportedError(
            "files of this kind are not read as arrays",
            where=Location(file=display),
            expected="a file that ends in .safetensors, .npz or .pb",
            found=suffix or "a name without a suffix",
            fix="Store the arrays in one of these formats, and name the file after it.",
        )
    file = open_file(path, display)
    if suffix == ".pb":
        with file:
            return read_tensorproto(file, display, limit_bytes)
    return read_tensors(
        file, "npz" if suffix == ".npz" else "safetensors", display=display, limit_bytes=limit_bytes
    )


def read_tensors(file: BinaryIO, format: Format, *, display: str, limit_bytes: int) -> TensorFile:
    """Read the open ``file`` as ``format``; the result takes the file over and closes it."""
    try:
        tensors = _READERS[format](file, display, limit_bytes)
    except BaseException:
        file.close()
        raise
    if format == "safetensors":
        file.close()
    return tensors


def open_file(path: Path, display: str) -> BinaryIO:
    """Open a submitted file for reading; a MalformedError says why it cannot be."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise MalformedError(
            "the file cannot be opened",
            where=Location(file=display),
            expected="a readable file",
            found=error.strerror or str(error),
            fix="Put the file in its place, or correct its path, and make it readable.",
        ) from error
    try:
        refuse_lfs_pointer(file.peek(LFS_BYTES), display)
    except MalformedError:
        file.close()
        raise
    return file
