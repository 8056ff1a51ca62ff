"""What the main graph runs, and whether it can: calls, operators, and the flow of data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from conformance.runtimes.tflite.model import Model, Operator, Subgraph
from conformance.runtimes.tflite.operators import (
    ASSIGN,
    FOREIGN,
    NAMES,
    OPTIONAL,
    RANDOM,
    RESOURCES,
)
from conformance.verdicts import ConformanceError, Location, MalformedError, UnsupportedError

MAIN = 0
"""The index of the graph that is run; the others are called by it, or not at all."""

Place: TypeAlias = tuple[int, int]
"""A tensor: the index of its graph, and its own."""

_FLEX = "Flex"
_DEEPEST = 16


def graphs_in_use(model: Model, file: str) -> tuple[int, ...]:
    """Return the main graph and those it runs, directly or not, in the order of their calls.

    Raises MalformedError for a graph that runs itself.
    """
    done: dict[int, None] = {}
    _visit(model, MAIN, [], done, file)
    return tuple(sorted(done))


def check_graphs(model: Model, graphs: Sequence[int], file: str) -> None:
    """Raise UnsupportedError for operators that cannot be judged, MalformedError for lost data."""
    operators = [each for number in graphs for each in model.subgraphs[number].operators]
    keeps_state = any(operator.name == ASSIGN for operator in operators)
    for operator in operators:
        _check_operator(operator, file, keeps_state=keeps_state)
    for number in graphs:
        _check_flow(model.subgraphs[number], number == MAIN, file)


def needed_tensors(model: Model) -> frozenset[Place]:
    """Return every tensor that an output of the main graph depends on.

    All that a called graph gives counts. An operator that writes a variable is needed by whoever
    reads that variable.
    """
    waiting = [(MAIN, index) for index in model.subgraphs[MAIN].outputs]
    needed: set[Place] = set()
    makers = {number: _makers(graph) for number, graph in enumerate(model.subgraphs)}
    while waiting:
        place = waiting.pop()
        if place in needed:
            continue
        needed.add(place)
        number, index = place
        for operator in makers[number].get(index, ()):
            waiting += ((number, each) for each in operator.inputs if each >= 0)
            for call in operator.calls:
                waiting += ((call, each) for each in model.subgraphs[call].outputs)
    return frozenset(needed)


def _makers(graph: Subgraph) -> dict[int, list[Operator]]:
    """Return the operators that write each tensor; every reader of a variable may write it."""
    makers: dict[int, list[Operator]] = defaultdict(list)
    for operator in graph.operators:
        written = [each for each in operator.inputs if each >= 0]
        for index in (
            *operator.outputs,
            *(each for each in written if graph.tensors[each].is_variable),
        ):
            makers[index].append(operator)
    return makers


def _visit(model: Model, number: int, path: list[int], done: dict[int, None], file: str) -> None:
    if number in path or len(path) == _DEEPEST:
        shown = path[path.index(number) :] if number in path else path
        raise MalformedError(
            "a graph runs itself, or graphs run each other too deeply",
            where=Location(file=file, element=model.subgraphs[number].element),
            expected=f"graphs that run each other without a circle, at most {_DEEPEST} deep",
            found=" runs ".join(f"graph {each}" for each in [*shown, number]),
            fix="Convert the model again.",
        )
    if number in done:
        return
    for call in _called(model.subgraphs[number]):
        _visit(model, call, [*path, number], done, file)
    done[number] = None


def _called(graph: Subgraph) -> Iterator[int]:
    return iter(dict.fromkeys(call for each in graph.operators for call in each.calls))


def _check_operator(operator: Operator, file: str, *, keeps_state: bool) -> None:
    where = Location(file=file, element=operator.element)
    if operator.name in FOREIGN:
        raise _foreign(operator, where)
    if operator.name in RANDOM:
        raise UnsupportedError(
            "the network draws random numbers, so that no run repeats another",
            where=where,
            expected="outputs that depend on inputs and parameters alone",
            found=f"operator {operator.name}",
            fix="Export the network for inference, without operators that draw random numbers.",
        )
    if operator.name in RESOURCES:
        raise UnsupportedError(
            "the network keeps variables or tables outside its tensors",
            where=where,
            expected="parameters that are tensors of the model file, and no state between runs",
            found=f"operator {operator.name}",
            fix=_without_resources(operator.name, keeps_state=keeps_state),
        )
    if operator.name not in NAMES:
        raise UnsupportedError(
            "the network uses an operator that is not known here",
            where=where,
            expected=f"builtin operators up to number {len(NAMES) - 1}, {NAMES[-1]}",
            found=f"operator {operator.name}",
            fix="Convert the model with an older converter, or update this tool.",
        )
    _check_inputs(operator, where)


def _without_resources(name: str, *, keeps_state: bool) -> str:
    if name.startswith("HASHTABLE"):
        return "Look values up before the network: let the vectors hold what the table gives."
    state = (
        "make the state an input and an output of the network, each run given what the run before "
        "gave, and convert it again; frozen, it would be another network"
    )
    if keeps_state:
        return f"The network keeps a state from run to run, as streaming networks do: {state}."
    return (
        "If the variables hold weights, freeze them before converting, as "
        "tf.lite.TFLiteConverter.from_keras_model does for a Keras model. If they hold a state "
        f"that lasts from run to run, {state}."
    )


def _check_inputs(operator: Operator, where: Location) -> None:
    optional = OPTIONAL.get(operator.name, ())
    for position, index in enumerate(operator.inputs):
        if index < 0 and position not in optional:
            raise MalformedError(
                "an operator lacks an input that it needs",
                where=where,
                expected=f"a tensor as input {position} of {operator.name}",
                found=f"inputs {list(operator.inputs[:50])}, where -1 means no tensor",
                fix="Convert the model again: its graph is damaged.",
            )


def _foreign(operator: Operator, where: Location) -> ConformanceError:
    code = operator.custom_code
    if code.startswith(_FLEX):
        return UnsupportedError(
            f"the network uses an operator of TensorFlow itself: {code.removeprefix(_FLEX)}",
            where=where,
            expected="builtin operators only",
            found=f"custom operator {code} (SELECT_TF_OPS)",
            fix="Convert the model with tf.lite.OpsSet.TFLITE_BUILTINS only, or submit it as a "
            "SavedModel.",
        )
    return UnsupportedError(
        f"the network uses an operator that is not builtin: {code or operator.name}",
        where=where,
        expected="builtin operators: no code of others is loaded",
        found=f"operator {operator.name} {code}".rstrip(),
        fix="Convert the model without custom operators, or end it before them.",
    )


def _check_flow(graph: Subgraph, is_main: bool, file: str) -> None:
    """Check that everything read has been written, and that nothing is written twice.

    Memory that nothing wrote holds what the run before left there.
    """
    if not is_main:
        _check_no_state(graph, file)
    ready = {
        index
        for index, tensor in enumerate(graph.tensors)
        if tensor.data is not None or tensor.elements == 0 or tensor.is_variable
    }
    taken = {index for index, tensor in enumerate(graph.tensors) if tensor.data is not None}
    for index in graph.inputs:
        _write(graph, index, graph.element, taken, file)
    ready |= set(graph.inputs)
    for operator in graph.operators:
        for index in (each for each in operator.inputs if each >= 0):
            _check_read(graph, index, operator.element, ready, file)
        for index in operator.outputs:
            _write(graph, index, operator.element, taken, file)
        ready |= set(operator.outputs)
    for index in graph.outputs:
        _check_read(graph, index, f"{graph.element}.outputs", ready, file)


def _check_no_state(graph: Subgraph, file: str) -> None:
    for operator in graph.operators:
        for index in operator.inputs:
            if index >= 0 and graph.tensors[index].is_variable:
                raise UnsupportedError(
                    "an operator in a branch or loop keeps a state from run to run",
                    where=Location(file=file, element=operator.element),
                    expected="variable tensors in the main graph only",
                    found=f"tensor {index} {graph.tensors[index].name!r}",
                    fix="Convert the model with this operator outside loops, or unrolled.",
                )


def _check_read(graph: Subgraph, index: int, element: str, ready: set[int], file: str) -> None:
    if index not in ready:
        raise MalformedError(
            "a tensor is read that nothing has written",
            where=Location(file=file, element=element),
            expected="inputs, stored tensors, and what operators before this one wrote",
            found=f"tensor {index} {graph.tensors[index].name!r}",
            fix="Convert the model again: its operators are not in the order in which they run.",
        )


def _write(graph: Subgraph, index: int, element: str, taken: set[int], file: str) -> None:
    if index in taken or graph.tensors[index].is_variable:
        raise MalformedError(
            "a tensor has its content from two places",
            where=Location(file=file, element=element),
            expected="tensors that are an input, or stored, or written by one operator",
            found=f"tensor {index} {graph.tensors[index].name!r}",
            fix="Convert the model again: its graph is damaged.",
        )
    taken.add(index)
