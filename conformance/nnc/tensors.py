"""The tensors of a compressed data unit, in the order of its payload.

An :class:`NduPlan` says which tensors the payload holds, with names, shapes and codebooks, and
what all of them share; :mod:`conformance.nnc.planning` makes it from the unit's header. A
:class:`TensorRecord` says what became of one: an observer is told it while a stream is decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.active import ActiveParameters
from conformance.nnc.quantization import Codebook
from conformance.nnc.stream import Unit

if TYPE_CHECKING:
    from conformance.nnc.cabac.decoding import LevelCoding, LevelReport

DataType: TypeAlias = Literal["int32", "float32", "float64"]
PayloadType: TypeAlias = Literal["INT", "FLOAT", "RAW_FLOAT", "BLOCK"]
Role: TypeAlias = Literal[
    "tensor",
    "weight",
    "G",
    "H",
    "local-scaling",
    "bias",
    "bn-beta",
    "bn-gamma",
    "bn-mean",
    "bn-var",
]
PAYLOAD_TYPES: tuple[PayloadType, ...] = ("INT", "FLOAT", "RAW_FLOAT", "BLOCK")
BATCH_NORM_ROLES: tuple[Role, ...] = ("bn-beta", "bn-gamma", "bn-mean", "bn-var")
PAYLOAD_ORDER: tuple[Role, ...] = (
    "local-scaling",
    "bias",
    *BATCH_NORM_ROLES,
    "weight",
    "G",
    "H",
    "tensor",
)
MATRICES: frozenset[Role] = frozenset({"weight", "G", "H", "tensor"})
"""Roles whose levels follow the unit's scan order and may have a codebook."""


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """One tensor of a payload. ``scan_order`` is 0 where the unit's does not apply to it."""

    name: str
    role: Role
    shape: tuple[int, ...]
    dtype: DataType
    codebook: Codebook | None = None
    scan_order: int = 0

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def matrix(self) -> tuple[int, int]:
        """Height and width of the tensor as a matrix; a tensor without elements has height 0."""
        width = prod(self.shape[1:])
        return (self.shape[0] if self.shape and width else int(width > 0), width or 1)


@dataclass(frozen=True, slots=True)
class NduPlan:
    """All tensors of one compressed data unit, and what they share.

    ``dimensions`` are those of the unit: the shape of a decomposed weight is there, not in
    ``tensors``. ``temporal`` and ``parent`` are the flags of the header.
    """

    unit: Unit
    active: ActiveParameters
    payload_type: PayloadType
    tensors: tuple[TensorPlan, ...]
    dimensions: tuple[int, ...]
    dependent: bool
    unary_length: int
    temporal: bool
    parent: bool

    @property
    def coded(self) -> bool:
        """Whether the payload is arithmetically coded."""
        return self.payload_type != "RAW_FLOAT"

    @property
    def quantized(self) -> bool:
        """Whether each tensor starts with a quantization parameter."""
        return self.payload_type in {"FLOAT", "BLOCK"}


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


Observer: TypeAlias = Callable[[TensorRecord, "NDArray[np.int32] | None"], None]
"""Called after each tensor with its levels (1-D, C order), None for raw values."""
