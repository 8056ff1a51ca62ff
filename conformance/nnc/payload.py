"""The payload of a compressed data unit, decoded into the tensors of its plan.

:func:`decode_unit` gives the values, and reports to an :data:`Observer` how each tensor was coded.
Numba is imported when the first payload is decoded, not with this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import EntryPoint, LevelCoding, LevelReport, PayloadError
from conformance.nnc.errors import NncMalformedError
from conformance.nnc.planning import NduPlan, PayloadType, Role, TensorPlan
from conformance.nnc.quantization import Values, empty_result, levels_of, look_up, scale, step_size
from conformance.nnc.state import DecoderState

if TYPE_CHECKING:
    from conformance.nnc.cabac.decoding import PayloadDecoder

QP_BITS = 6
"""Bits of a tensor's quantization parameter, less the density."""
LEGACY_REMAINDER_CONTEXTS, REMAINDER_CONTEXTS = 32, 31
"""Models of the remainder's prefix whose initialisation is coded: by NNCodec 1.0, and since."""
FIX = "encode the stream again: its payload is damaged, or was written under other rules"
OTHER_DIALECT = {
    "nncodec-2": "nncodec-1.0",
    "nncodec-1.0": "nncodec-2",
}


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """One decoded tensor: where it was, how it was coded and what it cost.

    ``unit`` is the index of the NNR unit. ``dtype`` is that of the result. ``qp``, ``qp_density``
    and ``step`` are None for tensors that are not quantized; ``codebook`` holds the integer
    entries, of which level 0 selects number ``zero_offset``. ``coding`` and ``report`` are None
    for raw values. ``temporal`` and ``history`` say whether levels of earlier streams shaped the
    contexts. ``payload_bits`` counts everything of the tensor in the payload.
    """

    name: str
    unit: int
    role: Role
    shape: tuple[int, ...]
    dtype: str
    payload_type: PayloadType
    qp: int | None
    qp_density: int | None
    step: float | None
    codebook: tuple[int, ...] | None
    zero_offset: int
    coding: LevelCoding | None
    report: LevelReport | None
    temporal: bool
    history: bool
    payload_bits: int


Observer: TypeAlias = Callable[[TensorRecord, NDArray[np.int32] | None], None]
"""Called after each tensor with its levels (1-D, C order), None for raw values."""


def decode_unit(
    plan: NduPlan,
    data: memoryview,
    state: DecoderState | None,
    *,
    threads: int = 1,
    observer: Observer | None = None,
) -> list[Values]:
    """Return the tensors of ``plan`` in its order, from the bytes of the whole stream.

    ``state`` gives references and takes the levels decoded; None where no stream needs them. At
    most ``threads`` share a tensor with entry points. ``observer`` is called after each tensor.

    Raises :class:`NncMalformedError` where the payload cannot be decoded, or its codeword does not
    end with the unit.
    """
    first = plan.unit.payload_byte
    payload = np.frombuffer(data, np.uint8)[first : first + plan.unit.payload_size]
    if not plan.coded:
        return [raw_values(plan, payload, observer)]
    codeword = Codeword(plan, payload, state, threads, observer)
    tensors = [codeword.tensor(tensor) for tensor in plan.tensors]
    codeword.finish()
    return tensors


def raw_values(plan: NduPlan, payload: NDArray[np.uint8], observer: Observer | None) -> Values:
    """Return the values of a RAW_FLOAT unit: float32, little endian, in C order."""
    (tensor,) = plan.tensors
    values = np.frombuffer(payload, "<f4").astype(np.float32).reshape(tensor.shape)
    if observer is not None:
        observer(record_of(plan, tensor, bits=8 * payload.size), None)
    return values


