"""Codecs: ways of decoding a compressed sample into named tensors, or into a runnable model.

A codec is found by its id through the entry point group ``nnr_conformance.codecs``, so that a
laboratory adds its own without touching this package; docs/codecs.md says how.
"""

from __future__ import annotations

from conformance.codecs._protocol import (
    Base,
    ChainCodec,
    Codec,
    Decoded,
    DecodedModel,
    DecodedTensors,
    Identity,
    Inspection,
    Memory,
    RandomAccess,
    RuleViolation,
    Source,
    Step,
    WrongParent,
)
from conformance.registry import CODECS

__all__ = [
    "CODECS",
    "Base",
    "ChainCodec",
    "Codec",
    "Decoded",
    "DecodedModel",
    "DecodedTensors",
    "Identity",
    "Inspection",
    "Memory",
    "RandomAccess",
    "RuleViolation",
    "Source",
    "Step",
    "WrongParent",
    "codec",
]


def codec(codec_id: str) -> Codec:
    """Return the codec with this id; an UnsupportedError lists those that are there."""
    made: Codec = CODECS.load(codec_id)()
    return made
