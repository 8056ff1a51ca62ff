"""An encoder for NNC, ISO/IEC 15938-17: for test streams, vectors and round trips.

:func:`encode` makes a whole stream from arrays and :class:`EncoderSettings`. To make streams that
no quantizer gives, :func:`encode_unit` takes the levels of a unit's tensors, and
:class:`PayloadEncoder` the parts of a payload. Importing this package imports numba.
"""

from __future__ import annotations

from conformance.nnc.cabac.coding import EntryPoint, LevelCoding
from conformance.nnc.encoder.encoding import encode
from conformance.nnc.encoder.payload import Payload, PayloadEncoder, encode_levels
from conformance.nnc.encoder.settings import (
    Block,
    EncoderSettings,
    LayerParameters,
    LevelSettings,
    LevelTools,
    Quantization,
    UpdateSettings,
)
from conformance.nnc.encoder.tensors import quantize_codebook, quantize_uniform
from conformance.nnc.encoder.trellis import quantize_dependent, trellis_values
from conformance.nnc.encoder.units import (
    CodedTensor,
    CodedUnit,
    UnitCoding,
    encode_unit,
    level_coding,
    raw_unit,
)

__all__ = [
    "Block",
    "CodedTensor",
    "CodedUnit",
    "EncoderSettings",
    "EntryPoint",
    "LayerParameters",
    "LevelCoding",
    "LevelSettings",
    "LevelTools",
    "Payload",
    "PayloadEncoder",
    "Quantization",
    "UnitCoding",
    "UpdateSettings",
    "encode",
    "encode_levels",
    "encode_unit",
    "level_coding",
    "quantize_codebook",
    "quantize_dependent",
    "quantize_uniform",
    "raw_unit",
    "trellis_values",
]
