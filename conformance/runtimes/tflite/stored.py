"""The tensors that a model file stores: where they are, and what they are called."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType, is_floating
from conformance.runtimes.roles import StoredTensor, Use
from conformance.runtimes.tflite.dtypes import dtype_of, stored_bytes, type_name, unpacked
from conformance.runtimes.tflite.flatbuffer import Reader
from conformance.runtimes.tflite.graph import Place
from conformance.runtimes.tflite.model import Model, Range, Tensor
from conformance.runtimes.tflite.sparse import Positions, sparse_positions
from conformance.verdicts import Location, UnsupportedError


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored tensor, unread.

    ``data`` is where its bytes are; ``buffer_place`` where the file says, as an unsigned number of
    32 bits, which buffer that is. ``is_used`` says whether an output depends on it. The values of a
    sparse tensor belong to ``positions`` of the dense one, and ``sparsity_place`` is where the file
    says where these are.
    """

    name: str
    tensor: Tensor
    dtype: DType
    shape: tuple[int, ...]
    data: Range
    buffer_place: int
    uses: frozenset[Use]
    is_used: bool
    positions: Positions | None = None
    sparsity_place: int | None = None

    def unpacked(self, data: npt.NDArray[np.uint8]) -> Array:
        """Return the dense array that the bytes ``data`` hold."""
        if self.positions is None:
            return unpacked(data, self.dtype, self.shape)
        dense = np.zeros(self.elements, self.dtype)
        dense[self.positions] = unpacked(data, self.dtype, self.positions.shape)
        return dense.reshape(self.shape)

    @property
    def element(self) -> str:
        """Where the file has the tensor."""
        return self.tensor.element

    @property
    def scales(self) -> int:
        """Number of quantisation scales."""
        return self.tensor.scales

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def dense_bytes(self) -> int:
        """Number of bytes that all its elements take."""
        return stored_bytes(self.dtype, self.elements)


def as_tensors(data: memoryview, stored: Sequence[Stored]) -> list[StoredTensor]:
    """Return what is ``stored`` in the file ``data``: read-only views, but for packed types."""
    whole = np.frombuffer(data, np.uint8)

    def reading(tensor: Stored) -> Callable[[], Array]:
        span = whole[tensor.data.begin : tensor.data.end]
        return lambda: tensor.unpacked(span)

    return [
        StoredTensor(
            name=each.name,
            place=f"{each.element} {each.name}",
            dtype=each.dtype,
            shape=each.shape,
            values=reading(each),
            uses=each.uses,
            is_needed=each.is_used,
        )
        for each in stored
    ]


def stored_tensors(
    reader: Reader,
    model: Model,
    uses: Mapping[Place, frozenset[Use]],
    needed: frozenset[Place],
) -> tuple[Stored, ...]:
    """Return the stored tensors in the order of the file, each with its own name.

    Left out is a tensor that nothing uses if one in use shares its data: as the graph of another
    signature has it. Raises MalformedError for data of the wrong length, UnsupportedError for
    tensors that cannot be replaced (sparse ones, or those of strings).
    """
    places = {
        (number, index): tensor
        for number, index, tensor in model.tensors
        if tensor.data is not None
    }
    shared = {tensor.data for place, tensor in places.items() if place in needed}
    kept = {p: t for p, t in places.items() if p in needed or t.data not in shared}
    names = _names(kept)
    none: frozenset[Use] = frozenset()
    return tuple(
        _stored(reader, tensor, names[place], place in needed, uses.get(place, none))
        for place, tensor in kept.items()
    )


def _stored(
    reader: Reader, tensor: Tensor, name: str, is_used: bool, uses: frozenset[Use]
) -> Stored:
    assert tensor.data is not None  # noqa: S101 - only stored tensors come here
    dtype = dtype_of(tensor.code)
    if dtype is None:
        raise _unreadable(reader, tensor)
    sparsity = tensor.table.table("sparsity")
    positions = sparse_positions(reader, tensor, sparsity) if sparsity is not None else None
    elements = tensor.elements if positions is None else len(positions)
    if tensor.data.size != stored_bytes(dtype, elements):
        raise reader.malformed(
            f"the data of tensor {name!r} has the wrong length",
            *(tensor.data.begin, f"{tensor.element} {tensor.name}"),
            f"{stored_bytes(dtype, elements)} bytes for {elements} of {dtype.name}, shape "
            f"{list(tensor.shape)}",
            f"{tensor.data.size} bytes",
        )
    return Stored(
        name=name,
        tensor=tensor,
        dtype=dtype,
        shape=tensor.shape,
        data=tensor.data,
        buffer_place=tensor.table.places["buffer"],
        uses=uses | {Use.QUANTISED} if tensor.scales and not is_floating(dtype) else uses,
        is_used=is_used,
        positions=positions,
        sparsity_place=tensor.table.places["sparsity"] if sparsity is not None else None,
    )


def _names(places: Mapping[Place, Tensor]) -> dict[Place, str]:
    """Return a name for each tensor: its own, or with its place where that is empty or taken."""
    names: dict[Place, str] = {}
    taken: set[str] = set()
    for place, tensor in places.items():
        name = tensor.name
        while not name or name in taken:
            name = f"{name}@{place[0]}.{place[1]}"
        names[place] = name
        taken.add(name)
    return names


def _unreadable(reader: Reader, tensor: Tensor) -> UnsupportedError:
    return UnsupportedError(
        f"tensor {tensor.name!r} is stored in a way that cannot be replaced",
        where=Location(
            file=reader.file,
            byte_offset=tensor.table.position,
            element=f"{tensor.element} {tensor.name}",
        ),
        expected="a tensor of numbers",
        found=f"a tensor of {type_name(tensor.code)}",
        fix="Convert the model again, without tensors of strings.",
    )
