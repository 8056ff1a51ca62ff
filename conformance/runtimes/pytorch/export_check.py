"""Whether the graph of an exported program may be run, and what in it the outputs depend on."""

from __future__ import annotations

from functools import partial
from typing import Any, NoReturn

from conformance.runtimes.pytorch.export_schema import (
    Graph,
    Node,
    output_names,
    references,
)
from conformance.runtimes.pytorch.export_targets import HIGHER_ORDER, is_arithmetic, operator_name
from conformance.runtimes.pytorch.literals import MAX_LISTED, loose, may_be_learned, sizes_among
from conformance.runtimes.pytorch.operators import (
    HIDING,
    UNKNOWN,
    is_random,
    packet_of,
    refusal,
    trains,
)
from conformance.runtimes.roles import StoredTensor
from conformance.verdicts import Location, UnsupportedError


def check_graph(torch: Any, graph: Graph, file: str) -> None:
    """Raise UnsupportedError for an operator that is not run here.

    That is one that is not PyTorch's own, draws random numbers, trains, touches files or
    prints.
    """
    writes = any(_mutates(torch, node) for node in graph.walk())
    for node in graph.walk():
        if is_arithmetic(node.target) or node.target in HIGHER_ORDER:
            continue
        name = operator_name(node.target)
        if name is None:
            _refuse(node, "it is not one of PyTorch's operators on tensors", file)
        reason = refusal(torch, name[0])
        if writes and name[0] in HIDING:
            reason = "it hides what another operator writes to a tensor"
        if reason is not None and is_random(reason):
            _unsupported(
                node,
                "the network draws random numbers, so that no run repeats another",
                node.target,
                "Export the network for inference, without operators that draw random numbers.",
                file,
            )
        if reason is not None:
            _refuse(node, reason, file)
        if not _exists(torch, *name):
            _refuse(node, "the installed PyTorch has no such operator", file)
        trained = trains(name[0], partial(_given, node))
        if trained is not None:
            _unsupported(
                node,
                f"the network is not in inference mode: {trained!r} is not off",
                node.target,
                "Call eval() on the network before it is exported.",
                file,
            )


def needed_names(torch: Any, graph: Graph) -> frozenset[str]:
    """Return the names of all values of the graph that its outputs depend on.

    An operator that writes to its arguments counts as needed: others may read what it wrote.
    """
    needed = {name for output in graph.outputs for name in references(output)}
    for node in reversed(graph.nodes):
        given = {name for output in node.outputs for name in output_names(output)}
        if given & needed or _writes(torch, node):
            needed.update(name for each in node.arguments.values() for name in references(each))
    return frozenset(needed)


def literals_in(graph: Graph) -> list[StoredTensor]:
    """Return the values written into the graph that are not messages; all sizes together."""
    found: list[StoredTensor] = []
    sizes: list[int] = []
    for node in graph.walk():
        for argument in node.arguments.values():
            if isinstance(argument, list):
                listed = argument if len(argument) > MAX_LISTED else []
            else:
                listed = [argument] if may_be_learned(argument) else []
            if listed:
                found.append(loose(node.name, listed))
            else:
                sizes += sizes_among(argument if isinstance(argument, list) else [argument])
    return [*found, loose("sizes in the graph", sizes)] if sizes else found


def _given(node: Node, wanted: str) -> object:
    """Return an argument of a node; UNKNOWN for what is computed, None for what is left out."""
    value = node.arguments.get(wanted)
    plain = value is None or isinstance(value, bool | int | float)
    left_out = wanted not in node.arguments and wanted != "running_mean"
    return _DEFAULTS.get(wanted, UNKNOWN) if left_out else value if plain else UNKNOWN


_DEFAULTS = {"dropout_p": 0.0, "training": False}


def _writes(torch: Any, node: Node) -> bool:
    name = operator_name(node.target)
    if name is None:
        return node.target in HIGHER_ORDER
    return bool(getattr(getattr(torch.ops.aten, name[0]), name[1])._schema.is_mutable)


def _mutates(torch: Any, node: Node) -> bool:
    name = operator_name(node.target)
    return name is not None and _exists(torch, *name) and _writes(torch, node)


def _exists(torch: Any, name: str, overload: str) -> bool:
    packet = packet_of(torch, name)
    return packet is not None and overload in packet.overloads()


def _refuse(node: Node, reason: str, file: str) -> NoReturn:
    _unsupported(
        node,
        f"the network uses an operator that is not run here: {node.target}",
        f"{node.target}: {reason}",
        "Export the network with operators of PyTorch that compute on tensors.",
        file,
    )


def _unsupported(node: Node, message: str, found: str, fix: str, file: str) -> NoReturn:
    raise UnsupportedError(
        message,
        where=Location(file, element=node.name),
        expected="outputs that depend on inputs and parameters alone",
        found=found,
        fix=fix,
    )
