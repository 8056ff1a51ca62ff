"""The tensors of one archive by name: which are one, and which share their memory."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np

from conformance.runtimes._protocol import Array, Unread
from conformance.runtimes.pytorch.values import Tensor
from conformance.runtimes.roles import StoredTensor, Use
from conformance.tensorfiles import check_name
from conformance.verdicts import LimitError, Location, UnsupportedError


@final
class StoredTensors(Mapping[str, Array]):
    """Arrays by name, each a read-only view of the archive; ``data`` returns a storage's bytes."""

    def __init__(self, tensors: Mapping[str, Tensor], data: Callable[[str], Array]) -> None:
        self.tensors = dict(tensors)
        self._data = data

    def __getitem__(self, name: str) -> Array:
        tensor = self.tensors[name]
        return tensor.view(self._data(tensor.storage.key))

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


@dataclass(frozen=True, slots=True)
class Sorted:
    """Tensors of an archive, each under the first of its names; ``aliases`` are its others.

    ``shared`` are the names of tensors whose bytes are not theirs alone.
    """

    tensors: dict[str, Tensor]
    aliases: dict[str, str]
    """Name to the first name of the same tensor."""
    shared: set[str]


def sort_tensors(
    tensors: Mapping[str, Tensor],
    file: str,
    limit_bytes: int,
    may_share: Container[str] = frozenset(),
) -> Sorted:
    """Return the tensors of an archive, a tensor under a second name (tied weights) only once.

    What each of them is to the network, :mod:`conformance.runtimes.roles` says. Tensors without
    elements are never the same. Raises UnsupportedError where two tensors, or two elements of one,
    share bytes and ``may_share`` does not have their names, LimitError if together they take more
    than ``limit_bytes``, MalformedError for a name that cannot be shown.
    """
    found = Sorted({}, {}, set())
    first: dict[object, str] = {}
    for name, tensor in tensors.items():
        check_name(name, Location(file, element="state dict"))
        if tensor.repeats and name not in may_share:
            raise repeated(name, tensor, file)
        known = first.setdefault(tensor.place, name) if tensor.elements else name
        if known != name:
            found.aliases[name] = known
        else:
            found.tensors[name] = tensor
            if tensor.repeats:
                found.shared.add(name)
    _check_limit(found.tensors, file, limit_bytes)
    found.shared.update(_overlapping(found.tensors, may_share, file))
    return found


def stored_as(
    tensor: Tensor,
    name: str,
    arrays: Mapping[str, Array],
    uses: frozenset[Use],
    *,
    is_needed: bool = True,
    is_replaceable: bool = True,
) -> StoredTensor:
    """Return a tensor as the roles of a network know it; ``arrays`` has its values by name."""
    return StoredTensor(
        name,
        name,
        tensor.dtype,
        tensor.shape,
        partial(arrays.__getitem__, name),
        uses,
        is_needed=is_needed,
        is_replaceable=is_replaceable,
    )


def _check_limit(tensors: Mapping[str, Tensor], file: str, limit_bytes: int) -> None:
    """Raise LimitError if the tensors, with every element for itself, take too much memory."""
    total = 0
    for name, tensor in tensors.items():
        total += tensor.nbytes
        if total > limit_bytes:
            raise LimitError(
                "the parameters of the model would take too much memory",
                where=Location(file, element=name),
                expected=f"at most {limit_bytes} bytes in all",
                found=f"{total} bytes up to and with {name!r}",
                fix="Submit a smaller model, or judge it with a higher memory limit.",
            )


def unread_storage(tensors: Iterable[tuple[str, Tensor]], file: str) -> Iterator[Unread]:
    """Yield the bytes of storages that are in none of the tensors.

    ``tensors`` come with what identifies their storage. PyTorch stores all of a tensor of
    which a network keeps a part.
    """
    sizes: dict[str, int] = {}
    used: dict[str, dict[object, int]] = {}
    for storage, tensor in tensors:
        sizes[storage] = tensor.storage.nbytes
        used.setdefault(storage, {})[tensor.place] = tensor.distinct_bytes
    for key, size in sizes.items():
        yield Unread(file, f"{key}, in no tensor", size - sum(used[key].values()))


def bytes_of(tensors: Iterable[tuple[Tensor, Array | None]], data: Array) -> Array:
    """Return a copy of ``data``, the bytes of a storage, with zeros for what is in no tensor.

    A tensor that comes with an array has its values, any other keeps its own.
    """
    kept = np.zeros_like(data)
    for given, array in tensors:
        tensor = given if array is not None else given.collapsed
        if tensor.elements:
            own = tensor.view(data)
            tensor.view(kept, writeable=True)[...] = own if array is None else array
    return kept


def repeated(name: str, tensor: Tensor, file: str) -> UnsupportedError:
    """Return the error for a tensor two of whose elements may lie at one place."""
    return UnsupportedError(
        f"elements of {name!r} share their memory",
        where=Location(file, element=name),
        expected="a tensor that has its own memory for every element",
        found=f"shape {list(tensor.shape)} with strides {list(tensor.strides)}",
        fix="Call contiguous() on expanded tensors before they become parameters or buffers.",
    )


def _overlapping(tensors: Mapping[str, Tensor], may_share: Container[str], file: str) -> set[str]:
    """Return the names of tensors that share bytes: replacing one would change another.

    Raises UnsupportedError if one is not in ``may_share``.
    """
    found: set[str] = set()
    by_storage: dict[str, list[tuple[int, int, str]]] = {}
    for name, tensor in tensors.items():
        if tensor.elements:
            by_storage.setdefault(tensor.storage.key, []).append((*tensor.span, name))
    for spans in by_storage.values():
        reach, one = 0, ""
        for begin, end, other in sorted(spans):
            if begin < reach:
                if one not in may_share or other not in may_share:
                    raise _overlap(one, other, file)
                found |= {one, other}
            reach, one = max((reach, one), (end, other))
    return found


def _overlap(one: str, other: str, file: str) -> UnsupportedError:
    return UnsupportedError(
        f"{one!r} and {other!r} share a part of their memory",
        where=Location(file, element=other),
        expected="tensors that are the same, or have no element in common",
        found="two views of one storage that overlap",
        fix="Clone one of them before the model is saved.",
    )
