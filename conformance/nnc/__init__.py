"""An independent decoder for NNC, ISO/IEC 15938-17: compressed representation of neural networks.

From a file to named arrays::

    from conformance import nnc

    tensors = nnc.decode("model.nnc")

One tensor, without reading the payloads of the others::

    weight = nnc.decode_tensor("model.nnc", "fc1.weight")

An update chain, whose streams code differences, shares one state::

    state = nnc.DecoderState()
    differences = [nnc.decode(path, state=state) for path in ("base.nnc", "update.nnc")]

The packages: ``syntax`` describes every unit once, for ``parser``, ``writer`` and ``inspection``;
``cabac`` has the kernels of arithmetic decoding; ``decoder`` puts both together; ``encoder`` is
the way back. Nothing here imports another part of the suite, and numba is imported when something
is decoded.
"""

from __future__ import annotations

from conformance.nnc.access import decode_tensor
from conformance.nnc.decoder import decode, decode_stream
from conformance.nnc.errors import (
    NncError,
    NncLimitError,
    NncMalformedError,
    NncUnsupportedError,
    Position,
)
from conformance.nnc.options import Interpretation, Limits, Options
from conformance.nnc.parser import parse_stream
from conformance.nnc.state import DecoderState
from conformance.nnc.stream import Element, Stream, Unit
from conformance.nnc.writer import StreamWriter

__all__ = [
    "DecoderState",
    "Element",
    "Interpretation",
    "Limits",
    "NncError",
    "NncLimitError",
    "NncMalformedError",
    "NncUnsupportedError",
    "Options",
    "Position",
    "Stream",
    "StreamWriter",
    "Unit",
    "decode",
    "decode_stream",
    "decode_tensor",
    "parse_stream",
]
