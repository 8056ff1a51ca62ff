"""Numbers that are written into the graph itself, where a replacement cannot reach them.

A graph needs some: factors, slopes, epsilons. Weights could hide among them, as one long list or in
many small pieces, so both their lengths and their number are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.runtimes.nnef.quantisation import Quantisation
from conformance.runtimes.nnef.text.document import Document, inputs_of, outputs_of
from conformance.verdicts import Location, UnsupportedError

FEWEST_WEIGHTS = 16
"""So many values in one place hold parameters."""

_NEUTRAL = (0, 1)
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Inline:
    """``count`` numbers written in one place; ``real`` if they are not all integers by type."""

    where: Location
    count: int
    real: bool = True


def inline_values(
    graph: Any, document: Document, quantisations: Iterable[Quantisation]
) -> tuple[Inline, ...]:
    """Return the numbers written into operations and into the quantisation of activations.

    0 and 1 on their own do not count, nor do integers that are attributes: shapes, strides, axes.
    """
    found: list[Inline] = []
    for operation in graph.operations:
        count, real = _numbers_in(operation)
        if count:
            where = document.where(operation.name, "".join(outputs_of(operation)[:1]))
            found.append(Inline(where, count, real))
    for quantisation in quantisations:
        count = sum(array.size for array in quantisation.arrays.values())
        found.append(Inline(quantisation.where, count))
    return tuple(found)


def check_replaceable(values: Iterable[Inline], listed: int, parameters: int, file: str) -> None:
    """Raise UnsupportedError for a graph of which a replacement leaves parameters in place.

    ``listed`` are the values of integer variables that belong to the graph, ``parameters`` those
    of the variables that outputs depend on. The bounds are those for ONNX models.
    """
    stuck = [value for value in values if value.real and value.count >= FEWEST_WEIGHTS]
    allowed = max(FEWEST_WEIGHTS, min(parameters // 10, 4096 + parameters // 1000))
    expected = "every parameter in a variable"
    if not stuck and listed + sum(value.count for value in values) > allowed:
        stuck = sorted(values, key=lambda value: -value.count)
        expected = f"at most {allowed} numbers outside the parameters"
    elif not stuck:
        return
    shown = [f"{value.count} in {value.where}" for value in stuck[:_MOST_SHOWN]]
    shown += [f"{listed} in variables of integers"] if listed else []
    shown += [f"and {len(stuck) - _MOST_SHOWN} more places"] if len(stuck) > _MOST_SHOWN else []
    raise UnsupportedError(
        "the model stores parameters where a sample's cannot take their place",
        where=stuck[0].where if stuck else Location(file=file, element="graph"),
        expected=expected,
        found="; ".join(shown),
        mend="Store the numbers as a variable, in a tensor file.",
    )


def used_tensors(graph: Any) -> frozenset[str]:
    """Return the names of all tensors that an output of the graph depends on."""
    makers = {name: operation for operation in graph.operations for name in outputs_of(operation)}
    used: set[str] = set()
    queue = [str(name) for name in graph.outputs]
    while queue:
        name = queue.pop()
        if name not in used:
            used.add(name)
            queue += [str(each) for each in inputs_of(makers[name]) if str(each) in makers]
    return frozenset(used)


def _numbers_in(operation: Any) -> tuple[int, bool]:
    """Return how many numbers an operation brings, and whether some are real."""
    attributes: Mapping[str, Any] = operation.attribs
    numbers = [value for value in inputs_of(operation) if type(value) in {bool, int, float}]
    if operation.name == "constant":
        numbers += attributes["value"]
    else:
        numbers += _reals(attributes.values())
    if operation.name != "constant" or len(numbers) == 1:
        numbers = [number for number in numbers if number not in _NEUTRAL]
    return len(numbers), any(type(number) is float for number in numbers)


def _reals(values: Iterable[Any]) -> Iterator[float]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _reals(value)
        elif isinstance(value, float):
            yield value
