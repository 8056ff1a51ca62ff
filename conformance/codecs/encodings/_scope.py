"""What an encoding reads from, and what it promises to give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from conformance.codecs._fields import Fields
from conformance.tensorfiles import Array, DType, Stored, TensorFile, is_floating
from conformance.verdicts import MalformedError


@dataclass(frozen=True, slots=True)
class Output:
    """A tensor to be decoded: what it will be, from which stored arrays, with which tools."""

    stored: Stored
    consumed: tuple[str, ...]
    features: frozenset[str]
    decode: Callable[[], Array]


@dataclass(frozen=True, slots=True)
class Ref:
    """A stored array that an encoding names, and the tensor it is for."""

    name: str
    stored: Stored
    output: str
    tensors: TensorFile

    def read(self) -> Array:
        """Read the array, as the element type of ``stored``."""
        return self.tensors[self.name].view(self.stored.dtype)

    def error(self, problem: str, expected: str, found: str) -> MalformedError:
        """Return a MalformedError that points at the array."""
        return MalformedError(
            f"tensor {self.output!r}: the array {self.name!r} {problem}",
            where=self.stored.where,
            expected=expected,
            found=found,
            fix="Encode the tensor again as docs/codecs.md describes.",
        )

    def require_type(self, *names: str) -> None:
        """Refuse other element types than these."""
        if self.stored.dtype.name not in names:
            expected = " or ".join(names)
            raise self.error("has the wrong element type", expected, str(self.stored))

    def require_shape(self, *shapes: tuple[int, ...]) -> None:
        """Refuse other shapes than these."""
        if self.stored.shape not in shapes:
            expected = " or ".join(str(list(shape)) for shape in shapes)
            raise self.error("has the wrong shape", expected, str(self.stored))

    def require_castable(self, dtype: DType) -> None:
        """Refuse an element type that has no defined conversion to ``dtype``."""
        given = self.stored.dtype
        if given == dtype or (is_floating(given) and is_floating(dtype)):
            return
        if given.kind in "biu" and dtype.kind in "biuf" and np.can_cast(given, dtype):
            return
        raise self.error(
            f"cannot be converted to {dtype.name}",
            "a different floating-point type, or a wider type for an integer",
            str(self.stored),
        )


class Scope:
    """The description of one output tensor, and the file it is decoded from."""

    def __init__(self, output: str, fields: Fields, tensors: TensorFile) -> None:
        self.output = output
        self.fields = fields
        self._tensors = tensors
        self._consumed: list[str] = []

    def array(self, key: str) -> Ref:
        """Take the stored array that the field ``key`` names."""
        name = self.fields.text(key)
        if name not in self._tensors:
            raise self.fields.error(
                f"names an array {name!r} that is not there",
                "the name of a stored array",
                ", ".join(self._tensors)[:200] or "no arrays",
            )
        if name not in self._consumed:
            self._consumed.append(name)
        return Ref(name, self._tensors.stored(name), self.output, self._tensors)

    def values(self) -> Ref:
        """Take the array ``values``; ``values_dtype`` says what its bit patterns stand for."""
        ref = self.array("values")
        if not self.fields.has("values_dtype"):
            return ref
        dtype = self.fields.dtype("values_dtype")
        ref.require_type(f"uint{8 * dtype.itemsize}")
        return replace(ref, stored=replace(ref.stored, dtype=dtype))

    def result(
        self,
        dtype: DType,
        shape: tuple[int, ...],
        features: set[str],
        decode: Callable[[], Array],
    ) -> Output:
        """Return the output, once every field has been taken."""
        self.fields.finish()
        where = self._tensors.stored(self._consumed[0]).where
        return Output(
            Stored(dtype, shape, where), tuple(self._consumed), frozenset(features), decode
        )


def convert(array: Array, dtype: DType) -> Array:
    """Convert as IEEE 754 rounds: to nearest, ties to even; too large becomes infinite or NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(dtype, copy=False)
