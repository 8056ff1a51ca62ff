"""Writing the units of a stream from values, by the same description that the parser follows.

::

    writer = StreamWriter()
    writer.add("STR", {"general_profile_idc": 1})
    writer.add("MPS", {"mps_quantization_method_flags": 1, "mps_qp_density": 2})
    writer.add("NDU", {"topology_elem_id": "w", ...}, payload)
    data = writer.getvalue()

It writes whatever fits the codes, sensible or not, so that tests can make streams that no encoder
makes. Entropy-coded payloads come ready from :mod:`conformance.nnc.encoder`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conformance.nnc.bits import BitWriter
from conformance.nnc.options import USUAL_UNARY_LENGTH, Interpretation
from conformance.nnc.stream import Scalar
from conformance.nnc.syntax import UNIT_HEADER, UNIT_SIZE, UNITS, Field, Group, Item, Refusal
from conformance.nnc.syntax.walk import Context, walk

_LONGEST_SHORT_UNIT = (1 << 15) - 1
_MOST_UNGIVEN = 1 << 16
"""Entries of an array that are made up where they are not given: a derived count may be huge."""
_INTERPRETATION = Interpretation()
_TYPES = {syntax.name: syntax for syntax in UNITS.values()}


class StreamWriter:
    """Writes unit after unit, carrying over what later units refer to."""

    def __init__(self, interpretation: Interpretation = _INTERPRETATION) -> None:
        self._context = Context(interpretation)
        self._data = bytearray()

    def add(self, unit: str | int, values: Mapping[str, object], payload: bytes = b"") -> None:
        """Append a unit.

        Args:
            unit: The short name of its type (``NDU``), or ``nnr_unit_type``.
            values: Values as in :attr:`Unit.values`. What is missing has the constant it would
                be inferred as, else 0 or ``""``; size and alignments are computed unless given.
                Dimensions that are not to be in the stream shape the header all the same.
            payload: The bytes after the header of an NDU, or anything after another unit.

        Raises:
            ValueError: A value does not fit its code, or a name is not one of the unit.
        """
        syntax = _TYPES[unit] if isinstance(unit, str) else UNITS[unit]
        items = (*UNIT_HEADER, *syntax.header, *syntax.payload)
        _check_names((*UNIT_SIZE, *items), values, syntax.title)
        body = BitWriter()
        coder = _Writer(body)
        scope = self._context.scope(lambda name: _dimensions(values))  # noqa: ARG005
        supplied = {
            "independently_decodable_flag": 1,
            "nnr_unit_type": syntax.unit_type,
            "cabac_unary_length_minus1": USUAL_UNARY_LENGTH - 1,
            **values,
        }
        walk(items, coder, scope, supplied)
        coder.finish()
        self._context.update(syntax, scope)
        content = body.getvalue() + payload
        self._data += _size(values, len(content)) + content

    def getvalue(self) -> bytes:
        """Return the stream written so far."""
        return bytes(self._data)


class _Writer:
    """The coder that writes."""

    def __init__(self, bits: BitWriter) -> None:
        self._bits = bits
        self._write: dict[str, Callable[[int, Any], None]] = {
            "u": bits.u,
            "i": bits.i,
            "ue": bits.ue,
            "ie": bits.ie,
            "flt": bits.flt,
            "hex": bits.hex,
        }
        self._write_whole: dict[str, Callable[[Any], None]] = {"st": bits.st, "bytes": bits.rest}

    def code(self, field: Field, name: str, parameter: int, given: Any) -> Scalar:
        """Write one element."""
        try:
            return self._code(field, parameter, given)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name}, {field.code.resolved(parameter)}: {error}") from error

    def repeat(self, name: str, count: int, given: Any) -> int:
        """Write as many as the counts say, which must agree with what is given."""
        if count > max(len(given), _MOST_UNGIVEN):
            raise ValueError(f"{name}: {count} entries are written, {len(given)} are given")
        if len(given) > max(count, 0):
            raise ValueError(f"{name}: {len(given)} entries are given where {count} are written")
        return max(count, 0)

    def refuse(self, refusal: Refusal, scope: Mapping[str, Any]) -> None:
        """Write on: what a parser refuses may be wanted."""

    def finish(self) -> None:
        """Check that the unit ends at a byte boundary."""
        if self._bits.position % 8:
            raise ValueError("the unit does not end at a byte boundary")

    def _code(self, field: Field, parameter: int, given: Any) -> Scalar:
        kind = field.code.kind
        if kind == "align":
            return self._bits.align(given)
        value: Scalar = _missing(field) if given is None else given
        if kind in self._write_whole:
            self._write_whole[kind](value)
        else:
            self._write[kind](parameter, value)
        return value


def _missing(field: Field) -> Scalar:
    if field.inferred is not None and field.inferred.constant is not None:
        constant: Scalar = field.inferred.constant
        return constant
    return "" if field.code.kind in {"st", "bytes", "hex"} else 0


def _size(values: Mapping[str, object], length: int) -> bytes:
    """Return the first bytes of a unit whose other bytes are ``length``."""
    flag = values.get("nnr_unit_size_flag")
    if flag is None:
        flag = int(length + 2 > _LONGEST_SHORT_UNIT)
    size = values.get("nnr_unit_size")
    bits = BitWriter()
    given = {
        "nnr_unit_size_flag": flag,
        "nnr_unit_size": length + (4 if flag else 2) if size is None else size,
    }
    walk(UNIT_SIZE, _Writer(bits), {}, given)
    return bits.getvalue()


def _dimensions(values: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(values.get("tensor_dimensions") or ())


def _check_names(
    items: Sequence[Item], values: Mapping[str, Any], title: str, prefix: str = ""
) -> None:
    """Refuse names that are not described, which would be left out without a word."""
    known = {item.name: item for item in items if isinstance(item, Field | Group)}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"{prefix}{name} is not an element of {title}")
        item = known[name]
        if isinstance(item, Group) and value is not None:
            for entry in (value,) if item.count is None else value:
                _check_names(item.items, entry, title, f"{name}.")
