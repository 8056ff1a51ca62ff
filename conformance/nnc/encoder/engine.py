"""The arithmetic encoder: events to the bytes of a codeword.

It mirrors the decoding engine of ISO/IEC 15938-17 (:mod:`conformance.nnc.cabac.engine`), with the
plain tables: a range of 9 bits, adaptive binary models with two estimators, bypass bins and a
terminating bin. ``registers`` holds, between calls, the encoder's LOW, RANGE, PENDING (bits of the
low register above its lowest 9, not yet written) and WRITTEN (bytes in the output).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.engine import BLOCK_ROW_RANGE
from conformance.nnc.cabac.jit import expand, kernel
from conformance.nnc.cabac.tables import LPS_RANGE, RATES, START_STATES, TRANSITION
from conformance.nnc.encoder.binarisation import BLOCK_ROW, BYPASS

LOW: Final = 0
RANGE: Final = 1
PENDING: Final = 2
WRITTEN: Final = 3

OFFSET_MASK: Final = 0x1FF
BYTE: Final = 8
FULL_BYTE: Final = 0xFF
MOST_PENDING: Final = 32
"""So many pending bits, and those of one more bin, leave room in the 64-bit low register."""


@expand
def update_model(states: NDArray[np.int64], model: int, index: int, bin_: int) -> None:
    """Move the two estimators ``states[model] = (S0, S1)`` of a model after a bin.

    Shifts of negative numbers round down, as the format has it.
    """
    sign = 1 if bin_ else -1
    first = states[model, 0]
    second = states[model, 1]
    states[model, 0] = first + sign * (TRANSITION[16 + ((sign * first) >> 3)] >> RATES[index, 0])
    states[model, 1] = second + sign * (TRANSITION[16 + ((sign * second) >> 7)] >> RATES[index, 1])


@expand
def start_model(states: NDArray[np.int64], model: int, index: int) -> None:
    """Put a model in the start state of an initialisation index."""
    states[model, 0] = START_STATES[index, 0]
    states[model, 1] = START_STATES[index, 1]


@expand
def start_models(states: NDArray[np.int64], indices: NDArray[np.int64]) -> None:
    """Put every model in the start state of its initialisation index."""
    for model in range(indices.size):
        start_model(states, model, indices[model])


@kernel
def write_bytes(registers: NDArray[np.int64], output: NDArray[np.uint8]) -> None:
    """Move whole bytes from the low register to the output, with the carry they bring."""
    low, pending, written = registers[LOW], registers[PENDING], registers[WRITTEN]
    while pending >= BYTE:
        pending -= BYTE
        byte = low >> (9 + pending)
        if byte > FULL_BYTE:  # a carry goes into the bytes before, through all that are 255
            place = written - 1
            while output[place] == FULL_BYTE:
                output[place] = 0
                place -= 1
            output[place] += 1
        output[written] = byte & FULL_BYTE
        written += 1
        low &= (1 << (9 + pending)) - 1
    registers[LOW], registers[PENDING], registers[WRITTEN] = low, pending, written


@kernel
def encode_events(
    events: NDArray[np.uint16],
    indices: NDArray[np.int64],
    registers: NDArray[np.int64],
    output: NDArray[np.uint8],
    marks: NDArray[np.int64],
) -> None:
    """Code events; all models start from ``indices``, their initialisation indices.

    ``output`` must have room for one byte an event after what is written. At the start of block
    row j, ``marks[j]`` becomes (bits before it, low register modulo 2**9).
    """
    states = np.empty((indices.size, 2), np.int64)
    start_models(states, indices)
    low, span, pending = registers[LOW], registers[RANGE], registers[PENDING]
    block_row = 0
    for event in events:
        bin_ = event & 1
        if event < BYPASS:
            model = event >> 1
            state = states[model, 1] + 16 * states[model, 0]
            less = LPS_RANGE[(span >> 5) & 7, abs(state >> 7)]
            span -= less
            if bin_ != (state >= 0):
                low += span
                span = less
            while span < BLOCK_ROW_RANGE:
                span <<= 1
                low <<= 1
                pending += 1
            update_model(states, model, indices[model], bin_)
        elif event < BLOCK_ROW:
            low = 2 * low + span * bin_
            pending += 1
        else:
            span = BLOCK_ROW_RANGE
            marks[block_row, 0] = BYTE * registers[WRITTEN] + pending
            marks[block_row, 1] = low & OFFSET_MASK
            block_row += 1
            start_models(states, indices)
        if pending >= MOST_PENDING:
            registers[LOW], registers[PENDING] = low, pending
            write_bytes(registers, output)
            low, pending = registers[LOW], registers[PENDING]
    registers[LOW], registers[RANGE], registers[PENDING] = low, span, pending
    write_bytes(registers, output)


def finish_codeword(registers: NDArray[np.int64], output: NDArray[np.uint8]) -> int:
    """Write the terminating bin, the stop bit and the zeros after it; gives the bytes in all.

    The bits consumed by a decoder end with the stop bit, so of the two values left of the interval
    the odd one is written. ``output`` must have room for three more bytes.
    """
    registers[LOW] = (registers[LOW] + registers[RANGE] - 2) | 1
    padding = -(9 + int(registers[PENDING])) % BYTE
    registers[LOW] <<= 9 + padding
    registers[PENDING] += 9 + padding
    write_bytes(registers, output)
    return int(registers[WRITTEN])
