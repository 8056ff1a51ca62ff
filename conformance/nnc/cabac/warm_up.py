"""Compile the kernels, or load them, before they are needed."""

from __future__ import annotations

import logging
from functools import cache

import numpy as np

from conformance.nnc.cabac import jit
from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.cabac.decoding import PayloadDecoder

PAYLOAD = np.zeros(64, np.uint8)
ALL_TOOLS = LevelCoding(2, 2, 0, dependent=False, unary_length=1, codebook_size=4, zero_offset=2)
NO_TOOLS = LevelCoding(2, 2, 0, dependent=False, unary_length=1)


def is_compiled() -> bool:
    """Return whether decoding can start at once; if not, the kernels are compiled first.

    That takes some seconds, once for an installation if anything there can be written.
    """
    return jit.is_compiled()


@cache
def announce_compilation() -> None:
    """Log, once in a process, that kernels are about to be compiled, if they are."""
    if not is_compiled():
        logging.getLogger("conformance.nnc").warning(
            "Compiling the NNC decoder, once after installation: about ten seconds"
        )


def warm_up() -> None:
    """Compile every kernel, or load it if it was compiled before."""
    decoder = PayloadDecoder(PAYLOAD)
    decoder.read_iae(1)
    for coding in (NO_TOOLS, ALL_TOOLS):
        decoder.read_levels(coding, np.empty(coding.size, np.int32))
