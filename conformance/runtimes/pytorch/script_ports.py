"""Inputs and outputs of a TorchScript module: names from its forward method, without types.

TorchScript records neither element types nor shapes of tensors; what a submission declares of them
is compared with its vectors and with what the network returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.runtimes._protocol import ANY_DTYPE, ANY_SHAPE, PortInfo
from conformance.runtimes.pytorch.script_graph import Graph
from conformance.verdicts import Location, UnsupportedError

ONE = "output"
"""Name of the output of a network that returns one tensor."""


def input_ports(schema: Any, file: str) -> tuple[PortInfo, ...]:
    """Return the tensors among the arguments of forward.

    An argument with a default value keeps it, and is not an input. UnsupportedError for any other
    argument that is not a tensor.
    """
    ports = []
    for argument in list(schema.arguments)[1:]:
        if argument.type.kind() == "TensorType" and not argument.has_default_value():
            ports.append(PortInfo(argument.name, ANY_DTYPE, ANY_SHAPE))
        elif not argument.has_default_value():
            raise UnsupportedError(
                f"input {argument.name!r} is not a tensor",
                where=Location(file, element=f"forward: {argument.name}"),
                expected="tensors, and arguments with default values",
                found=str(argument.type),
                fix="Wrap the network in a module whose forward takes tensors only.",
            )
    return tuple(ports)


def output_ports(schema: Any, graph: Graph, file: str) -> tuple[PortInfo, ...]:
    """Return the outputs: ``output``, or ``output_0`` and so on, or the keys of a dictionary.

    Tuples in tuples are taken apart in their order. UnsupportedError for anything else.
    """
    (returned,) = schema.returns
    if returned.type.kind() == "DictType":
        names: tuple[str, ...] = graph.output_keys() or ()
        plain = str(returned.type.getValueType()) == "Tensor" and len(set(names)) == len(names)
        if not names or not plain:
            raise _unsupported(str(returned.type), file)
    elif returned.type.kind() == "TensorType":
        names = (ONE,)
    else:
        leaves = list(_leaves(returned.type, file))
        names = tuple(f"{ONE}_{index}" for index in range(len(leaves)))
    return tuple(PortInfo(name, ANY_DTYPE, ANY_SHAPE) for name in names)


def named_outputs(ports: tuple[PortInfo, ...], returned: Any) -> dict[str, Any]:
    """Return the tensors that a run returned, under the names of the ports."""
    if isinstance(returned, dict):
        return {port.name: returned[port.name] for port in ports}
    return dict(zip((port.name for port in ports), _flat(returned), strict=True))


def _flat(returned: Any) -> Iterator[Any]:
    if isinstance(returned, tuple):
        for each in returned:
            yield from _flat(each)
    else:
        yield returned


def _leaves(type: Any, file: str) -> Iterator[Any]:
    if type.kind() == "TupleType":
        for element in type.elements():
            yield from _leaves(element, file)
    elif type.kind() == "TensorType":
        yield type
    else:
        raise _unsupported(str(type), file)


def _unsupported(found: str, file: str) -> UnsupportedError:
    return UnsupportedError(
        "the network returns something that cannot be judged",
        where=Location(file, element="forward: return value"),
        expected="a tensor, tuples of tensors, or a dictionary of tensors with constant keys",
        found=found,
        fix="Wrap the network in a module whose forward returns tensors only.",
    )
