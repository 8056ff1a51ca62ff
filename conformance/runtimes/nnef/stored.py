"""What an NNEF model stores, and how its operations read it: variables, constants, literals.

Whether a number is a variable or a constant is the exporter's choice, so a sample may bring both.
A constant is known by the name of its tensor; where a variable has that as its label, ``#`` follows
the name. A constant of one value is one number, whatever the shape that it is spread to.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.nnef.quantisation import Quantisation
from conformance.runtimes.nnef.supported import DECLARATIONS
from conformance.runtimes.nnef.text.document import Document, inputs_of, outputs_of
from conformance.runtimes.nnef.variables import Variable
from conformance.runtimes.roles import Inventory, StoredTensor, Use, traced_uses

_TYPES: Mapping[str, type[np.generic]] = {
    "scalar": np.float32,
    "integer": np.int64,
    "logical": np.bool_,
}
_PASSING = frozenset(
    {
        *("copy", "copy_n", "cast", "reshape", "squeeze", "unsqueeze", "transpose", "tile"),
        *("concat", "split", "stack", "unstack", "slice"),
    }
)
_BOUNDS = frozenset({"a", "b"})
_ROWS = 2
_NEUTRAL = (0, 1)


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that is written into the graph; ``tensor`` is its name there."""

    name: str
    tensor: str
    place: str
    spread: tuple[int, ...]
    values: Array

    @property
    def is_replaceable(self) -> bool:
        """Whether it is of real numbers, which are computed with as if they were a variable's."""
        return self.values.dtype.kind == "f"

    def spread_out(self, values: Array) -> Array:
        """Return ``values`` in the shape that the graph gives them."""
        return np.array(np.broadcast_to(values, self.spread))


def constants_of(graph: Any, document: Document, labels: Collection[str]) -> tuple[Constant, ...]:
    """Return the constants of a graph, under names that no variable has as its label."""
    found: list[Constant] = []
    taken = set(labels)
    for operation in graph.operations:
        if operation.name != "constant":
            continue
        name = tensor = outputs_of(operation)[0]
        while name in taken:
            name += "#"
        taken.add(name)
        shape = tuple(operation.attribs["shape"])
        values = np.array(operation.attribs["value"], _TYPES[operation.dtype])
        own = shape if values.size == math.prod(shape) else ()
        place = str(document.where("constant", tensor).element)
        found.append(Constant(name, tensor, place, shape, values.reshape(own)))
    return tuple(found)


def with_variables(graph: Any, constants: Iterable[Constant]) -> Any:
    """Return ``graph`` with variables in the place of the constants that may be replaced."""
    wanted = {constant.tensor: constant for constant in constants if constant.is_replaceable}

    def variable(operation: Any) -> Any:
        constant = wanted.get(outputs_of(operation)[0]) if operation.name == "constant" else None
        if constant is None:
            return operation
        attributes = OrderedDict(shape=list(constant.spread), label=constant.name)
        return operation._replace(name="variable", attribs=attributes)

    return graph._replace(operations=[variable(operation) for operation in graph.operations])


def inventory_of(
    graph: Any,
    document: Document,
    variables: Iterable[Variable],
    constants: Iterable[Constant],
    quantisations: Iterable[Quantisation],
    file: str,
) -> Inventory:
    """Return what a graph stores; ``quantisations`` are those of activations."""
    uses, used = _uses_in(graph), _used_tensors(graph)
    tensors = [
        StoredTensor(
            variable.label,
            variable.label,
            variable.dtype,
            variable.file.shape,
            variable.read,
            frozenset[Use]().union(*(uses.get(name, ()) for name in variable.tensors)),
            is_needed=not used.isdisjoint(variable.tensors),
        )
        for variable in variables
    ]
    tensors += [
        StoredTensor(
            constant.name,
            constant.place,
            constant.values.dtype,
            constant.values.shape,
            partial(np.array, constant.values),
            uses.get(constant.tensor, frozenset()),
            is_needed=constant.tensor in used,
        )
        for constant in constants
    ]
    return Inventory(
        tensors,
        file=file,
        loose=[*_literals_in(graph, document), *_scales_in(quantisations)],
        operators=sum(operation.name not in DECLARATIONS for operation in graph.operations),
    )


def _uses_in(graph: Any) -> dict[str, frozenset[Use]]:
    """Return how operations use the elements of each tensor, by its name in the graph."""
    direct: dict[str, set[Use]] = {str(name): {Use.VALUE} for name in graph.outputs}
    passed: list[tuple[str, str]] = []
    computed = dict.fromkeys([str(name) for name in graph.inputs], (Use.VALUE,))
    for operation in graph.operations:
        results = outputs_of(operation)
        if operation.name in _PASSING:
            names = [str(each) for each in inputs_of(operation)]
            passed += [(name, result) for name in names for result in results]
        elif operation.name not in DECLARATIONS:
            computed |= dict.fromkeys(results, (Use.VALUE,))
    # What is computed spreads as uses do, but forwards.
    spread = traced_uses(computed, ((result, source) for source, result in passed))
    for operation in graph.operations:
        if operation.name not in _PASSING:
            for argument, value in operation.inputs.items():
                use = _use(graph, operation, argument, spread)
                for each in value if isinstance(value, list) else [value]:
                    if isinstance(each, str):
                        direct.setdefault(str(each), set()).add(use)
    return traced_uses(direct, passed)


def _use(graph: Any, operation: Any, argument: str, computed: Collection[str]) -> Use:
    if operation.name.endswith("_quantize"):
        return Use.QUANTISED
    if operation.name == "clamp" and argument in _BOUNDS:
        return Use.OPERAND
    if operation.name == "gather" and argument == "input" and operation.attribs["axis"] == 0:
        rows = str(operation.inputs["input"])
        is_table = rows in graph.tensors and len(graph.tensors[rows].shape) >= _ROWS
        if is_table and str(operation.inputs["indices"]) in computed:
            return Use.LOOKUP
    return Use.VALUE


def _used_tensors(graph: Any) -> frozenset[str]:
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


def _literals_in(graph: Any, document: Document) -> Iterator[StoredTensor]:
    """Yield the numbers written into operations, which no sample can bring.

    0 and 1 do not count, nor do integers that are attributes: shapes, strides, axes.
    """
    for operation in graph.operations:
        if operation.name in DECLARATIONS:
            continue
        numbers = [value for value in inputs_of(operation) if type(value) in {bool, int, float}]
        numbers += _reals(operation.attribs.values())
        numbers = [number for number in numbers if number not in _NEUTRAL]
        if numbers:
            where = document.where(operation.name, "".join(outputs_of(operation)[:1]))
            yield _loose(str(where.element), np.array(numbers))


def _scales_in(quantisations: Iterable[Quantisation]) -> Iterator[StoredTensor]:
    for quantisation in quantisations:
        for name, array in quantisation.arrays.items():
            yield _loose(f"{name} of {quantisation.tensor} in graph.quant", array)


def _loose(place: str, array: Array) -> StoredTensor:
    return StoredTensor(place, place, array.dtype, array.shape, lambda: array)


def _reals(values: Iterable[Any]) -> Iterator[float]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _reals(value)
        elif isinstance(value, float):
            yield value
