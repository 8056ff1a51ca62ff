"""What the level syntax can express: checked before a tensor is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from conformance.nnc.cabac.coding import LevelCoding
    from conformance.nnc.encoder.tools import LevelTools

MAX_UNARY_LENGTH = 256


def check_levels(coding: LevelCoding, levels: NDArray[np.int32], tools: LevelTools) -> None:
    """Raise ValueError where levels or tools cannot be written with a coding."""
    total = coding.height * coding.width
    _require(levels.size == total, f"{total} levels are needed, {levels.size} are given")
    _require(levels.dtype == np.int32, f"levels are int32, not {levels.dtype}")
    unary = coding.unary_length
    _require(1 <= unary <= MAX_UNARY_LENGTH, f"unary_length is 1 to {MAX_UNARY_LENGTH}: {unary}")
    for name, values in (("reference", coding.reference), ("history", coding.history)):
        _require(values is None or values.size == total, f"{name} needs {total} elements")
    if coding.codebook_size:
        _check_codebook(coding, levels)
    _check_tools(coding, levels, tools)


def _check_codebook(coding: LevelCoding, levels: NDArray[Any]) -> None:
    last = coding.codebook_size - 1 - coding.zero_offset
    _require(
        0 <= coding.zero_offset < coding.codebook_size,
        f"the zero offset {coding.zero_offset} is outside {coding.codebook_size} entries",
    )
    outside = levels[(levels < -coding.zero_offset) | (levels > last)]
    _require(
        not outside.size,
        f"levels of this codebook are {-coding.zero_offset} to {last}, found {outside[:1]}",
    )


def _check_tools(coding: LevelCoding, levels: NDArray[Any], tools: LevelTools) -> None:
    flags = coding.has_tool_flags
    _require(
        flags or tools.skipped is None,
        "row skipping needs profile 1 and a matrix of two or more rows and columns",
    )
    _require(
        (flags and coding.parent) or not tools.history_flag,
        "history-dependent significance needs profile 1, a parent and a matrix",
    )
    if tools.skipped is None:
        return
    rows = levels.reshape(coding.height, coding.width)
    _require(
        tools.skipped.shape == (coding.height,) and tools.skipped.dtype == np.bool_,
        f"row skip flags are bool of shape ({coding.height},)",
    )
    _require(not rows[tools.skipped].any(), "a skipped row has a level that is not 0")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
