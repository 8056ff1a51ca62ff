"""Values that a replacement cannot reach: lists of integers, lists in options, quantisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.runtimes.tflite.flatbuffer import Numbers
from conformance.runtimes.tflite.model import Model
from conformance.runtimes.tflite.stored import Stored
from conformance.verdicts import Location, UnsupportedError

_FEWEST_VALUES = 16
_FEWEST_SCALES = 256
_PARAMETERS_PER_SCALE = 8
_INTEGER_BIASES = frozenset({"int32", "int64"})
_MOST_SHOWN = 10


def check_replaceable(
    model: Model, graphs: Sequence[int], tensors: Sequence[Stored], file: str
) -> None:
    """Refuse a model of which a replacement would leave too much of the original in place.

    Values that are no parameters may be as many as a graph needs for shapes and axes, in
    proportion to the parameters in use; scales of quantisation as many as channels need.
    """
    used = sum(each.elements for each in tensors if each.is_parameter and each.is_used)
    listed = [(t.elements, f"{t.element} {t.name}") for t in tensors if not t.is_parameter]
    most = max(_FEWEST_VALUES, min(used // 10, 4096 + used // 1000))
    elsewhere = [*listed, *_in_options(model, graphs), *_in_results(model, graphs)]
    _check(elsewhere, most, "values outside the parameters", file)
    most = max(_FEWEST_SCALES, used // _PARAMETERS_PER_SCALE)
    _check(_scales(tensors), most, "scales of quantised parameters", file)


def _scales(tensors: Sequence[Stored]) -> list[tuple[int, str]]:
    """Return the scales of parameters; those of integer biases follow from the others."""
    return [
        (each.scales, f"{each.element} {each.name} quantization")
        for each in tensors
        if each.scales and each.dtype.name not in _INTEGER_BIASES
    ]


def _in_options(model: Model, graphs: Sequence[int]) -> Iterator[tuple[int, str]]:
    for number in graphs:
        for operator in model.subgraphs[number].operators:
            for options in operator.options:
                for name, value in options.values.items():
                    if isinstance(value, Numbers):
                        yield value.length, f"{operator.element} {name}"


def _in_results(model: Model, graphs: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield what tensors without data hold: a scale for each slice, the sizes of an empty one.

    Operators make numbers of them, as DEQUANTIZE and SHAPE do.
    """
    for number in graphs:
        for tensor in model.subgraphs[number].tensors:
            element = f"{tensor.element} {tensor.name}"
            if tensor.data is None and tensor.scales > 1:
                yield tensor.scales, f"{element} quantization"
            if tensor.elements == 0:
                yield len(tensor.shape), f"{element} shape"


def _check(found: Sequence[tuple[int, str]], most: int, what: str, file: str) -> None:
    total = sum(count for count, _ in found)
    if total <= most:
        return
    largest = sorted(found, reverse=True)
    more = [f"and {len(found) - _MOST_SHOWN} more places"] if len(found) > _MOST_SHOWN else []
    shown = [f"{count} in {place}" for count, place in largest[:_MOST_SHOWN]]
    raise UnsupportedError(
        "the model stores values where a sample's cannot take their place",
        where=Location(file=file, element=largest[0][1]),
        expected=f"at most {most} {what}",
        found="; ".join([f"{total} in all", *shown, *more]),
        mend="Convert the model with its parameters as tensors of numbers, or submit the sample "
        "as a whole model.",
    )
