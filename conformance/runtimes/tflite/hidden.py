"""Values in no tensor that a sample can bring: in options, scales, sizes of empty tensors."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.roles import StoredTensor
from conformance.runtimes.tflite.flatbuffer import Numbers, Table
from conformance.runtimes.tflite.model import Model, Tensor
from conformance.runtimes.tflite.stored import Stored

_NEUTRAL = (0.0, 1.0)
_FEWEST_SCALES = 256
_PARAMETERS_PER_SCALE = 8
_INTEGER_BIASES = frozenset({"int32", "int64"})


def loose_values(
    data: memoryview, model: Model, graphs: Sequence[int], stored: Sequence[Stored]
) -> list[StoredTensor]:
    """Return what the graphs in use hold and no sample can bring.

    Scales and zero points of parameters are left out as long as they are no more than channels
    need: those of integer biases follow from others, and zero points by axis are zero as a rule.
    """
    found = [*_in_options(data, model, graphs), *_in_results(data, model, graphs)]
    by_axis = [each for each in stored if each.scales > 1]
    for each in by_axis:
        points = _quantisation(data, each.tensor, "zero_point")
        if points is not None and points.any():
            found.append(_loose(f"{each.element} {each.name} zero points", points))
    counted = [each for each in by_axis if each.dtype.name not in _INTEGER_BIASES]
    used = sum(each.elements for each in stored if each.is_used)
    if sum(each.scales for each in counted) > max(_FEWEST_SCALES, used // _PARAMETERS_PER_SCALE):
        for each in counted:
            scales = _quantisation(data, each.tensor, "scale")
            if scales is not None:
                found.append(_loose(f"{each.element} {each.name} quantization", scales))
    return found


def _in_options(data: memoryview, model: Model, graphs: Sequence[int]) -> Iterator[StoredTensor]:
    for number in graphs:
        for operator in model.subgraphs[number].operators:
            for options in operator.options:
                for name, value in options.values.items():
                    if isinstance(value, Numbers) and value.length:
                        yield _loose(f"{operator.element} {name}", _numbers(data, value))
                    elif isinstance(value, float) and value not in _NEUTRAL:
                        yield _loose(f"{operator.element} {name}", np.array([value]))


def _in_results(data: memoryview, model: Model, graphs: Sequence[int]) -> Iterator[StoredTensor]:
    """Yield what tensors without data hold: a scale for each slice, the sizes of an empty one.

    Operators make numbers of them, as DEQUANTIZE and SHAPE do.
    """
    for number in graphs:
        for tensor in model.subgraphs[number].tensors:
            element = f"{tensor.element} {tensor.name}"
            if tensor.data is None and tensor.scales > 1:
                for name in ("scale", "zero_point"):
                    numbers = _quantisation(data, tensor, name)
                    if numbers is not None:
                        yield _loose(f"{element} quantization", numbers)
            if tensor.elements == 0:
                yield _loose(f"{element} shape", np.array(tensor.shape))


def _quantisation(data: memoryview, tensor: Tensor, name: str) -> Array | None:
    table: Table | None = tensor.table.table("quantization")
    numbers = table.vector(name) if table is not None else None
    return _numbers(data, numbers) if numbers is not None else None


def _numbers(data: memoryview, numbers: Numbers) -> Array:
    width = struct.calcsize(f"<{numbers.code}")
    span = data[numbers.begin : numbers.begin + width * numbers.length]
    return np.frombuffer(span, np.dtype(f"<{numbers.code}"))


def _loose(place: str, numbers: Array) -> StoredTensor:
    return StoredTensor(place, place, numbers.dtype, numbers.shape, lambda: numbers)
