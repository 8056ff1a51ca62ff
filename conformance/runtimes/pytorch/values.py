"""What a pickle of PyTorch describes, as plain values: names, tensors, objects with a state."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.tensorfiles import DType, dtype_named

Value: TypeAlias = Any
"""None, a bool, int, float or str, a list, tuple or dict of such, or a class of this module."""

STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}
"""Storage classes of the module ``torch``, and the element type of each."""


_MOST_SHOWN = 80
_LARGEST = 1 << 48


def shown(value: Value) -> str:
    """Return a string for a message.

    A list, tuple or dictionary is named only: one that holds itself many times over, by way of the
    memo, would be written out each time.
    """
    if value is None or isinstance(value, Global | bool | int | float | str):
        return (str(value) if isinstance(value, Global) else repr(value))[:_MOST_SHOWN]
    return f"a {type(value).__name__}"


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the pickle refers to; nothing is ever imported for it."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class Storage:
    """``elements`` of a type, stored as the member ``data/KEY``; ``dtype`` None: bytes."""

    key: str
    dtype: DType | None
    elements: int

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.elements * (self.dtype.itemsize if self.dtype is not None else 1)


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A view of a storage; sizes and strides count elements. Two are equal if they are one."""

    storage: Storage
    dtype: DType
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_addressable(self) -> bool:
        """Whether an array can have this shape, which one without elements need not."""
        return math.prod(n for n in self.shape if n) * self.dtype.itemsize < _LARGEST

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, each counted once for every place it appears in."""
        return self.elements * self.dtype.itemsize

    @property
    def span(self) -> tuple[int, int]:
        """The bytes of the storage that it views: from, and up to."""
        if not self.elements:
            return 0, 0
        reach = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        size = self.dtype.itemsize
        return self.offset * size, (self.offset + reach + 1) * size

    @property
    def repeats(self) -> bool:
        """Whether two elements may lie at one place, as those of an expanded tensor do."""
        reach = 0
        axes = [(s, n) for n, s in zip(self.shape, self.strides, strict=True) if n > 1]
        for stride, size in sorted(axes):
            if stride <= reach:
                return self.elements > 0
            reach += (size - 1) * stride
        return False

    @property
    def collapsed(self) -> Tensor:
        """The tensor without the repetitions of an expanded axis."""
        pairs = zip(self.shape, self.strides, strict=True)
        return replace(self, shape=tuple(size if step else min(size, 1) for size, step in pairs))

    @property
    def distinct_bytes(self) -> int:
        """Bytes of the storage that belong to the tensor: at most, if elements share them."""
        begin, end = self.span
        return min(self.nbytes, end - begin) if self.repeats else self.nbytes

    @property
    def place(self) -> tuple[object, ...]:
        """What is equal for two tensors that are the same view of the same bytes."""
        return self.storage.key, self.dtype, self.offset, self.shape, self.strides

    def view(self, data: Array, *, writeable: bool = False) -> Array:
        """Return the tensor as a view of ``data``, the bytes of its storage."""
        if not self.elements:
            return np.empty(self.shape, self.dtype)
        size = self.dtype.itemsize
        begin, end = self.span
        flat = data[begin:end].view(self.dtype)
        steps = tuple(step * size for step in self.strides)
        return np.lib.stride_tricks.as_strided(flat, self.shape, steps, writeable=writeable)


@dataclass(slots=True, eq=False)
class Instance:
    """An object of a class that the archive defines; ``state`` are its attributes by name."""

    kind: Global
    state: dict[str, Value] = field(default_factory=dict)


def native(name: str) -> DType:
    """Return the element type of this name in the machine's byte order; KeyError if unknown."""
    return dtype_named(name).newbyteorder("=")


def dtype_of_storage(kind: Global) -> DType | None:
    """Return the element type of a storage class; KeyError if it is not known here."""
    if kind == Global("torch.storage", "UntypedStorage") or kind == Global(
        "torch", "UntypedStorage"
    ):
        return None
    if kind.module != "torch":
        raise KeyError(shown(kind))
    return native(STORAGES[kind.name])


def dtype_of_name(kind: Value) -> DType:
    """Return the element type that ``torch.float32`` and its like name; KeyError otherwise."""
    if not isinstance(kind, Global) or kind.module != "torch":
        raise KeyError(shown(kind))
    return native(kind.name)
