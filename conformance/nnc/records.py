"""What an observer is told about each tensor while a stream is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.tensors import PayloadType, Role

if TYPE_CHECKING:
    from conformance.nnc.cabac.decoding import LevelCoding, LevelReport


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
