"""A state dict on its own: the tensors of a ``.pt`` or a ``.safetensors`` file, by name.

Neither kind is loaded by PyTorch. The pickle in a ``.pt`` is read by :mod:`pickled`, so that what
``torch.load`` would run with or without ``weights_only`` is never run at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.runtimes._protocol import Array, Unread
from conformance.runtimes.pytorch.archive import Archive
from conformance.runtimes.pytorch.pickled import MAX_BYTES, Place, read_pickle
from conformance.runtimes.pytorch.stored import StoredTensors, sort_tensors, unread_storage
from conformance.runtimes.pytorch.values import Tensor, Value
from conformance.tensorfiles import open_tensors
from conformance.verdicts import ConformanceError, Location, MalformedError, UnsupportedError

SAFETENSORS = ".safetensors"
_DATA = re.compile(r"data/\w+", re.ASCII)
_NEEDED = ("data.pkl",)
_SMALL = (
    *("byteorder", "version", ".data/serialization_id", ".data/version"),
    *(".format_version", ".storage_alignment"),
)
_MAX_SMALL = 1024
_LONGEST_NAME = 1024
_ENTRY_BYTES = 192
"""Bytes that a tensor of ten axes takes in the header of a safetensors file, without its name."""

_ALONE = "Save the tensors alone: torch.save(model.state_dict(), path)."


@dataclass(frozen=True, slots=True)
class StateDict:
    """Tensors by the first of their names; ``aliases`` are further names of tied ones.

    ``unread`` returns what nothing reads in the file.
    """

    tensors: Mapping[str, Array]
    aliases: Mapping[str, str]
    close: Callable[[], None]
    unread: Callable[[], Iterable[Unread]]


def read_state_dict(path: Path, display: str, limit_bytes: int) -> StateDict:
    """Return the tensors of a file.

    Raises MalformedError or LimitError for a broken file, UnsupportedError for a pickle with more
    than tensors in it, ConformanceError for members that are not part of a state dict.
    """
    if path.suffix.lower() == SAFETENSORS:
        return _from_safetensors(path, display, limit_bytes)
    archive = Archive(path, display, limit_bytes)
    tensors = _tensors_of(archive)
    found = sort_tensors(tensors, display, limit_bytes)
    stored = StoredTensors(found.tensors, lambda key: archive.array(f"data/{key}"))

    def unread() -> Iterable[Unread]:
        return (*archive.unread(()), *unread_storage(_storages(tensors), display))

    return StateDict(stored, found.aliases, archive.close, unread)


def _from_safetensors(path: Path, display: str, limit_bytes: int) -> StateDict:
    tensors = open_tensors(path, display=display, limit_bytes=limit_bytes)
    header = path.stat().st_size - sum(array.nbytes for array in tensors.values())
    needed = sum(len(name.encode()[:_LONGEST_NAME]) + _ENTRY_BYTES for name in tensors)
    spare = Unread(display, "header (metadata, blanks)", header - needed)
    return StateDict(tensors, {}, tensors.close, lambda: [spare])


def _tensors_of(archive: Archive) -> dict[str, Tensor]:
    _check_members(archive)
    place = Place(archive.display, "data.pkl")
    root = read_pickle(archive.read("data.pkl", MAX_BYTES), place)
    if not isinstance(root, dict):
        raise _no_state_dict("data.pkl", type(root).__name__, archive)
    tensors = {str(name): _tensor(name, value, archive) for name, value in root.items()}
    stored = {f"data/{tensor.storage.key}" for tensor in tensors.values()}
    for member in archive.members:
        if _DATA.fullmatch(member) and member not in stored:
            raise ConformanceError(
                "the archive holds data of a tensor that the state dict has not",
                where=archive.where(member),
                expected="data of the tensors in data.pkl",
                found=f"{archive.size_of(member)} bytes in {member}",
                fix=_ALONE,
            )
    return tensors


def _storages(tensors: Mapping[str, Tensor]) -> Iterable[tuple[str, Tensor]]:
    return ((f"data/{tensor.storage.key}", tensor) for tensor in tensors.values())


def _check_members(archive: Archive) -> None:
    if "constants.pkl" in archive or any(name.startswith("code/") for name in archive.members):
        raise ConformanceError(
            "the archive is a TorchScript module, not a state dict",
            where=archive.where("constants.pkl" if "constants.pkl" in archive else "data.pkl"),
            expected="tensors by name",
            found="code",
            fix=f'Declare it as format "torchscript", without an ONNX graph. {_ALONE}',
        )
    archive.refuse_unknown(_is_known, "a state dict")
    for name in (*_NEEDED, archive.version_member, *(each for each in _SMALL if each in archive)):
        archive.read(name, MAX_BYTES if name == "data.pkl" else _MAX_SMALL)
    if "byteorder" in archive and archive.read("byteorder", _MAX_SMALL) != b"little":
        raise UnsupportedError(
            "the numbers are big-endian",
            where=archive.where("byteorder"),
            expected="little",
            found="big",
            fix="Save the state dict on a little-endian machine.",
        )


def _tensor(name: Value, value: Value, archive: Archive) -> Tensor:
    if not isinstance(value, Tensor) or not isinstance(name, str):
        raise _no_state_dict(str(name)[:80], type(value).__name__, archive)
    member = f"data/{value.storage.key}"
    size = archive.size_of(member) if member in archive else None
    if size != value.storage.nbytes:
        raise MalformedError(
            f"the data of {name!r} are not as long as its type and shape say",
            where=Location(archive.display, element=f"{name} in {member}"),
            expected=f"{value.storage.nbytes} bytes",
            found="no such member" if size is None else f"{size} bytes",
            fix=_ALONE,
        )
    return value


def _no_state_dict(element: str, found: str, archive: Archive) -> UnsupportedError:
    return UnsupportedError(
        "the file is not a state dict: it holds something else than tensors by name",
        where=Location(archive.display, element=element),
        expected="a dictionary from names to tensors",
        found=found,
        fix=_ALONE,
    )


def _is_known(name: str) -> bool:
    return name in _NEEDED or name in _SMALL or _DATA.fullmatch(name) is not None
