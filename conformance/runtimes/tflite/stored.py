"""The tensors that a model file stores: which are parameters, and what they are called."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType
from conformance.runtimes.tflite.dtypes import dtype_of, stored_bytes, type_name, unpacked
from conformance.runtimes.tflite.flatbuffer import Reader
from conformance.runtimes.tflite.graph import Place
from conformance.runtimes.tflite.model import Model, Range, Tensor
from conformance.runtimes.tflite.operators import BIASES, LISTS_OF_PAIRS
from conformance.verdicts import Location, UnsupportedError

_LISTED = frozenset({"int32", "int64", "uint32", "uint64", "bool"})


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored tensor, unread.

    ``data`` is where its bytes are; ``buffer_place`` where the file says, as an unsigned number of
    32 bits, which buffer that is. ``is_used`` says whether an output depends on it.
    """

    name: str
    element: str
    dtype: DType
    shape: tuple[int, ...]
    data: Range
    buffer_place: int
    scales: int
    is_parameter: bool
    is_used: bool

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@final
class StoredArrays(Mapping[str, Array]):
    """Stored tensors by name: read-only views of the file, but for packed types."""

    def __init__(self, data: memoryview, tensors: Sequence[Stored]) -> None:
        self._bytes = np.frombuffer(data, np.uint8)
        self._tensors = {each.name: each for each in tensors}

    def __getitem__(self, name: str) -> Array:
        tensor = self._tensors[name]
        data = self._bytes[tensor.data.begin : tensor.data.end]
        return unpacked(data, tensor.dtype, tensor.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def stored_tensors(
    reader: Reader, model: Model, graphs: Sequence[int], needed: frozenset[Place]
) -> tuple[Stored, ...]:
    """Return the stored tensors in the order of the file, each with a name of its own.

    Left out is a tensor that nothing uses if one in use shares its data: as the graph of another
    signature has it. Raises MalformedError for data of the wrong length, UnsupportedError for
    tensors that cannot be replaced (sparse ones, or those of texts).
    """
    places = {
        (number, index): tensor
        for number, index, tensor in model.tensors
        if tensor.data is not None
    }
    shared = {tensor.data for place, tensor in places.items() if place in needed}
    kept = {p: t for p, t in places.items() if p in needed or t.data not in shared}
    names = _names(kept)
    lists = _lists(model, graphs)
    return tuple(
        _stored(reader, tensor, names[place], place in needed, place in lists)
        for place, tensor in kept.items()
    )


def _stored(reader: Reader, tensor: Tensor, name: str, is_used: bool, is_list: bool) -> Stored:
    assert tensor.data is not None  # noqa: S101 - only stored tensors come here
    dtype = dtype_of(tensor.code)
    if dtype is None or tensor.table.table("sparsity") is not None:
        raise _unreadable(reader, tensor, dtype)
    if tensor.data.size != stored_bytes(dtype, tensor.elements):
        raise reader.malformed(
            f"the data of tensor {name!r} has the wrong length",
            *(tensor.data.begin, f"{tensor.element} {tensor.name}"),
            f"{stored_bytes(dtype, tensor.elements)} bytes for {dtype.name} of shape "
            f"{list(tensor.shape)}",
            f"{tensor.data.size} bytes",
        )
    return Stored(
        name=name,
        element=tensor.element,
        dtype=dtype,
        shape=tensor.shape,
        data=tensor.data,
        buffer_place=tensor.table.places["buffer"],
        scales=tensor.scales,
        is_parameter=not is_list,
        is_used=is_used,
    )


def _names(places: Mapping[Place, Tensor]) -> dict[Place, str]:
    """Return a name for each tensor: its own, or with its place where it is none or taken."""
    names: dict[Place, str] = {}
    taken: set[str] = set()
    for place, tensor in places.items():
        name = tensor.name
        while not name or name in taken:
            name = f"{name}@{place[0]}.{place[1]}"
        names[place] = name
        taken.add(name)
    return names


def _lists(model: Model, graphs: Sequence[int]) -> frozenset[Place]:
    """Return the tensors of integers that are no parameters: shapes, axes, indices, paddings.

    They are lists and scalars of whole numbers without quantisation that are no operator's bias,
    and matrices that only tell paddings and crops.
    """
    uses: dict[Place, set[tuple[str, int]]] = defaultdict(set)
    for number in graphs:
        for operator in model.subgraphs[number].operators:
            for position, index in enumerate(operator.inputs):
                uses[number, index].add((operator.name, position))
    return frozenset(
        (number, index)
        for number, index, tensor in model.tensors
        if _is_list(tensor, uses[number, index])
    )


def _is_list(tensor: Tensor, uses: set[tuple[str, int]]) -> bool:
    if type_name(tensor.code) not in _LISTED or tensor.scales:
        return False
    if len(tensor.shape) <= 1:
        return not any(BIASES.get(name) == position for name, position in uses)
    return bool(uses) and all(position in LISTS_OF_PAIRS.get(name, ()) for name, position in uses)


def _unreadable(reader: Reader, tensor: Tensor, dtype: DType | None) -> UnsupportedError:
    return UnsupportedError(
        f"tensor {tensor.name!r} is stored in a way that cannot be replaced",
        where=Location(
            file=reader.file,
            byte_offset=tensor.table.position,
            element=f"{tensor.element} {tensor.name}",
        ),
        expected="a dense tensor of numbers",
        found="a sparse tensor" if dtype is not None else f"a tensor of {type_name(tensor.code)}",
        mend="Convert the model again, without sparsity and without tensors of texts.",
    )
