"""What a compressed data unit to be written is made of: its tensors and what they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.encoder.tools import NO_TOOLS, LevelTools
from conformance.nnc.options import Dialect
from conformance.nnc.quantization import Codebook
from conformance.nnc.tensors import PayloadType, Role


@dataclass(frozen=True, slots=True)
class CodedTensor:
    """One tensor as coded: int32 levels in C order, before the mapping of the trellis.

    ``qp`` is not used in INT units. ``reference`` (int32) turns temporal contexts on; all tensors
    of a unit have one or none. ``history`` is int8, 0 or 1.
    """

    name: str
    role: Role
    shape: tuple[int, ...]
    levels: NDArray[np.int32]
    qp: int = 0
    codebook: Codebook | None = None
    tools: LevelTools = NO_TOOLS
    reference: NDArray[np.int32] | None = None
    history: NDArray[np.int8] | None = None


@dataclass(frozen=True, slots=True)
class UnitCoding:
    """What all tensors of a unit share; ``dimensions`` are needed where they are not a tensor's.

    ``parent`` is the parent_node_id_present_flag. ``block_types`` are the
    compressed_parameter_types of a FLOAT unit that is a piece of a block.
    """

    payload_type: PayloadType
    profile: int = 1
    dialect: Dialect = "nncodec-2"
    qp_density: int = 2
    base_qp: int = 0
    dependent: bool = False
    unary_length: int = 10
    scan_order: int = 0
    parent: bool = False
    dimensions: tuple[int, ...] | None = None
    block_types: int = 0
