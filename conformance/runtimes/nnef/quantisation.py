"""The quantisation file (``graph.quant``): how integers stand for real numbers, tensor by tensor.

Each line names a tensor and one of the quantisation operations of NNEF 1.0, whose attributes are
given with literals::

    "filter1": zero_point_linear_quantize(zero_point = 0, scale = [0.1, 0.2], bits = 8,
                                          signed = true, symmetric = true);

An array of attributes is aligned with the first axes of the tensor, as in all of NNEF.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.nnef.files.datfile import MAX_RANK
from conformance.runtimes.nnef.files.stored import StoredFile
from conformance.runtimes.nnef.text.syntax import Call, Reader, Value, read_text
from conformance.runtimes.nnef.text.tokens import Source
from conformance.verdicts import Location, MalformedError, UnsupportedError

MAX_BITS = 32

_SIGNS = {"signed": bool, "symmetric": bool}
_TYPES: Mapping[str, Mapping[str, type]] = {
    "linear_quantize": {"min": float, "max": float, "bits": int},
    "min_max_linear_quantize": {"min": float, "max": float, "bits": int, **_SIGNS},
    "zero_point_linear_quantize": {"zero_point": int, "scale": float, "bits": int, **_SIGNS},
    "logarithmic_quantize": {"max": float, "bits": int},
}
_ARRAYS = {"min", "max", "scale", "zero_point"}


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How one tensor is quantised; ``arrays`` are float32, but ``zero_point`` is int32."""

    tensor: str
    operation: str
    arrays: Mapping[str, Array]
    bits: int
    signed: bool
    symmetric: bool
    where: Location

    def broadcast(self, rank: int) -> dict[str, Array]:
        """Return the arrays with axes of one element put after theirs, up to ``rank``."""
        return {
            name: array.reshape(array.shape + (1,) * max(rank - array.ndim, 0))
            for name, array in self.arrays.items()
        }

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether every array can be broadcast to a tensor of ``shape``."""
        return all(
            array.ndim <= len(shape)
            and all(a in {1, s} for a, s in zip(array.shape, shape, strict=False))
            for array in self.arrays.values()
        )

    def dequantised(self, integers: Array) -> Array:
        """Return the float32 numbers that ``integers`` stand for.

        They are computed in float64 and rounded once. Raises MalformedError if an integer is not
        one of ``bits`` bits, UnsupportedError for logarithmic quantisation.
        """
        self._check_range(integers)
        wide = {k: a.astype(np.float64) for k, a in self.broadcast(integers.ndim).items()}
        if self.operation == "zero_point_linear_quantize":
            real = (integers - wide["zero_point"]) * wide["scale"]
        else:
            steps = 2**self.bits - 1 - (self.signed and self.symmetric)
            shift = 2 ** (self.bits - 1) - self.symmetric if self.signed else 0
            real = (integers + np.float64(shift)) / steps * (wide["max"] - wide["min"])
            real += wide["min"]
        with np.errstate(over="ignore"):
            return real.astype(np.float32)

    def _check_range(self, integers: Array) -> None:
        least = -(2 ** (self.bits - 1)) + self.symmetric if self.signed else 0
        most = 2 ** (self.bits - self.signed) - 1
        low, high = int(integers.min()), int(integers.max())
        if low < least or high > most:
            raise MalformedError(
                f"the stored integers of {self.tensor!r} do not fit their quantisation",
                where=self.where,
                expected=f"{least} to {most}",
                found=f"{low} to {high}",
                fix="Correct bits, signed or symmetric, or store the tensor again.",
            )


def read_quantisation(file: StoredFile) -> dict[str, Quantisation]:
    """Return the quantisation of every tensor that ``file`` names.

    Raises MalformedError if the file is broken, UnsupportedError for another operation than those
    of NNEF 1.0.
    """
    reader = Reader(Source(read_text(file), file))
    found: dict[str, Quantisation] = {}
    while reader.token.kind != "end":
        if reader.token.kind != "string":
            reader.refuse("the name of a tensor in quotes")
        where = reader.where(reader.token.text[1:-1])
        tensor = reader.take().text[1:-1]
        reader.need(":")
        call = reader.call()
        reader.need(";")
        if tensor in found:
            raise _wrong("a tensor has two entries", where, "one entry for each tensor", tensor)
        found[tensor] = _entry(tensor, call, where)
    return found


def _entry(tensor: str, call: Call, where: Location) -> Quantisation:
    types = _TYPES.get(call.operation)
    if types is None:
        raise UnsupportedError(
            f"a tensor is quantised by an operation that is not known here: {call.operation}",
            where=where,
            expected=" or ".join(_TYPES),
            found=call.operation,
            fix="Quantise it by an operation of NNEF 1.0.",
        )
    given = _named(call, tuple(types), where)
    arrays = {n: _array(n, given[n], types[n], where) for n in types if n in _ARRAYS}
    bits = given["bits"]
    signed, symmetric = given.get("signed", False), given.get("symmetric", False)
    if type(bits) is not int or not 1 <= bits <= MAX_BITS:
        raise _wrong("the number of bits is wrong", where, f"1 to {MAX_BITS}", repr(bits))
    if type(signed) is not bool or type(symmetric) is not bool:
        raise _wrong(
            "signed or symmetric is wrong", where, "true or false", f"{signed}, {symmetric}"
        )
    if bits == 1 and signed and symmetric:
        raise _wrong("no integer is left", where, "2 bits or more if symmetric", "1 bit")
    return Quantisation(tensor, call.operation, arrays, bits, signed, symmetric, where)


def _named(call: Call, names: tuple[str, ...], where: Location) -> dict[str, Value]:
    """Return the arguments by name; those without one are the first of ``names``."""
    places = (
        (name or (names[place] if place < len(names) else ""), value)
        for place, (name, value) in enumerate(call.arguments)
    )
    given: dict[str, Value] = {}
    for name, value in places:
        if name in given:
            raise _wrong("an attribute is given twice", where, "each attribute once", name)
        given[name] = value
    if set(given) != set(names):
        raise _wrong(
            "the quantisation has other attributes than its operation",
            *(where, ", ".join(names), ", ".join(given) or "none"),
        )
    return given


def _array(name: str, value: Value, kind: type, where: Location) -> Array:
    """Return a literal, or lists of literals of one length, as an array."""
    try:
        array = np.array(value)
    except ValueError:
        array = np.array(None)
    right = array.dtype.kind == "i" if kind is int else array.dtype.kind in "if"
    if not right or not array.size or array.ndim > MAX_RANK:
        raise _wrong(
            f"{name} is neither a number nor a list of numbers",
            *(where, "a number, or lists of numbers of one length", repr(value)[:80]),
        )
    return array.astype(np.int32 if kind is int else np.float32)


def _wrong(message: str, where: Location, expected: str, found: str) -> MalformedError:
    return MalformedError(
        message,
        where=where,
        expected=expected,
        found=found,
        fix="Correct the entry of the quantisation file.",
    )
