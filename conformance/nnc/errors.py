"""The errors of the decoder: each says what is wrong, where, what was found and what to do.

Any byte string gives either tensors or one of these; nothing else is raised for what a stream
holds. A wrong call (a missing file, an unknown option) raises what Python raises for it.

Below the errors themselves is what makes them: :func:`at` and :func:`in_payload` say where in a
file something of a unit stands, :func:`memory_for` what is said where memory runs out, and
:func:`explained` and the functions after it tell what is wrong inside a payload.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.nnc.cabac.errors import PayloadError
from conformance.nnc.stream import Unit
from conformance.text import labelled

if TYPE_CHECKING:
    from conformance.nnc.tensors import NduPlan, TensorPlan

MEND = "make the stream anew: its payload is damaged, or was written under other rules"
OTHER_DIALECT = {
    "nncodec-2": "nncodec-1.0",
    "nncodec-1.0": "nncodec-2",
}


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a bitstream.

    ``bit`` counts from the start of the file, most significant bit of each byte first. ``unit``
    is the index of the NNR unit, from 0, and ``unit_name`` its type (``NDU``). ``field`` is the
    syntax element (``tensor_dimensions[1]``), or what is being decoded from a payload
    (``levels of 'conv1.weight'``).
    """

    bit: int | None = None
    unit: int | None = None
    unit_name: str = ""
    field: str = ""

    @property
    def byte(self) -> int | None:
        """The byte that holds the bit."""
        return None if self.bit is None else self.bit // 8

    def __str__(self) -> str:
        parts = []
        if self.bit is not None:
            parts.append(f"byte {self.bit // 8}, bit {self.bit % 8}")
        if self.unit is not None:
            parts.append(f"unit {self.unit} {self.unit_name}".rstrip())
        if self.field:
            parts.append(self.field)
        return ": ".join(parts) or "the whole stream"


class NncError(Exception):
    """A stream cannot be decoded.

    ``message`` says what is wrong, ``position`` where, ``expected`` and ``found`` what should be
    there and what is, ``fix`` what the maker of the stream can do.
    """

    def __init__(
        self,
        message: str,
        *,
        position: Position | None = None,
        expected: str = "",
        found: str = "",
        fix: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.position = position or Position()
        self.expected = expected
        self.found = found
        self.fix = fix

    def __str__(self) -> str:
        rows = [
            ("where", str(self.position)),
            ("expected", self.expected),
            ("found", self.found),
            ("fix", self.fix),
        ]
        return labelled(self.message, rows)


class NncMalformedError(NncError):
    """The stream breaks a rule of the format."""


class NncUnsupportedError(NncError):
    """The stream may be right, but uses what this decoder has no rule for, or needs other data."""


class NncEarlierStreamError(NncUnsupportedError):
    """The stream is an update that cannot be read without what the stream before it gave."""


class NncLimitError(NncMalformedError):
    """The stream asks for more memory or work than its size or a limit allows."""


def at(unit: Unit, field: str) -> Position:
    """Return the position of a syntax element of ``unit``, or of its first byte if it has none.

    The name of a group or an array stands for its first element.
    """
    for element in unit.elements:
        if element.name == field or element.name.startswith((f"{field}.", f"{field}[")):
            return Position(element.bit, unit.index, unit.name, field)
    return Position(unit.byte * 8, unit.index, unit.name, field)


def in_payload(unit: Unit, bit: int, field: str) -> Position:
    """Return the position of a bit of the payload of ``unit``."""
    return Position(unit.payload_byte * 8 + bit, unit.index, unit.name, field)


@contextmanager
def memory_for(what: str, position: Position | None = None) -> Iterator[None]:
    """Turn a shortage of memory into a :class:`NncLimitError` : ``what`` does not fit."""
    try:
        yield
    except MemoryError:
        raise NncLimitError(
            f"{what} do not fit into memory",
            position=position,
            expected="no more than there is memory for",
            found="less memory than that",
            fix="allow more memory, or lower Limits.decoded_bytes and Limits.elements",
        ) from None


@contextmanager
def explained(plan: NduPlan, field: str) -> Iterator[None]:
    """Turn what the kernels say about a payload into an error of the stream."""
    try:
        yield
    except PayloadError as error:
        raise NncMalformedError(
            f"The payload of {plan.tensors[0].name!r} cannot be decoded",
            position=in_payload(plan.unit, error.bit, field),
            expected=f"levels and a terminating bin in {plan.unit.payload_size} bytes",
            found=error.reason,
            fix=mend_of(plan),
        ) from error


def mend_of(plan: NduPlan) -> str:
    """Return what to do; a stream of the first edition may be of the other dialect."""
    if plan.active.profile == 1:
        return MEND
    dialect = OTHER_DIALECT[plan.active.dialect]
    return (
        f'if the stream follows the dialect "{dialect}", which nothing in it tells, decode it '
        f'with Interpretation(dialect="{dialect}"); otherwise {MEND}'
    )


def length_error(plan: NduPlan, used: int) -> NncMalformedError:
    """Return the error of a codeword that ends before its unit does."""
    return NncMalformedError(
        f"Bytes follow the codeword of {plan.tensors[0].name!r}",
        position=in_payload(plan.unit, 8 * used, "the end of the payload"),
        expected=f"{used} bytes of payload, as the codeword takes",
        found=f"{plan.unit.payload_size} bytes",
        fix=mend_of(plan),
    )


def level_error(plan: NduPlan, tensor: TensorPlan, found: str) -> NncMalformedError:
    """Return the error of a level that no entry of the codebook stands for."""
    codebook = tensor.codebook
    least, most = (
        (-codebook.zero_offset, len(codebook.entries) - codebook.zero_offset - 1)
        if codebook
        else (0, 0)
    )
    return NncMalformedError(
        f"A level of {tensor.name!r} is outside its codebook",
        position=in_payload(plan.unit, 0, f"levels of {tensor.name!r}"),
        expected=f"levels from {least} to {most}",
        found=found,
        fix=mend_of(plan),
    )


def step_error(plan: NduPlan, tensor: TensorPlan, bit: int, qp: int) -> NncMalformedError:
    """Return the error of a quantization parameter without a finite step size."""
    return NncMalformedError(
        f"The step size of {tensor.name!r} is too large for a number",
        position=in_payload(plan.unit, bit, f"qp of {tensor.name!r}"),
        expected="a quantization parameter with a finite step size",
        found=f"{qp} at density {plan.active.qp_density}",
        fix="write a smaller quantization parameter",
    )
