"""Building streams from levels, unit by unit, with what they must decode to.

The expected tensors are computed here from the levels, in plain NumPy, and not by a decoder.

    builder = StreamBuilder().begin()
    builder.add_tensor(Member("w", levels, qp=-20), Coding(scan_order=1))
    builder.getvalue(), builder.tensors
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from nnc_arrays import Array, Tensors
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import EntryPoint, LevelCoding
from conformance.nnc.encoder.payload import LevelTools, PayloadEncoder
from conformance.nnc.options import Interpretation
from conformance.nnc.quantization import Codebook
from conformance.nnc.writer import StreamWriter

INT, FLOAT, RAW_FLOAT, BLOCK = range(4)
DECOMPOSED = 1
NEXT_STATE = ((0, 2), (7, 5), (1, 3), (6, 4), (2, 0), (5, 7), (3, 1), (4, 6))


@dataclass(frozen=True, slots=True)
class Member:
    """A tensor of a data unit: its levels as they are coded, and how.

    Without ``qp`` it is an integer tensor. ``reference`` and ``history`` are those in use.
    """

    name: str
    levels: NDArray[np.int32]
    qp: int | None = None
    codebook: Codebook | None = None
    tools: LevelTools = LevelTools()  # noqa: RUF009 - frozen
    reference: NDArray[np.int32] | None = None
    history: NDArray[np.int8] | None = None


@dataclass(frozen=True, slots=True)
class Coding:
    """What the members of a data unit share."""

    scan_order: int = 0
    dependent: bool = False
    unary_length: int = 10


@dataclass(slots=True)
class StreamBuilder:
    """Writes units one after another and collects the tensors they decode to."""

    profile: int = 1
    interpretation: Interpretation = field(default_factory=Interpretation)
    density: int = 2
    parameter: int = 0
    tensors: Tensors = field(default_factory=dict)
    _writer: StreamWriter = field(init=False)

    def __post_init__(self) -> None:
        self._writer = StreamWriter(self.interpretation)
        self._writer.add("STR", {"general_profile_idc": self.profile})

    def getvalue(self) -> bytes:
        """Return the stream so far."""
        return self._writer.getvalue()

    def add_unit(self, name: str, payload: bytes = b"", **values: Any) -> None:
        """Append a unit as it is given."""
        self._writer.add(name, values, payload)

    def begin(self, **values: Any) -> StreamBuilder:
        """Append the parameter set and topology unit that most streams begin with."""
        self.add_parameter_set(**values)
        self.add_unit("TPL")
        return self

    def add_parameter_set(self, **values: Any) -> None:
        """Append the model parameter set."""
        quantization = {
            "mps_quantization_method_flags": 1,
            "mps_qp_density": self.density,
            "mps_quantization_parameter": self.parameter,
        }
        self.add_unit("MPS", **{**quantization, **values})

    def add_layer_parameter_set(self, density: int, parameter: int, **values: Any) -> None:
        """Append a layer parameter set: what follows has its density and parameter."""
        self.density, self.parameter = density, parameter
        quantization = {
            "lps_quantization_method_flags": 1,
            "lps_qp_density": density,
            "lps_quantization_parameter": parameter,
        }
        self.add_unit("LPS", **{**quantization, **values})

    def add_tensor(self, member: Member, coding: Coding = Coding(), **header: Any) -> None:
        """Append a data unit with one tensor; ``header`` has elements to write as given."""
        payload_type = INT if member.qp is None else FLOAT
        given = {"tensor_dimensions": member.levels.shape, **header}
        self._add(payload_type, [member], coding, {"topology_elem_id": member.name, **given})

    def add_block(
        self,
        members: Sequence[Member],
        types: int,
        names: Sequence[str],
        dimensions: Sequence[int],
        coding: Coding = Coding(),
        **header: Any,
    ) -> None:
        """Append a block: ``members`` in payload order, ``names`` in that of the header."""
        given = {
            "nnr_multiple_topology_elements_present_flag": 1,
            "count_topology_elements_minus2": len(names) - 2,
            "topology_elem_ids": tuple(names),
            "compressed_parameter_types": types,
            "tensor_dimensions": tuple(dimensions),
        }
        self._add(BLOCK, members, coding, {**given, **header})

    def add_raw(self, name: str, values: NDArray[np.float32], **header: Any) -> None:
        """Append a data unit of float32 numbers as they are."""
        given = {"topology_elem_id": name, "tensor_dimensions": values.shape, **header}
        self.add_unit("NDU", values.astype("<f4").tobytes(), **_header(RAW_FLOAT, given))
        self.tensors[name] = values

    def _add(
        self, payload_type: int, members: Sequence[Member], coding: Coding, given: dict[str, Any]
    ) -> None:
        encoder = PayloadEncoder()
        for member in members:
            if member.qp is not None:
                encoder.write_iae(6 + self.density, member.qp - self.parameter)
            encoder.write_levels(self._coding(member, coding, given), member.levels, member.tools)
            self.tensors[member.name] = self._expected(member, coding)
        payload = encoder.finish()
        values = {
            **_codebooks(members),
            "dq_flag": int(coding.dependent),
            "scan_order": coding.scan_order,
            "entry_points": entry_points([p for points in payload.entry_points for p in points]),
            **given,
        }
        values.setdefault("cabac_unary_length_flag", int(coding.unary_length != 10))  # noqa: PLR2004
        if values["cabac_unary_length_flag"]:
            values["cabac_unary_length_minus1"] = coding.unary_length - 1
        self.add_unit("NDU", payload.data, **_header(payload_type, values))

    def _coding(self, member: Member, coding: Coding, given: Mapping[str, Any]) -> LevelCoding:
        shape = member.levels.shape
        width = prod(shape[1:])
        is_matrix = len(shape) > 1 and shape[0] > 1 and width > 1
        book = member.codebook if self.profile == 1 else None
        dialect = self.interpretation.dialect == "nncodec-1.0"
        return LevelCoding(
            height=shape[0],
            width=width,
            scan_order=coding.scan_order if is_matrix else 0,
            dependent=coding.dependent and member.qp is not None,
            unary_length=coding.unary_length,
            codebook_size=len(book.entries) if book else 0,
            zero_offset=book.zero_offset if book else 0,
            remainder_contexts=32 if dialect else 31,
            resets_single_block_row=dialect,
            tool_flags=self.profile == 1,
            parent=bool(given.get("parent_node_id_present_flag")),
            reference=member.reference,
            history=member.history,
        )

    def _expected(self, member: Member, coding: Coding) -> Array:
        if member.qp is None:
            return member.levels
        step = step_of(member.qp, self.density)
        if member.codebook is not None:
            entries = np.asarray(member.codebook.entries, np.float64)
            return entries[member.levels + member.codebook.zero_offset] * step
        levels = unmapped(member, coding) if coding.dependent else member.levels
        return np.float32(step) * levels.astype(np.float32)


def step_of(qp: int, density: int) -> float:
    """Return the step size: exact, as a power of two times a small integer."""
    octave, fraction = divmod(qp, 2**density)
    return float((2**density + fraction) * 2.0 ** (octave - density))


def unmapped(member: Member, coding: Coding) -> NDArray[np.int32]:
    """Return the levels that the coded ones of dependent quantisation stand for."""
    block = 4 << coding.scan_order if coding.scan_order else 0
    rows = member.levels.reshape(member.levels.shape[0], -1)
    result = np.zeros_like(rows)
    state = 0
    for row, column in scanned(*rows.shape, block):
        level = int(rows[row, column])
        doubled = _wrapped(2 * level)
        result[row, column] = _wrapped(doubled - (state & 1) * int(np.sign(doubled)))
        state = NEXT_STATE[state][level & 1]
    return result.reshape(member.levels.shape)


def _wrapped(value: int) -> int:
    """Return ``value`` as int32 holds it."""
    return (value + 2**31) % 2**32 - 2**31


def scanned(height: int, width: int, block: int) -> list[tuple[int, int]]:
    """Return the places of a matrix in the order in which its levels are coded."""
    side_rows, side_columns = block or height or 1, block or width or 1
    return [
        (row, column)
        for top in range(0, height, side_rows)
        for left in range(0, width, side_columns)
        for row in range(top, min(top + side_rows, height))
        for column in range(left, min(left + side_columns, width))
    ]


def entry_points(points: Sequence[EntryPoint]) -> tuple[dict[str, int], ...]:
    """Return the entry point list of a header."""
    values = []
    for index, point in enumerate(points):
        entry = {"value": point.value, "dq_state": point.dq_state}
        if index:
            entry["bit_offset_delta"] = point.bit_offset - points[index - 1].bit_offset
        else:
            entry["bit_offset"] = point.bit_offset
        values.append(entry)
    return tuple(values)


def codebook_elements(book: Codebook, order: int = 0) -> dict[str, Any]:
    """Return the syntax elements of a codebook; ``order`` is that of its Golomb codes."""
    entries, centre = book.entries, book.zero_offset
    gaps = [high - low - 1 for low, high in pairwise(entries)]
    return {
        "codebook_egk": order,
        "codebook_size": len(entries),
        "codebook_centre_offset": centre - (len(entries) >> 1),
        "codebook_zero_value": entries[centre],
        "codebook_deltas_left": tuple(reversed(gaps[:centre])),
        "codebook_deltas_right": tuple(gaps[centre:]),
    }


def _codebooks(members: Sequence[Member]) -> dict[str, Any]:
    books = [member.codebook for member in members if member.codebook is not None]
    if not books:
        return {}
    groups = zip(("codebook", "codebook_dc"), books, strict=False)
    return {"codebook_present_flag": 1, **{key: codebook_elements(book) for key, book in groups}}


def _header(payload_type: int, values: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {
        "nnr_compressed_data_unit_payload_type": payload_type,
        "input_parameters_present_flag": 1,
        "tensor_dimensions_flag": 1,
        "count_tensor_dimensions": len(values["tensor_dimensions"]),
    }
    return {**defaults, **values}
