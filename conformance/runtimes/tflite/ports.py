"""Inputs and outputs of the main graph as ports, under the names of its signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.runtimes._protocol import PortInfo
from conformance.runtimes.tflite.dtypes import dtype_of, type_name
from conformance.runtimes.tflite.graph import MAIN
from conformance.runtimes.tflite.model import Model, Tensor
from conformance.verdicts import Location, MalformedError, UnsupportedError

_FREE = -1


@dataclass(frozen=True, slots=True)
class Ports:
    """Inputs or outputs in the graph's order, and the index of the tensor of each."""

    infos: tuple[PortInfo, ...]
    tensors: tuple[int, ...]


def read_ports(model: Model, file: str) -> tuple[Ports, Ports]:
    """Return the inputs and the outputs.

    They are named as the signature says, if the main graph has exactly one, and as their tensors
    otherwise. Raises MalformedError if two have one name, UnsupportedError for an element type
    that NumPy has not.
    """
    own = [each for each in model.signatures if each.subgraph == MAIN]
    names = (own[0].inputs, own[0].outputs) if len(own) == 1 else ({}, {})
    graph = model.subgraphs[MAIN]
    return (
        _ports(graph.tensors, graph.inputs, names[0], file, "inputs"),
        _ports(graph.tensors, graph.outputs, names[1], file, "outputs"),
    )


def _ports(
    tensors: Sequence[Tensor],
    indices: Sequence[int],
    names: Mapping[int, str],
    file: str,
    side: str,
) -> Ports:
    infos = tuple(_port(tensors[i], names.get(i) or tensors[i].name, file) for i in indices)
    found = [each.name for each in infos]
    if len(set(found)) < len(found) or "" in found:
        raise MalformedError(
            f"the {side} of the network do not have unique names",
            where=Location(file=file, element=f"model.subgraphs[{MAIN}].{side}"),
            expected="a name for each, all different",
            found=", ".join(map(repr, found)),
            fix="Convert the model with a signature, or name its tensors.",
        )
    return Ports(infos, tuple(indices))


def _port(tensor: Tensor, name: str, file: str) -> PortInfo:
    dtype = dtype_of(tensor.code)
    if dtype is None or dtype.isbuiltin != 1:
        raise UnsupportedError(
            f"input or output {name!r} is not a tensor that can be judged",
            where=Location(file=file, element=f"{tensor.element} {name}"),
            expected="a tensor of numbers or booleans in a type that NumPy has",
            found=f"a tensor of {type_name(tensor.code)}",
            fix="Put a cast to float32 before this output, or after this input, into the network.",
        )
    return PortInfo(name, dtype.name, tuple(None if s == _FREE else s for s in tensor.signature))
