"""Putting a sample's tensors in the place of a model's parameters: all of them, or none.

A tensor may come in a floating-point type all of whose values the parameter's type holds exactly
(float16 for float32), or in float64 if every one of its values is one of the parameter's type: what
a decoder computes in double precision is mostly that. Any other difference of type or shape is
refused: to round is the decoder's business, and a tool that did it would judge its own rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.onnx.buffers import Buffer, buffer_of
from conformance.runtimes.onnx.dtypes import DType, is_floating, widens
from conformance.runtimes.onnx.record import TensorRecord
from conformance.verdicts import ConformanceError, Location

_MOST_SHOWN = 20


def replacement_buffers(
    replacement: Mapping[str, Array],
    parameters: Sequence[TensorRecord],
    constants: Sequence[TensorRecord],
    file: str,
) -> dict[str, Buffer]:
    """Return the data of every tensor of ``replacement``, converted to the model's types.

    ``parameters`` have to be there; ``constants`` of the topology may be. Tensors are read one at
    a time. One ConformanceError names everything that does not fit.
    """
    problems = _wrong_names(replacement, parameters, constants)
    buffers: dict[str, Buffer] = {}
    for record in (*parameters, *constants):
        if record.name not in replacement:
            continue
        array = replacement[record.name]
        problem = _misfit(record, array)
        if problem:
            problems.append(problem)
        elif not problems:
            buffers[record.name] = buffer_of(array, record.dtype)
    if problems:
        raise _refusal(problems, file)
    return buffers


def _wrong_names(
    replacement: Mapping[str, Array],
    parameters: Sequence[TensorRecord],
    constants: Sequence[TensorRecord],
) -> list[str]:
    required = {record.name for record in parameters}
    known = required | {record.name for record in constants}
    missing = [f"{r.name} is missing" for r in parameters if r.name not in replacement]
    return missing + [f"{name} is not a parameter" for name in replacement if name not in known]


def _misfit(record: TensorRecord, array: Array) -> str | None:
    """Return what keeps ``array`` from being the tensor of ``record``, or None."""
    if array.shape != record.dims:
        return f"{record.name} has shape {list(array.shape)}, the model {list(record.dims)}"
    if not _fits(array.dtype, record.dtype) and not _is_exact(array, record.dtype):
        return f"{record.name} is {array.dtype.name}, the model holds {record.dtype.name}"
    return None


def _fits(given: DType, wanted: DType) -> bool:
    if given.kind in "USO" or given.name == wanted.name:
        return given.name == wanted.name
    return is_floating(given) and is_floating(wanted) and widens(given, wanted)


def _is_exact(array: Array, wanted: DType) -> bool:
    """Say whether float64 values all are values of ``wanted``, another floating-point type."""
    if array.dtype != np.float64 or not is_floating(wanted):
        return False
    with np.errstate(over="ignore"):
        narrow = array.astype(wanted)
    return np.array_equal(narrow.astype(np.float64), array, equal_nan=True)


def _refusal(problems: list[str], file: str) -> ConformanceError:
    more = len(problems) - _MOST_SHOWN
    shown = [*problems[:_MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])]
    return ConformanceError(
        "the decoded tensors do not fit the model's parameters",
        where=Location(file=file, element="graph.initializer"),
        expected="one tensor for every parameter, with its shape, and of values it holds exactly",
        found="; ".join(shown),
        mend=(
            "Decode every parameter under the model's name for it (or give a name_map), in the "
            "model's shape, and in its element type or a narrower floating-point type."
        ),
    )
