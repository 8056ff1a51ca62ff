"""Computing the graph of an exported program, operator by operator, with PyTorch's operators.

    outputs = run_graph(torch, program.graph, values)

``values`` are the tensors that the graph takes, by their names in it. A value is let go as soon as
no later operator reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from conformance.runtimes.pytorch.export_schema import (
    Argument,
    Constant,
    Device,
    Graph,
    Node,
    Output,
    Ref,
    output_names,
    references,
)
from conformance.runtimes.pytorch.export_targets import (
    CONDITION,
    HIGHER_ORDER,
    LOOP,
    compute,
    is_arithmetic,
    operator_name,
)


class OperatorError(Exception):
    """An operator failed; ``node`` names it, the cause says why."""

    def __init__(self, node: str, cause: Exception) -> None:
        super().__init__(str(cause))
        self.node = node
        self.cause = cause


def last_reads(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Return, for every node, the names that no later node and no output reads."""
    seen = {name for output in graph.outputs for name in references(output)}
    last: list[tuple[str, ...]] = []
    for node in reversed(graph.nodes):
        arguments = node.arguments.values()
        names = {name for each in arguments for name in references(each)}
        names |= {name for each in node.outputs for name in output_names(each)}
        last.append(tuple(names - seen))
        seen |= names
    return tuple(reversed(last))


def run_graph(
    torch: Any,
    graph: Graph,
    values: Mapping[str, Any],
    faults: tuple[type[Exception], ...],
    frees: Sequence[Sequence[str]] | None = None,
) -> list[Any]:
    """Return what the graph gives for ``values``.

    ``frees`` is what :func:`last_reads` returns for the graph. Raises OperatorError for an
    operator that raises one of ``faults``.
    """
    known = dict(values)
    frees = frees if frees is not None else last_reads(graph)
    for node, unread in zip(graph.nodes, frees, strict=True):
        try:
            arguments = {n: _value(torch, each, known) for n, each in node.arguments.items()}
            result = _call(torch, node, arguments, faults)
            _assign(node, result, known)
        except faults as error:
            raise OperatorError(node.name, error) from error
        for name in unread:
            known.pop(name, None)
    return [_value(torch, each, known) for each in graph.outputs]


def _call(
    torch: Any, node: Node, arguments: dict[str, Any], faults: tuple[type[Exception], ...]
) -> Any:
    if is_arithmetic(node.target):
        return compute(node.target, list(arguments.values()))
    if node.target in HIGHER_ORDER:
        return _call_graph(node, list(arguments.values()), partial(_inner, torch, faults))
    name = operator_name(node.target)
    if name is None:
        raise ValueError(f"{node.target} is not an operator")
    return getattr(getattr(torch.ops.aten, name[0]), name[1])(**arguments)


def _call_graph(node: Node, arguments: list[Any], run: Any) -> Any:
    """Return what an operator that runs its own graphs gives."""
    if node.target == CONDITION:
        choice, yes, no, operands = arguments
        return run(yes if bool(choice) else no, operands)
    if node.target == LOOP:
        condition, body, carried, fixed = arguments
        while bool(_first(run(condition, [*carried, *fixed]))):
            carried = run(body, [*carried, *fixed])
        return carried
    _, body, *operands = arguments
    return run(body, operands)


def _inner(
    torch: Any, faults: tuple[type[Exception], ...], graph: Graph, operands: Sequence[Any]
) -> list[Any]:
    if len(operands) != len(graph.inputs):
        raise ValueError(f"a graph of {len(graph.inputs)} inputs is given {len(operands)}")
    pairs = zip(graph.inputs, operands, strict=True)
    return run_graph(torch, graph, {name: each for name, each in pairs if name}, faults)


def _first(values: Sequence[Any]) -> Any:
    (value,) = values
    return value


def _value(torch: Any, argument: Argument, known: Mapping[str, Any]) -> Any:
    if isinstance(argument, Ref):
        if argument.name not in known:
            raise ValueError(f"{argument.name!r} is read before it is computed")
        return known[argument.name]
    if isinstance(argument, Constant):
        return getattr(torch, argument.name)
    if isinstance(argument, Device):
        return torch.device(argument.name)
    if isinstance(argument, list):
        return [_value(torch, each, known) for each in argument]
    return argument


def _assign(node: Node, result: Any, known: dict[str, Any]) -> None:
    if node.unpacked:
        result = _first(result)
    if len(node.outputs) == 1:
        _name(node.outputs[0], result, known)
    elif node.outputs:
        for output, each in zip(node.outputs, result, strict=True):
            _name(output, each, known)


def _name(output: Output, result: Any, known: dict[str, Any]) -> None:
    if isinstance(output, str):
        known[output] = result
    elif isinstance(output, list):
        for each, value in zip(output, result, strict=True):
            _name(each, value, known)
