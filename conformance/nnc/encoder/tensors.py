"""From arrays to the coded tensors of one unit, as the settings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.encoder.members import CodedTensor, UnitCoding
from conformance.nnc.encoder.quantisers import in_steps, quantise_codebook, quantise_uniform
from conformance.nnc.encoder.settings import EncoderSettings
from conformance.nnc.encoder.tools import LevelTools
from conformance.nnc.encoder.trellis import quantise_dependent, trellis_values
from conformance.nnc.encoder.units import coding_of
from conformance.nnc.quantization import INT32_MAX, INT32_MIN, step_size
from conformance.nnc.state import DecoderState, Reference
from conformance.nnc.tensors import MATRICES, Role


def code_tensor(
    name: str,
    role: Role,
    array: NDArray[Any],
    unit: UnitCoding,
    settings: EncoderSettings,
    state: DecoderState,
) -> CodedTensor:
    """Return a tensor with its levels, quantised unless the unit is of type INT.

    Raises:
        ValueError: A value is not finite, or no 32-bit integer in an INT unit.
    """
    tensor = CodedTensor(name, role, array.shape, np.zeros(0, np.int32))
    if unit.parent and settings.levels.history:
        tensor = replace(tensor, history=state.histories.get(name))
    if unit.payload_type == "INT":
        return with_tools(replace(tensor, levels=integer_levels(name, array)), unit, settings)
    quantisation = settings.quantisation
    qp = quantisation.qp_of(name)
    step = step_size(qp, unit.qp_density)
    tensor = replace(tensor, qp=qp)
    if quantisation.codebook_size and role in MATRICES:
        codebook, levels = quantise_codebook(array, step, quantisation.codebook_size)
        return with_tools(replace(tensor, codebook=codebook, levels=levels), unit, settings)
    if not unit.dependent:
        return with_tools(replace(tensor, levels=quantise_uniform(array, step)), unit, settings)
    return code_dependent(tensor, in_steps(array, step), unit, settings)


def code_dependent(
    tensor: CodedTensor,
    samples: NDArray[np.float64],
    unit: UnitCoding,
    settings: EncoderSettings,
) -> CodedTensor:
    """Quantise on the trellis: twice where rows are skipped, as these move its state."""
    coding = coding_of(tensor, unit)
    weight = settings.quantisation.lagrangian
    levels = quantise_dependent(samples, coding, weight)
    tensor = with_tools(replace(tensor, levels=levels), unit, settings)
    skipped = tensor.tools.skipped
    if skipped is None or not skipped.any():
        return tensor
    return replace(tensor, levels=quantise_dependent(samples, coding, weight, skipped))


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
    """Tell of each matrix row whether all its levels are 0."""
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
