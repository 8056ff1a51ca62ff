"""How operators read each tensor: as values, as rows of a table, or as sizes and axes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from conformance.runtimes.roles import Use, traced_uses
from conformance.runtimes.tflite.graph import MAIN, Place
from conformance.runtimes.tflite.model import Model, Operator, Subgraph
from conformance.runtimes.tflite.operators import BIASES, OPERANDS, PASSED, TABLES


def uses_of(model: Model, graphs: Sequence[int]) -> Mapping[Place, frozenset[Use]]:
    """Return how the elements of each tensor of ``graphs`` are used, by its place.

    They are followed through operators that only rearrange or widen them, and into the graphs that
    operators run. Tensors that nothing reads are left out.
    """
    computed = _computed(model, graphs)
    direct: dict[str, set[Use]] = defaultdict(set)
    passed: list[tuple[str, str]] = []
    for number in graphs:
        graph = model.subgraphs[number]
        for index in graph.outputs if number == MAIN else ():
            direct[_key(number, index)].add(Use.VALUE)
        for operator in graph.operators:
            inner = list(_into_graphs(model, number, operator))
            passed += inner
            into = {source for source, _ in inner}
            for position, index in enumerate(operator.inputs):
                key = _key(number, index)
                if index < 0 or key in into:
                    continue
                use = _use(graph, operator, position, (number, _indices(operator)) in computed)
                if use is None:
                    passed += ((key, _key(number, result)) for result in operator.outputs)
                else:
                    direct[key].add(use)
    found = traced_uses(direct, passed)
    return {_place(key): uses for key, uses in found.items()}


def _use(graph: Subgraph, operator: Operator, position: int, looks_up: bool) -> Use | None:
    """Return how an operator reads an input; None if it passes the elements on."""
    name = operator.name
    if position in OPERANDS.get(name, ()):
        return Use.OPERAND
    if position == BIASES.get(name):
        return Use.QUANTISED
    if TABLES.get(name) == position:
        if looks_up and _is_table(graph, operator, position):
            return Use.LOOKUP
        return None
    every = PASSED.get(name)
    return None if every is not None and (not every or position in every) else Use.VALUE


def _is_table(graph: Subgraph, operator: Operator, position: int) -> bool:
    """Return whether rows of an input are looked up: it has several, along axis 0."""
    axes = (o.number(name) for o in operator.options for name in ("axis", "batch_dims"))
    return len(graph.tensors[operator.inputs[position]].shape) > 1 and not any(axes)


def _indices(operator: Operator) -> int:
    """Return the tensor that says which rows a look-up takes; -1 for other operators."""
    table = TABLES.get(operator.name)
    if table is None:
        return -1
    position = 1 if table == 0 else 0
    return operator.inputs[position] if position < len(operator.inputs) else -1


def _computed(model: Model, graphs: Sequence[int]) -> frozenset[Place]:
    """Return the tensors that depend on an input of the network, or on a state."""
    leads: dict[str, list[str]] = defaultdict(list)
    waiting = [_key(MAIN, index) for index in model.subgraphs[MAIN].inputs]
    for number in graphs:
        graph = model.subgraphs[number]
        waiting += (_key(number, i) for i, each in enumerate(graph.tensors) if each.is_variable)
        for operator in graph.operators:
            pairs = list(_into_graphs(model, number, operator))
            results = [_key(number, result) for result in operator.outputs]
            for source, result in pairs:
                leads[source].append(result)
            for index in operator.inputs:
                leads[_key(number, index)] += results
    found: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += leads[key]
    return frozenset(map(_place, found))


def _into_graphs(model: Model, number: int, operator: Operator) -> Iterator[tuple[str, str]]:
    """Yield pairs of tensors, the second of which has the elements of the first, between graphs."""
    skipped = {"IF": 1, "STABLEHLO_CASE": 1}.get(operator.name, 0)
    loops = operator.name in ("WHILE", "STABLEHLO_WHILE")
    if not (skipped or loops or operator.name in ("CALL", "STABLEHLO_COMPOSITE")):
        return
    given = [_key(number, index) for index in operator.inputs[skipped:]]
    made = [_key(number, index) for index in operator.outputs]
    entries = [[_key(c, i) for i in model.subgraphs[c].inputs] for c in operator.calls]
    results = [[_key(c, i) for i in model.subgraphs[c].outputs] for c in operator.calls]
    for entry in entries:
        yield from zip(given, entry, strict=False)
    if not loops:
        for result in results:
            yield from zip(result, made, strict=False)
        return
    yield from zip(given, made, strict=False)
    for entry in (*entries, made):
        yield from zip(results[-1], entry, strict=False)


def _key(number: int, index: int) -> str:
    return f"{number}.{index}"


def _place(key: str) -> Place:
    number, _, index = key.partition(".")
    return int(number), int(index)