@dataclass(slots=True)
class Codeword:
    """One arithmetic codeword: all tensors of a unit, one after another."""

    plan: NduPlan
    payload: NDArray[np.uint8]
    state: DecoderState | None
    threads: int
    observer: Observer | None
    decoder: PayloadDecoder = field(init=False)
    entry_points: list[EntryPoint] = field(init=False)

    def __post_init__(self) -> None:
        # It imports numba, which takes long and is not needed to plan or inspect headers.
        from conformance.nnc.cabac.decoding import PayloadDecoder

        self.entry_points = entry_points_of(self.plan)
        with explained(self.plan, "the start of the payload"):
            self.decoder = PayloadDecoder(self.payload, count_bits=self.observer is not None)

    def tensor(self, tensor: TensorPlan) -> Values:
        """Decode the next tensor."""
        start = self.decoder.position_bits
        quantization = self.quantization_parameter(tensor) if self.plan.quantized else None
        coding = self.coding(tensor)
        result = empty_result(tensor.shape, tensor.dtype)
        levels = levels_of(result)
        with explained(self.plan, f"levels of {tensor.name!r}"):
            report = self.decoder.read_levels(
                coding, levels, self.entries_for(tensor), threads=self.threads
            )
        self.keep(tensor, levels)
        if self.observer is not None:
            bits = self.decoder.position_bits - start
            record = record_of(
                self.plan, tensor, quantization, bits=bits, coding=coding, report=report
            )
            self.observer(record, levels.copy())
        if quantization is not None:
            self.dequantize(tensor, result, quantization.step)
        return result

    def quantization_parameter(self, tensor: TensorPlan) -> QuantizationParameter:
        """Read the quantization parameter of a tensor."""
        active = self.plan.active
        density = active.qp_density or 0
        start = self.decoder.position_bits
        # The payload has the difference to the parameter of the parameter set. A finer grid of step
        # sizes takes as many more bits for the same range of them.
        with explained(self.plan, f"qp of {tensor.name!r}"):
            qp = self.decoder.read_iae(QP_BITS + density) + active.quantization_parameter
        try:
            return QuantizationParameter(qp, density, step_size(qp, density))
        except OverflowError:
            raise step_error(self.plan, tensor, start, qp) from None

    def coding(self, tensor: TensorPlan) -> LevelCoding:
        """Return what shapes the level syntax of a tensor."""
        plan, (height, width) = self.plan, tensor.matrix
        legacy = plan.active.dialect == "nncodec-1.0"
        second_edition = plan.active.profile == 1
        # In the first edition a codebook changes nothing of how levels are coded.
        codebook = tensor.codebook if second_edition else None
        return LevelCoding(
            height=height,
            width=width,
            scan_order=tensor.scan_order,
            dependent=plan.dependent,
            unary_length=plan.unary_length,
            codebook_size=len(codebook.entries) if codebook else 0,
            zero_offset=codebook.zero_offset if codebook else 0,
            remainder_contexts=LEGACY_REMAINDER_CONTEXTS if legacy else REMAINDER_CONTEXTS,
            resets_single_block_row=legacy,
            tool_flags=second_edition,
            parent=plan.parent,
            reference=self.reference(tensor),
            history=self.history(tensor),
        )

    def reference(self, tensor: TensorPlan) -> NDArray[np.int32] | None:
        """Return the reference of a tensor with temporal contexts."""
        if not self.plan.temporal:
            return None
        state = self.state or DecoderState()
        return state.reference_for(tensor.name, tensor.size, self.plan.unit)

    def history(self, tensor: TensorPlan) -> NDArray[np.int8] | None:
        """Return the history of a tensor that has a parent."""
        if self.state is None or not self.plan.parent:
            return None
        return self.state.history_for(tensor.name, tensor.size, self.plan.unit)

    def entries_for(self, tensor: TensorPlan) -> Sequence[EntryPoint]:
        """Take the entry points of a tensor from those of the unit."""
        if tensor.role not in {"tensor", "weight", "G", "H"}:
            return ()
        # One for each block row but the first. A tensor with one row or column is scanned without
        # blocks, but has its entry points in the header all the same: taken here, and not used.
        height = tensor.shape[0] if tensor.shape else 1
        order: Any = self.plan.unit.values["scan_order"]
        count = max(0, -(-height // (4 << order)) - 1)
        taken, self.entry_points = self.entry_points[:count], self.entry_points[count:]
        return taken if tensor.scan_order else ()

    def keep(self, tensor: TensorPlan, levels: NDArray[np.int32]) -> None:
        """Let the state remember the levels, if there is one."""
        if self.state is not None:
            self.state.remember(tensor.name, levels, self.plan.unit)

    def dequantize(self, tensor: TensorPlan, result: Any, step: float) -> None:
        """Turn levels into values, in place; a level outside the codebook is an error."""
        if tensor.codebook is None:
            scale(result, step)
            return
        try:
            look_up(result, tensor.codebook, step)
        except ValueError as error:
            raise level_error(self.plan, tensor, str(error)) from None

    def finish(self) -> None:
        """Check that the codeword ends where the unit does."""
        with explained(self.plan, "the end of the payload"):
            used = self.decoder.finish()
        if used != self.payload.size:
            raise length_error(self.plan, used)


@dataclass(frozen=True, slots=True)
class QuantizationParameter:
    """Quantization parameter, density and step size of a tensor."""

    qp: int
    density: int
    step: float

    def __post_init__(self) -> None:
        if not isfinite(self.step):
            raise OverflowError


def entry_points_of(plan: NduPlan) -> list[EntryPoint]:
    """Return the entry points of the unit's header."""
    groups: Any = plan.unit.values["entry_points"] or ()
    return [EntryPoint(group["value"], group["dq_state"], group["bit_offset"]) for group in groups]


def record_of(
    plan: NduPlan,
    tensor: TensorPlan,
    quantization: QuantizationParameter | None = None,
    *,
    bits: int,
    coding: LevelCoding | None = None,
    report: LevelReport | None = None,
) -> TensorRecord:
    """Return what an observer gets to know about a tensor."""
    return TensorRecord(
        name=tensor.name,
        unit=plan.unit.index,
        role=tensor.role,
        shape=tensor.shape,
        dtype=tensor.dtype,
        payload_type=plan.payload_type,
        qp=quantization.qp if quantization else None,
        qp_density=quantization.density if quantization else None,
        step=quantization.step if quantization else None,
        codebook=tensor.codebook.entries if tensor.codebook else None,
        zero_offset=tensor.codebook.zero_offset if tensor.codebook else 0,
        coding=coding,
        report=report,
        temporal=coding is not None and coding.reference is not None,
        history=coding is not None and coding.history is not None and bool(report and report.hdsp),
        payload_bits=bits,
    )


@contextmanager
def explained(plan: NduPlan, field: str) -> Iterator[None]:
    """Turn what the kernels say about a payload into an error of the stream."""
    try:
        yield
    except PayloadError as error:
        raise NncMalformedError(
            f"The payload of {plan.tensors[0].name!r} cannot be decoded",
            position=plan.unit.in_payload(error.bit, field),
            expected=f"levels and a terminating bin in {plan.unit.payload_size} bytes",
            found=error.reason,
            fix=fix_for(plan),
        ) from error


def fix_for(plan: NduPlan) -> str:
    """Return what to do; a stream of the first edition may be of the other dialect."""
    if plan.active.profile == 1:
        return FIX
    dialect = OTHER_DIALECT[plan.active.dialect]
    return (
        f'if the stream follows the dialect "{dialect}", which nothing in it says, decode it '
        f'with Interpretation(dialect="{dialect}"); otherwise {FIX}'
    )


def length_error(plan: NduPlan, used: int) -> NncMalformedError:
    """Return the error of a codeword that ends before its unit does."""
    return NncMalformedError(
        f"Bytes follow the codeword of {plan.tensors[0].name!r}",
        position=plan.unit.in_payload(8 * used, "the end of the payload"),
        expected=f"{used} bytes of payload, as the codeword takes",
        found=f"{plan.unit.payload_size} bytes",
        fix=fix_for(plan),
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
        position=plan.unit.in_payload(0, f"levels of {tensor.name!r}"),
        expected=f"levels from {least} to {most}",
        found=found,
        fix=fix_for(plan),
    )


def step_error(plan: NduPlan, tensor: TensorPlan, bit: int, qp: int) -> NncMalformedError:
    """Return the error of a quantization parameter without a finite step size."""
    return NncMalformedError(
        f"The step size of {tensor.name!r} is too large for a number",
        position=plan.unit.in_payload(bit, f"qp of {tensor.name!r}"),
        expected="a quantization parameter with a finite step size",
        found=f"{qp} at density {plan.active.qp_density}",
        fix="write a smaller quantization parameter",
    )
