"""Compiling the kernels of the decoder ahead of its first use."""

from __future__ import annotations

from time import perf_counter

import numpy as np


def is_compiled() -> bool:
    """Tell whether decoding can begin without compiling anything."""
    import conformance.nnc.cabac.decoding
    from conformance.nnc.cabac import jit

    del conformance  # imported for the kernels that it makes known
    return jit.is_compiled()


def compile_kernels() -> float:
    """Compile every kernel of the decoder, or load it where that was done; return the seconds.

    A payload of zeros is decoded with and without counting bits, which takes all kernels there
    are.
    """
    from conformance.nnc.cabac.decoding import LevelCoding, PayloadDecoder

    start = perf_counter()
    payload = np.zeros(256, np.uint8)
    coding = LevelCoding(height=4, width=4, scan_order=0, dependent=True, unary_length=10)
    for count_bits in (False, True):
        decoder = PayloadDecoder(payload, count_bits=count_bits)
        decoder.read_iae(8)
        decoder.read_levels(coding, np.empty(16, np.int32))
    return perf_counter() - start
