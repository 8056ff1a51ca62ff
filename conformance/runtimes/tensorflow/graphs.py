"""Graphs of TensorFlow and the functions they call: what a run reaches, by which operators."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.runtimes.running import DYNAMIC_BATCH, FREE_BATCH
from conformance.runtimes.tensorflow.faults import damaged
from conformance.runtimes.tensorflow.operators import COMPUTING, REACHING_OUT
from conformance.verdicts import ConformanceError, LimitError, Location, UnsupportedError

MOST_CALLS = 100
"""Functions that may call one another, the last one included."""

_RANGE_GIVEN = {
    "QuantizeAndDequantizeV2": False,
    "QuantizeAndDequantizeV3": True,
    "QuantizeAndDequantizeV4": True,
}
"""Operators that quantise by a range that is given or taken from the input; what they do if the
file does not say."""
_SILENT = frozenset({"Const", "Identity", "NoOp", "Placeholder", "ReadVariableOp", "VarHandleOp"})


@dataclass(frozen=True, slots=True)
class Reach:
    """Nodes of the main graph, and the functions by name, that a computation needs."""

    nodes: Mapping[str, Any]
    functions: Mapping[str, Any]

    def places(self) -> Iterator[tuple[str, Any]]:
        """Yield every node with the words that say where it is."""
        return _places(self.nodes.values(), self.functions.values())


def reach(graph: Any, roots: Iterable[str], file: str) -> Reach:
    """Return what the nodes ``roots`` of a GraphDef depend on.

    Raises MalformedError for a node or function that is not there, LimitError for functions that
    call themselves or are nested too deep.
    """
    nodes = {node.name: node for node in graph.node}
    found: dict[str, Any] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        if name not in nodes:
            raise damaged(
                file,
                "the graph refers to a node that it does not hold",
                element=f"node {name}",
                expected=f"one of {len(nodes)} nodes",
                found=f"no node {name!r}",
            )
        found[name] = nodes[name]
        waiting += (node_of(each) for each in nodes[name].input)
    library = {function.signature.name: function for function in graph.library.function}
    return Reach(found, _functions(found.values(), library, file))


def drop_assertions(graph: Any) -> None:
    """Make every Assert of a GraphDef and its functions a NoOp that reads nothing.

    It computes no output: it ends a run whose inputs are not as expected, and what it says then is
    not part of a network. Nodes that wait for it, and functions that end with it, keep it by name.
    """
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        for node in nodes:
            if node.op == "Assert":
                waits = [each for each in node.input if each.startswith("^")]
                name = node.name
                node.Clear()
                node.name, node.op = name, "NoOp"
                node.input.extend(waits)


def node_of(reference: str) -> str:
    """Return the node that an input refers to: ``name``, ``name:0`` or ``^name``."""
    return reference.removeprefix("^").partition(":")[0]


def check_operators(places: Iterable[tuple[str, Any]], allowed: Collection[str], file: str) -> None:
    """Raise for the first node whose operator is not ``allowed``.

    ConformanceError for one that reaches out of the network, UnsupportedError for any other.
    """
    for place, node in places:
        if node.op in allowed:
            continue
        where = Location(file=file, element=place)
        if node.op in REACHING_OUT:
            raise ConformanceError(
                f"the graph holds an operator that reaches out of the network: {node.op}",
                where=where,
                expected="operators that compute tensors from tensors",
                found=f"{node.op}, which accesses files, Python, the log or other processes",
                fix="Export the network without it: only what computes the outputs.",
            )
        raise UnsupportedError(
            f"the graph holds an operator that is not run here: {node.op}",
            where=where,
            expected="operators that compute tensors from tensors: no state that is kept, no "
            "random numbers, no tables, no custom operators",
            found=node.op,
            fix=_without(node.op),
        )


def _without(operator: str) -> str:
    """Return how to export a network that does without an operator."""
    if operator.startswith("Assign"):
        return (
            "Export a function that assigns nothing: leave out layers that augment training data "
            "(RandomFlip and its like) or count, and call the others with training=False. If the "
            "network keeps a state from call to call, make the state an input and an output."
        )
    if "Random" in operator or operator.endswith("Normal"):
        return (
            "Leave out the layers that draw random numbers, such as those that augment training "
            "data, and call the others with training=False."
        )
    if "Table" in operator:
        return "Look values up before the network: let the vectors hold what the table gives."
    return "Export the network for inference, with one signature and standard operators."


def check_settings(places: Iterable[tuple[str, Any]], file: str) -> None:
    """Raise UnsupportedError for a node with a setting that each call of its function fills in."""
    for place, node in places:
        for name, value in node.attr.items():
            if value.WhichOneof("value") == "placeholder":
                raise UnsupportedError(
                    "a function of the graph leaves settings to those who call it",
                    where=Location(file=file, element=f"{place}.{name}"),
                    expected="functions in which every node has its own settings and constants",
                    found=f"the placeholder {value.placeholder[:80]!r}",
                    fix="Export the network with tf.saved_model.save of TensorFlow 2.",
                )


def count_operators(places: Iterable[tuple[str, Any]]) -> int:
    """Return how many nodes compute; constants, ports and variables do not."""
    return sum(node.op not in _SILENT for _, node in places)


def batch_of(places: Iterable[tuple[str, Any]]) -> int:
    """Return the items per run: 1 if a node takes the range that it quantises by from its input."""
    nodes = [node for _, node in places if node.op in _RANGE_GIVEN]
    given = [
        node.attr["range_given"].b if "range_given" in node.attr else _RANGE_GIVEN[node.op]
        for node in nodes
    ]
    return FREE_BATCH if all(given) else DYNAMIC_BATCH


def other_places(graph: Any, known: Iterable[Reach]) -> Iterator[tuple[str, Any]]:
    """Yield the nodes of a GraphDef that none of ``known`` reaches, with words for the place."""
    nodes, functions = {n.name: n for n in graph.node}, list(graph.library.function)
    seen = {name for each in known for name in each.functions}
    for each in known:
        for name in each.nodes:
            nodes.pop(name, None)
    return _places(nodes.values(), [f for f in functions if f.signature.name not in seen])


def places_of_functions(graph: Any, names: Iterable[str], file: str) -> Iterator[tuple[str, Any]]:
    """Yield the nodes of the functions ``names``, and of all that these call."""
    library = {function.signature.name: function for function in graph.library.function}
    own = [library[name] for name in names if name in library]
    inside = [node for function in own for node in function.node_def]
    return _places((), [*own, *_functions(inside, library, file).values()])


def check_names(graph: Any, file: str) -> None:
    """Raise MalformedError if two nodes or functions share a name, or one hides an operator."""
    for kind, names in (
        ("node", [node.name for node in graph.node]),
        ("function", [function.signature.name for function in graph.library.function]),
    ):
        seen: set[str] = set()
        for name in names:
            if name in seen or (kind == "function" and name in COMPUTING | REACHING_OUT):
                raise damaged(
                    file,
                    f"the name of a {kind} is taken",
                    element=f"{kind} {name}",
                    expected="a unique name for each node and function",
                    found=f"{name!r} again" if name in seen else "the name of an operator",
                )
            seen.add(name)


def called(node: Any) -> Iterator[str]:
    """Yield the names of the functions that a node calls."""
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        yield from (function.name for function in value.list.func)


def _functions(nodes: Iterable[Any], library: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Return the functions that ``nodes`` call, directly or not, by name."""
    found: dict[str, Any] = {}
    layer = dict.fromkeys(name for node in nodes for name in called(node))
    depth = 0
    # Layer by layer, and a function again in every layer that calls it: one that calls itself
    # would be in all of them.
    while layer:
        missing = [name for name in layer if name not in library]
        if missing:
            raise damaged(
                file,
                "the graph calls a function that it does not hold",
                element=f"function {missing[0]}",
                expected=f"one of {len(library)} functions",
                found=f"no function {missing[0]!r}",
            )
        if depth == MOST_CALLS:
            raise LimitError(
                "the functions of the graph call themselves, or one another too deep",
                where=Location(file=file, element=f"function {next(iter(layer))}"),
                expected=f"at most {MOST_CALLS} functions one in another",
                found="more",
                fix="Export the network without recursion.",
            )
        found.update((name, library[name]) for name in layer)
        layer = dict.fromkeys(
            name for each in layer for node in library[each].node_def for name in called(node)
        )
        depth += 1
    return found


def _places(nodes: Iterable[Any], functions: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    for node in nodes:
        yield f"node {node.name} ({node.op})", node
    for function in functions:
        for node in function.node_def:
            yield f"node {node.name} ({node.op}) of function {function.signature.name}", node
