"""Operators that draw random numbers: a network that has one gives no repeatable verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import ModelProto, NodeProto

from conformance.runtimes.onnx.functions import subgraphs
from conformance.verdicts import Location, UnsupportedError

DRAWING = frozenset(
    {
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
        *("Multinomial", "Bernoulli", "Sampling"),
    }
)
_TRAINING_MODE = 2


def check_repeatable(model: ModelProto, file: str) -> None:
    """Raise UnsupportedError if an operator draws random numbers, with or without a seed.

    A generator with a seed goes on from run to run: outputs would depend on the size of a batch,
    and on what was run before.
    """
    graphs = [model.graph.node, *(function.node for function in model.functions)]
    for place, node in (found for nodes in graphs for found in _drawing(nodes, "graph")):
        raise UnsupportedError(
            "the network draws random numbers, so that no run repeats another",
            where=Location(file=file, element=place),
            expected="outputs that depend on inputs and parameters alone",
            found=f"operator {node.op_type}",
            fix="Export the network for inference, without operators that draw random numbers.",
        )


def _drawing(nodes: Iterable[NodeProto], place: str) -> Iterator[tuple[str, NodeProto]]:
    for index, node in enumerate(nodes):
        here = f"{place}.node[{index}] {node.op_type}" + (f" {node.name}" if node.name else "")
        if node.op_type in DRAWING or _drops(node):
            yield here, node
        for name, graph in subgraphs(node):
            yield from _drawing(graph.node, f"{here}.{name}")


def _drops(node: NodeProto) -> bool:
    """Return whether a Dropout may be set to training; without that input it copies."""
    return node.op_type == "Dropout" and any(node.input[_TRAINING_MODE:])
