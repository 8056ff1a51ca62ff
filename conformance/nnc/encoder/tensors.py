"""From arrays to the coded tensors of one unit, as the settings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.encoder.settings import EncoderSettings, LevelTools
from conformance.nnc.encoder.trellis import quantize_dependent, trellis_values
from conformance.nnc.encoder.units import CodedTensor, UnitCoding, coding_of
from conformance.nnc.planning import MATRICES, Role
from conformance.nnc.quantization import INT32_MAX, INT32_MIN, Codebook, step_size
from conformance.nnc.state import DecoderState, Reference


def code_tensor(
    name: str,
    role: Role,
    array: NDArray[Any],
    unit: UnitCoding,
    settings: EncoderSettings,
    state: DecoderState,
) -> CodedTensor:
    """Return a tensor with its levels, quantized unless the unit is of type INT.

    Raises:
        ValueError: A value is not finite, or no 32-bit integer in an INT unit.
    """
    tensor = CodedTensor(name, role, array.shape, np.zeros(0, np.int32))
    if unit.parent and settings.levels.history:
        tensor = replace(tensor, history=state.histories.get(name))
    if unit.payload_type == "INT":
        return with_tools(replace(tensor, levels=integer_levels(name, array)), unit, settings)
    quantization = settings.quantization
    qp = quantization.qp_of(name)
    step = step_size(qp, unit.qp_density)
    tensor = replace(tensor, qp=qp)
    if quantization.codebook_size and role in MATRICES:
        codebook, levels = quantize_codebook(array, step, quantization.codebook_size)
        return with_tools(replace(tensor, codebook=codebook, levels=levels), unit, settings)
    if not unit.dependent:
        return with_tools(replace(tensor, levels=quantize_uniform(array, step)), unit, settings)
    return code_dependent(tensor, in_steps(array, step), unit, settings)


def code_dependent(
    tensor: CodedTensor,
    samples: NDArray[np.float64],
    unit: UnitCoding,
    settings: EncoderSettings,
) -> CodedTensor:
    """Quantize on the trellis: twice where rows are skipped, as these move its state."""
    coding = coding_of(tensor, unit)
    weight = settings.quantization.lagrangian
    levels = quantize_dependent(samples, coding, weight)
    tensor = with_tools(replace(tensor, levels=levels), unit, settings)
    skipped = tensor.tools.skipped
    if skipped is None or not skipped.any():
        return tensor
    return replace(tensor, levels=quantize_dependent(samples, coding, weight, skipped))


def with_tools(tensor: CodedTensor, unit: UnitCoding, settings: EncoderSettings) -> CodedTensor:
    """Return the tensor with the tools of the settings that apply to it."""
    coding, chosen = coding_of(tensor, unit), settings.levels
    skipped = zero_rows(tensor.levels, coding) if chosen.row_skip else None
    tools = LevelTools(
        skipped=skipped if coding.has_tool_flags else None,
        history_flag=chosen.history and coding.parent and coding.has_tool_flags,
        initialisation=chosen.initialisation,
    )
    return replace(tensor, tools=tools)


def zero_rows(levels: NDArray[np.int32], coding: LevelCoding) -> NDArray[np.bool_]:
    """Return of each matrix row whether all its levels are 0."""
    return np.asarray(~levels.reshape(coding.height, coding.width).any(1))


def integer_levels(name: str, array: NDArray[Any]) -> NDArray[np.int32]:
    """Return integers as levels."""
    if array.size and not INT32_MIN <= int(array.min()) <= int(array.max()) <= INT32_MAX:
        raise ValueError(f"{name!r} has an integer of more than 32 bits")
    return array.astype(np.int32).ravel()


def with_references(
    tensors: list[CodedTensor], references: Mapping[str, Reference]
) -> list[CodedTensor]:
    """Return the tensors with the levels that temporal contexts look at."""
    return [replace(tensor, reference=references[tensor.name].levels) for tensor in tensors]


def decoded_levels(tensor: CodedTensor, unit: UnitCoding) -> NDArray[np.int32]:
    """Return the levels that a decoder gives."""
    return trellis_values(tensor.levels.ravel(), coding_of(tensor, unit), tensor.tools.skipped)


LLOYD_ROUNDS: Final = 20


def in_steps(array: NDArray[Any], step: float) -> NDArray[np.float64]:
    """The values of an array in multiples of ``step``, flat; ValueError if one is not finite."""
    samples = np.asarray(array, np.float64).ravel() / step
    if not np.isfinite(samples).all():
        raise ValueError("a tensor to be quantized has a value that is not finite")
    return samples


def quantize_uniform(array: NDArray[Any], step: float) -> NDArray[np.int32]:
    """The nearest int32 level of each value, flat."""
    return np.clip(np.rint(in_steps(array, step)), INT32_MIN, INT32_MAX).astype(np.int32)


def quantize_codebook(
    array: NDArray[Any], step: float, size: int
) -> tuple[Codebook, NDArray[np.int32]]:
    """A codebook of at most ``size`` entries, and the level (entry less zero offset) of each value.

    The entries are the multiples of ``step`` that occur; where there are more than ``size``, they
    are merged by Lloyd's algorithm. Level 0 stands for the entry that most values have.
    """
    multiples, inverse, counts = np.unique(
        quantize_uniform(array, step), return_inverse=True, return_counts=True
    )
    if not multiples.size:
        return Codebook((0,), 0), np.zeros(0, np.int32)
    entries = merge_levels(multiples, counts, size)
    nearest = nearest_entries(multiples, entries)
    zero_offset = int(np.argmax(np.bincount(nearest, counts, entries.size)))
    levels = (nearest[inverse.ravel()] - zero_offset).astype(np.int32)
    return Codebook(tuple(entries.tolist()), zero_offset), levels


def merge_levels(
    levels: NDArray[np.int32], counts: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """At most ``size`` increasing integers near the ``levels``, which occur ``counts`` times."""
    entries = levels.astype(np.int64)
    if entries.size <= size:
        return entries
    ranks = np.linspace(0, entries.size - 1, size)
    entries = np.unique(levels[np.rint(ranks).astype(np.int64)].astype(np.int64))
    for _ in range(LLOYD_ROUNDS):
        nearest = nearest_entries(levels, entries)
        weights = np.bincount(nearest, counts, entries.size)
        sums = np.bincount(nearest, counts * levels.astype(np.float64), entries.size)
        used = weights > 0
        moved = np.unique(np.rint(sums[used] / weights[used]).astype(np.int64))
        if np.array_equal(moved, entries):
            break
        entries = moved
    return entries


def nearest_entries(levels: NDArray[Any], entries: NDArray[np.int64]) -> NDArray[np.int64]:
    """The index of the nearest of the increasing ``entries`` for each level."""
    middles = (entries[1:] + entries[:-1]) / 2
    return np.searchsorted(middles, levels)
