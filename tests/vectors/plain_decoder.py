"""A whole stream decoded by the plain reference: slow, and no kernel of ours takes part.

Headers are read by the parser and planned by the decoder; payloads are decoded by
``tests.nnc.reference``, references, histories and values are this module's own.
"""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.decoder import plan_stream
from conformance.nnc.parser import parse_stream
from tests.nnc.reference.arithmetic import ArithmeticDecoder
from tests.nnc.reference.levels import LevelDecoder


@dataclass
class PlainDecoder:
    """Decodes the streams of a case in order."""

    options: object
    references: dict = field(default_factory=dict)
    histories: dict = field(default_factory=dict)

    def decode(self, data):
        plans = plan_stream(parse_stream(data, self.options), self.options)
        tensors = {}
        for plan in plans:
            first = plan.unit.payload_byte
            tensors.update(self.unit(plan, data[first : first + plan.unit.payload_size]))
        for plan in plans:
            if plan.active.parent_signalling and plan.coded:
                self.remember(plan)
        return tensors

    def unit(self, plan, payload):
        if not plan.coded:
            (tensor,) = plan.tensors
            return {tensor.name: np.frombuffer(payload, "<f4").reshape(tensor.shape)}
        decoder = ArithmeticDecoder(payload)
        tensors = {tensor.name: self.tensor(plan, tensor, decoder) for tensor in plan.tensors}
        assert decoder.terminating_bin() == 1
        assert ends_with_stop_bit(payload, decoder.bits)
        return tensors

    def tensor(self, plan, tensor, decoder):
        active = plan.active
        if plan.quantized:
            qp = decoder.iae(6 + active.qp_density) + active.quantization_parameter
        coded = LevelDecoder(decoder, self.coding(plan, tensor))
        coded.decode()
        levels = self.references[tensor.name] = coded.levels
        if not plan.quantized:
            return np.array(levels, np.int32).reshape(tensor.shape)
        step = step_size(qp, active.qp_density)
        if tensor.codebook is None:
            values = [np.float32(step) * np.float32(level) for level in levels]
            return np.array(values, np.float32).reshape(tensor.shape)
        entries, zero = tensor.codebook.entries, tensor.codebook.zero_offset
        values = [entries[level + zero] * step for level in levels]
        return np.array(values, np.float64).reshape(tensor.shape)

    def coding(self, plan, tensor):
        height, width = tensor.matrix
        second = plan.active.profile == 1
        book = tensor.codebook if second else None
        old = plan.active.dialect == "nncodec-1.0"
        return LevelCoding(
            height=height,
            width=width,
            scan_order=tensor.scan_order,
            dependent=plan.dependent,
            unary_length=plan.unary_length,
            codebook_size=len(book.entries) if book else 0,
            zero_offset=book.zero_offset if book else 0,
            remainder_contexts=32 if old else 31,
            resets_single_block_row=old,
            tool_flags=second,
            parent=plan.parent,
            reference=self.references[tensor.name] if plan.temporal else None,
            history=self.histories.get(tensor.name),
        )

    def remember(self, plan):
        for tensor in plan.tensors:
            before = self.histories.get(tensor.name, [0] * tensor.size)
            now = self.references[tensor.name]
            history = [int(bool(b or n)) for b, n in zip(before, now, strict=True)]
            self.histories[tensor.name] = history


def ends_with_stop_bit(payload, bits):
    """Whether the last of ``bits`` is 1 and the rest of its byte, the last one, is 0."""
    number = int.from_bytes(payload, "big")
    return len(payload) == (bits + 7) // 8 and number & -number == 1 << (8 * len(payload) - bits)


def step_size(qp, density):
    octave, fraction = divmod(qp, 2**density)
    return float((2**density + fraction) * Fraction(2) ** (octave - density))
