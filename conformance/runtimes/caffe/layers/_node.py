"""One layer while its shapes are worked out, and what is found out about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from conformance.runtimes.caffe.messages import label_of
from conformance.verdicts import Location, MalformedError, UnsupportedError

Shape: TypeAlias = tuple[int, ...]

MAX_OPTION = 1 << 16
"""The largest kernel, stride, padding or dilation."""

FLOAT_BYTES = 4
"""Bytes of an element: every blob of a network is computed in float32."""

MAX_RANK = 32
"""The most axes of a blob, as in Caffe."""

_FIX = "Correct the layer in the prototxt."
_MOST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Weight:
    """A blob that a layer learns: its name within the layer, and its shape."""

    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Inferred:
    """The shapes of what a layer computes, what it learns, and bytes it needs on the way."""

    tops: tuple[Shape, ...]
    weights: tuple[Weight, ...] = ()
    scratch_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """A layer with the shapes of its inputs; ``options`` is its own options message.

    ``file`` is the prototxt as displayed, ``tops`` the number of its outputs.
    """

    file: str
    name: str
    type: str
    options: Any
    bottoms: tuple[Shape, ...]
    tops: int

    @property
    def where(self) -> Location:
        """The place of the layer in the prototxt."""
        return Location(file=self.file, element=f"layer {self.name!r} ({self.type})")

    def has(self, field: str) -> bool:
        """Return whether an option is given that is not a list."""
        return bool(self.options.HasField(field))

    def numbers(self, field: str) -> list[int]:
        """Return a numeric option as it is given: none, one or several numbers."""
        if self.options.DESCRIPTOR.fields_by_name[field].is_repeated:
            return [int(value) for value in getattr(self.options, field)]
        return [int(getattr(self.options, field))] if self.has(field) else []

    def label(self, field: str) -> str:
        """Return the name of an enumerated option."""
        return label_of(self.options, field)

    def require(self, holds: bool, message: str, expected: str, found: object) -> None:
        """Raise MalformedError at this layer unless ``holds``."""
        if not holds:
            raise MalformedError(
                f"layer {self.name!r}: {message}",
                where=self.where,
                expected=expected,
                found=_short(found),
                fix=_FIX,
            )

    def unsupported(self, message: str, expected: str, found: object, fix: str) -> Exception:
        """Return an UnsupportedError at this layer."""
        return UnsupportedError(
            f"layer {self.name!r}: {message}",
            where=self.where,
            expected=expected,
            found=_short(found),
            fix=fix,
        )

    def axis(self, value: int, rank: int, field: str = "axis") -> int:
        """Return an axis that may count from the end, counted from the start."""
        self.require(
            -rank <= value < rank,
            f"its {field} is not one of its input",
            f"{field} from {-rank} to {rank - 1}",
            value,
        )
        return value % rank

    def same_shapes(self) -> Shape:
        """Return the shape that all inputs have in common."""
        first = self.bottoms[0]
        different = [shape for shape in self.bottoms if shape != first]
        self.require(
            not different, "its inputs differ in shape", str(list(first)), different[:1] or ""
        )
        return first

    def rank(self, rank: int, bottom: int = 0) -> Shape:
        """Return the shape of an input, which must have ``rank`` axes."""
        shape = self.bottoms[bottom]
        self.require(
            len(shape) == rank, f"input {bottom} has the wrong rank", f"{rank} axes", list(shape)
        )
        return shape

    def positive(self, field: str) -> int:
        """Return an option that must be a positive number."""
        value = int(getattr(self.options, field))
        self.require(value > 0, f"{field} is missing or not positive", "at least 1", value)
        return value


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of layer.

    ``options`` names the field of ``LayerParameter`` with its options; ``read`` are the options
    that mean something here, ``idle`` those that never change an output. ``bottoms`` and ``tops``
    are the least and the greatest number of inputs and outputs.
    """

    infer: Callable[[Node], Inferred]
    options: str = ""
    read: frozenset[str] = frozenset()
    idle: frozenset[str] = frozenset()
    bottoms: tuple[int, int] = (1, 1)
    tops: tuple[int, int] = (1, 1)


MANY = 1 << 16
"""As good as any number of inputs or outputs."""


def kind(
    infer: Callable[[Node], Inferred],
    options: str = "",
    *,
    read: str = "",
    idle: str = "",
    bottoms: tuple[int, int] = (1, 1),
    tops: tuple[int, int] = (1, 1),
) -> Kind:
    """Return a kind; option names are separated by spaces."""
    return Kind(infer, options, frozenset(read.split()), frozenset(idle.split()), bottoms, tops)


def _short(found: object) -> str:
    """Return ``found`` as text; a prototxt can hold lists of a million numbers."""
    text = str(found)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]} ..."


def count(shape: Sequence[int]) -> int:
    """Return the number of elements of a shape."""
    return math.prod(shape)
