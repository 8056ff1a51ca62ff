"""How an exported program uses the tensors that it stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conformance.runtimes.pytorch.export_program import Program
from conformance.runtimes.pytorch.export_schema import (
    Argument,
    Graph,
    Node,
    output_names,
    references,
)
from conformance.runtimes.pytorch.export_targets import (
    CONDITION,
    HIGHER_ORDER,
    LOOP,
    operator_name,
)
from conformance.runtimes.pytorch.uses import HANDS_ON, Step, uses_of
from conformance.runtimes.roles import Use

_CASTS = frozenset({"_operator.getitem", "torch.sym_float", "torch.sym_int"})
_OPERANDS = {CONDITION: 3, LOOP: 2}
_MOST = 2


def program_uses(program: Program, ranks: Mapping[str, int]) -> dict[str, frozenset[Use]]:
    """Return the uses of each value, by its name in the graph; ``ranks`` are of stored tensors."""
    outputs = [name for each in program.graph.outputs for name in references(each)]
    inputs = [port.name for port in program.inputs]
    return uses_of(_steps(program.graph, ""), ranks, inputs, outputs)


def _steps(graph: Graph, scope: str) -> Iterator[Step]:
    """Yield the operators of a graph; ``scope`` begins the names of its values."""
    for index, node in enumerate(graph.nodes):
        results = [scope + name for output in node.outputs for name in output_names(output)]
        arguments = {
            name: [scope + each if each else "" for each in _names(argument)]
            for name, argument in node.arguments.items()
        }
        if node.target in HIGHER_ORDER:
            yield from _inner_steps(node, scope, f"{scope}{index}\0")
        operator = operator_name(node.target)
        if node.target in _CASTS:
            first = dict(list(arguments.items())[:1])
            yield Step(HANDS_ON, first, results)
        elif node.target not in HIGHER_ORDER:
            name = operator[0] if operator else node.target
            yield Step(name, arguments, results, node.arguments.get("dim"))


def _inner_steps(node: Node, scope: str, inner: str) -> Iterator[Step]:
    """Yield the operators of the graphs that a node runs, and what it hands to and from them."""
    arguments = list(node.arguments.values())
    graphs = [each for each in arguments if isinstance(each, Graph)]
    begin = _OPERANDS.get(node.target, _MOST)
    operands = [_first(scope, each) for each in _flat(arguments[begin:])]
    results = [scope + name for output in node.outputs for name in output_names(output)]
    choice = [scope + name for each in arguments[:begin] for name in references(each)]
    yield Step(node.target, {"choice": choice}, ())
    for index, graph in enumerate(graphs):
        own = f"{inner}{index}\0"
        takes = [own + name if name else "" for name in graph.inputs]
        gives = [_first(own, each) for each in graph.outputs]
        yield from _passing(operands, takes)
        yield from _steps(graph, own)
        if node.target != LOOP:
            yield from _passing(gives, results)
        elif index == 0:
            # Says whether the loop goes on; the other graph says with what.
            yield Step(node.target, {"choice": gives}, ())
        else:
            yield from (*_passing(gives, results), *_passing(gives, takes))
            yield from _passing(operands, results)


def _passing(sources: Sequence[str], results: Sequence[str]) -> Iterator[Step]:
    for source, result in zip(sources, results, strict=False):
        if source and result:
            yield Step(HANDS_ON, {"0": [source]}, [result])


def _flat(arguments: Sequence[Argument]) -> Iterator[Argument]:
    for each in arguments:
        yield from each if isinstance(each, list) else [each]


def _names(argument: Argument) -> list[str]:
    """Return the names that an argument refers to, "" for an element that is left out."""
    if isinstance(argument, list):
        return [name for each in argument for name in list(references(each)) or [""]]
    return list(references(argument))


def _first(scope: str, argument: Argument) -> str:
    return next((scope + name for name in references(argument)), "")
