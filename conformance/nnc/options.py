"""What a caller decides: how to read what a stream leaves open, limits, reconstruction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Dialect: TypeAlias = Literal["nncodec-2", "nncodec-1.0"]
MapEntries: TypeAlias = Literal["count-minus-1", "count"]

USUAL_UNARY_LENGTH, LARGEST_UNARY_LENGTH = 10, 256


@dataclass(frozen=True, slots=True)
class Interpretation:
    """The choices that a stream does not make.

    ``dialect``: NNCodec 1.0 writes ``general_profile_idc`` 0 with 32 remainder contexts and a
    range reset also before a single block row; everything since has 31 and none.
    ``map_entries``: whether the count of a performance map is the number of its entries, or one
    more, as NNCodec reads it.
    """

    dialect: Dialect = "nncodec-2"
    map_entries: MapEntries = "count-minus-1"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what a stream may ask for, checked before anything is allocated.

    ``decoded_bytes``: all decoded tensors of one stream together. ``free_bytes``: of these, what
    no bit of a payload pays for, which 32 bytes of a file could ask for without end: rows that a
    flag skips, and codebooks of one entry. ``elements``: syntax elements in the headers of all its
    units. ``units``: units in a stream.
    """

    decoded_bytes: int = 4 << 30
    free_bytes: int = 256 << 20
    elements: int = 1 << 20
    units: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """How :func:`conformance.nnc.decode` decodes.

    ``dimensions`` are the shapes of tensors whose dimensions are not in the stream.
    ``cabac_unary_length`` is the ``cabac_unary_length_minus1`` + 1 of data units that do not state
    it: 1 to 256, ValueError otherwise. ``threads`` of None takes every CPU this process may use.
    ``apply_local_scaling`` multiplies each weight by its local scaling and drops the scaling;
    ``multiply_decomposition`` replaces G and H by their product.
    """

    interpretation: Interpretation = Interpretation()
    limits: Limits = Limits()
    dimensions: Mapping[str, Sequence[int]] = field(default_factory=dict)
    cabac_unary_length: int = USUAL_UNARY_LENGTH
    threads: int | None = None
    apply_local_scaling: bool = False
    multiply_decomposition: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.cabac_unary_length <= LARGEST_UNARY_LENGTH:
            raise ValueError(
                f"cabac_unary_length is 1 to {LARGEST_UNARY_LENGTH}: {self.cabac_unary_length}"
            )


DEFAULT_OPTIONS = Options()
