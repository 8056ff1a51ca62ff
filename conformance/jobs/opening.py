"""The stage *open*: a foreign model file in its runtime; what it is, and the tensors it holds."""

from __future__ import annotations

from dataclasses import asdict, fields

from conformance.jobs.context import TaskContext
from conformance.jobs.stored_network import store_network, unreplaceable
from conformance.plan.requests import NetworkRequest
from conformance.plan.results import (
    Counts,
    ModelResult,
    NetworkResult,
    ParametersResult,
    Unread,
    UnreadPiece,
)
from conformance.runtimes import Network, PortInfo
from conformance.runtimes.dtypes import packed_bytes
from conformance.submission.values import Port

MOST_PIECES = 8
"""Pieces that nothing reads which are named, the largest ones."""


def describe_network(task: TaskContext[NetworkRequest]) -> ModelResult:
    """Return the ports, the parameter count and the runtime of a network.

    A sample that is one is kept as well, with the tools that its codec found.
    """
    spec = task.asked.network
    if not spec.codec:
        return _described(spec.format, task.network(spec))
    decoded = task.decoded_network(spec)
    network = task.network(spec)
    store_network(task.out, network)
    known = _described(spec.format, network)
    return NetworkResult(
        **{each.name: getattr(known, each.name) for each in fields(known)},
        features=tuple(sorted(decoded.features)),
        implied=decoded.implied,
    )


def _described(format: str, network: Network) -> ModelResult:
    sizes = {n: packed_bytes(a.dtype, a.size) for n, a in network.parameters.items()}
    unused = network.unused_parameters
    return ModelResult(
        format=format,
        inputs=tuple(map(_port, network.inputs)),
        outputs=tuple(map(_port, network.outputs)),
        counts=Counts(**asdict(network.counts)),
        parameter_bytes=sum(sizes.values()),
        topology_bytes=network.topology_bytes,
        used_parameter_bytes=sum(sizes.values()) - sum(sizes[name] for name in unused),
        unused_parameters=tuple(unused),
        unused_fix=network.unused_fix,
        unused_files=tuple(network.unused_files),
        unread=_unread(network),
        foreign_classes=tuple(getattr(network, "foreign_classes", ())),
        versions=dict(network.versions),
        settings=dict(network.settings),
        unreplaceable=unreplaceable(network),
    )


def keep_tensors(task: TaskContext[NetworkRequest]) -> ParametersResult:
    """Keep the tensors of the original; return whether samples can replace its parameters."""
    network = task.network(task.asked.network)
    store_network(task.out, network)
    return ParametersResult(unreplaceable(network))


def _unread(network: Network) -> Unread:
    """Return the bytes that nothing reads, and their largest pieces."""
    pieces = sorted(network.unread, key=lambda each: (-each.bytes, each.file, each.piece))
    return Unread(
        bytes=sum(each.bytes for each in pieces),
        count=len(pieces),
        largest=tuple(UnreadPiece(**asdict(each)) for each in pieces[:MOST_PIECES]),
    )


def _port(port: PortInfo) -> Port:
    return Port(port.name, port.dtype, port.shape)
