"""Find out from a TensorFlow Lite model which compression tools it uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.runtimes.tflite.dtypes import type_name
from conformance.runtimes.tflite.model import Model, Operator, Subgraph, Tensor

_REDUCED = frozenset(
    {
        *("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
        *("int8", "uint8", "int16", "uint16", "int4", "uint4", "int2"),
    }
)
"""Element types that take fewer bits than the 32 of a float."""
_FLOATING = frozenset({"float16", "bfloat16", "float32", "float64"})
_CONVERTING = frozenset({"QUANTIZE", "DEQUANTIZE"})
"""Operators that lead from floating-point numbers to integers and back."""


def model_features(model: Model, graphs: Sequence[int]) -> tuple[str, ...]:
    """Return the tools found in ``graphs``, sorted; docs/codecs.md says what each name means."""
    found = {"format:tflite"}
    used = [model.subgraphs[number] for number in graphs]
    for graph in used:
        for tensor in graph.tensors:
            found.update(_of_stored(tensor) if tensor.data else _of_activation(tensor))
        for operator in graph.operators:
            found.update(_of_operator(graph, operator))
    if any(name.startswith("activations:") for name in found) and _in_integers(used):
        found.add("full-integer")
    return tuple(sorted(found))


def _of_stored(tensor: Tensor) -> Iterator[str]:
    """Yield what a stored tensor shows: a narrow type, scales by axis, sparsity."""
    name = type_name(tensor.code)
    if name in _REDUCED:
        yield name
    if tensor.scales > 1:
        yield "per-channel"
    if tensor.table.table("sparsity") is not None:
        yield "sparse"


def _of_activation(tensor: Tensor) -> Iterator[str]:
    """Yield the type of a tensor that a run makes, if it stands for numbers by a scale."""
    name = type_name(tensor.code)
    if tensor.scales and name in _REDUCED:
        yield f"activations:{name}"


def _of_operator(graph: Subgraph, operator: Operator) -> Iterator[str]:
    """Yield how an operator takes narrow stored tensors: widened first, or with floats."""
    given = [graph.tensors[index] for index in operator.inputs if index >= 0]
    narrow = any(each.data and type_name(each.code) in _REDUCED for each in given)
    if narrow and operator.name == "DEQUANTIZE":
        yield "weight-only"
    elif any(each.data and each.scales and type_name(each.code) in _REDUCED for each in given):
        made = (graph.tensors[index] for index in operator.outputs)
        if any(type_name(each.code) in _FLOATING for each in made):
            yield "dynamic-range"


def _in_integers(graphs: Sequence[Subgraph]) -> bool:
    """Return whether no operator computes with floats, those apart that convert them."""
    return not any(
        type_name(graph.tensors[index].code) in _FLOATING
        for graph in graphs
        for operator in graph.operators
        if operator.name not in _CONVERTING
        for index in (*operator.inputs, *operator.outputs)
        if index >= 0
    )
