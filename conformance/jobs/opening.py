"""The stage *open*: a foreign model file in its runtime; what it is, and the tensors it holds."""

from __future__ import annotations

from dataclasses import asdict

from conformance.jobs.context import TaskContext
from conformance.jobs.stored_network import store_network, unreplaceable
from conformance.plan.requests import NetworkRequest
from conformance.runtimes import Network, PortInfo
from conformance.runtimes.dtypes import packed_bytes
from conformance.verdicts import Json

MOST_PIECES = 8
"""Pieces that nothing reads which are named, the largest ones."""


def describe_network(task: TaskContext[NetworkRequest]) -> Json:
    """Return the ports, the parameter count and the runtime of a network.

    Of a sample, ``features`` are the tools that its codec found.
    """
    spec = task.asked.network
    features: dict[str, Json] = {}
    if spec.codec:
        decoded = task.decoded_network(spec)
        features = {"features": sorted(decoded.features), "implied": list(decoded.implied)}
        store_network(task.out, task.network(spec))
    network = task.network(spec)
    sizes = {n: packed_bytes(a.dtype, a.size) for n, a in network.parameters.items()}
    unused, refused = network.unused_parameters, unreplaceable(network)
    return {
        "format": spec.format,
        "inputs": [_port(port) for port in network.inputs],
        "outputs": [_port(port) for port in network.outputs],
        "counts": asdict(network.counts),
        "parameter_bytes": sum(sizes.values()),
        "topology_bytes": network.topology_bytes,
        "used_parameter_bytes": sum(sizes.values()) - sum(sizes[name] for name in unused),
        "unused_parameters": list(unused),
        "unused_fix": network.unused_fix,
        "unused_files": list(network.unused_files),
        "unread": _unread(network),
        "foreign_classes": list(getattr(network, "foreign_classes", ())),
        "versions": dict(network.versions),
        "settings": dict(network.settings),
        "unreplaceable": None if refused is None else refused.to_json(),
        **features,
    }


def keep_tensors(task: TaskContext[NetworkRequest]) -> Json:
    """Keep the tensors of the original; return whether samples can replace its parameters."""
    network = task.network(task.asked.network)
    store_network(task.out, network)
    refused = unreplaceable(network)
    return {"unreplaceable": None if refused is None else refused.to_json()}


def _unread(network: Network) -> Json:
    """Return the bytes that nothing reads, and their largest pieces."""
    pieces = sorted(network.unread, key=lambda each: (-each.bytes, each.file, each.piece))
    return {
        "bytes": sum(each.bytes for each in pieces),
        "count": len(pieces),
        "largest": [asdict(each) for each in pieces[:MOST_PIECES]],
    }


def _port(port: PortInfo) -> dict[str, Json]:
    return {"name": port.name, "dtype": port.dtype, "shape": list(port.shape)}
