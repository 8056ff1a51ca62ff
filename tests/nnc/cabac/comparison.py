"""Decode one payload with the kernels and with the plain reference, and compare everything."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from conformance.nnc.cabac.coding import GROUPS, LevelCoding, LevelReport, PayloadError
from conformance.nnc.cabac.decoding import PayloadDecoder
from tests.nnc.reference.arithmetic import ArithmeticDecoder, EndOfPayloadError, OffsetError
from tests.nnc.reference.levels import LevelDecoder

FILLING = -0x5A5A5A5A
"""What results hold before they are decoded."""


@dataclass
class Decoded:
    """What a decoder made of a payload, up to the first error."""

    levels: list[list[int]] = field(default_factory=list)
    reports: list[LevelReport] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    error: str = ""
    error_is_inside: bool = True


def decode_with_kernels(
    payload: bytes, codings: Sequence[LevelCoding], *, count_bits: bool
) -> Decoded:
    decoded = Decoded()
    try:
        decoder = PayloadDecoder(np.frombuffer(payload, np.uint8), count_bits=count_bits)
        for coding in codings:
            levels = np.full(coding.size, FILLING, np.int32)
            decoded.reports.append(decoder.read_levels(coding, levels))
            decoded.levels.append(levels.tolist())
            decoded.positions.append(decoder.position_bits)
        decoded.positions.append(decoder.finish())
    except PayloadError as error:
        decoded.error = kind_of(error)
        decoded.error_is_inside = 0 <= error.bit <= 8 * len(payload)
    return decoded


def kind_of(error: PayloadError) -> str:
    for kind in ("ends before", "offset register", "terminating bin"):
        if kind in error.reason:
            return kind
    raise AssertionError(error.reason)


def decode_with_reference(
    payload: bytes, codings: Sequence[LevelCoding], *, count_bits: bool
) -> Decoded:
    decoded = Decoded()
    try:
        engine = ArithmeticDecoder(payload)
        for coding in codings:
            decoder = LevelDecoder(engine, coding)
            decoder.decode()
            decoded.reports.append(report_of(decoder, count_bits=count_bits))
            decoded.levels.append(decoder.levels)
            decoded.positions.append(engine.bits)
        if not engine.terminating_bin():
            decoded.error = "terminating bin"
        else:
            decoded.positions.append((engine.bits + 7) // 8)
    except EndOfPayloadError:
        decoded.error = "ends before"
    except OffsetError:
        decoded.error = "offset register"
    return decoded


def report_of(decoder: LevelDecoder, *, count_bits: bool) -> LevelReport:
    flags = bool(decoder.row_skip), sum(decoder.skipped), bool(decoder.hdsp)
    if not count_bits:
        return LevelReport(*flags)
    return LevelReport(
        *flags,
        initialisation=tuple(decoder.initialisation),
        bits={group: decoder.bits[group] for group in GROUPS},
        entry_points=decoder.entry_points(),
    )


def compare(payload: bytes, codings: Sequence[LevelCoding], *, count_bits: bool = False) -> Decoded:
    """Return what both decoders made of ``payload``; fail where they differ."""
    kernels = decode_with_kernels(payload, codings, count_bits=count_bits)
    reference = decode_with_reference(payload, codings, count_bits=count_bits)
    assert kernels == reference, f"payload {payload.hex()}, codings {codings}"
    return kernels
