"""What ONNX Runtime says when it refuses a model or a run, said as a ConformanceError."""

from __future__ import annotations

import re

from onnx import ModelProto, NodeProto
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from conformance.runtimes._protocol import FAILED_RUN
from conformance.runtimes.onnx.functions import all_nodes
from conformance.runtimes.onnx.opsets import newer_version
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    Location,
    MalformedError,
    UnsupportedError,
)

FAULTS: tuple[type[Exception], ...] = (
    _state.Fail,
    _state.InvalidArgument,
    _state.InvalidGraph,
    _state.InvalidProtobuf,
    _state.NoSuchFile,
    _state.NotImplemented,
    _state.RuntimeException,
    RuntimeError,
    ValueError,
)
"""What ONNX Runtime raises; the last two come from its Python bindings."""

_MOST_TEXT = 400
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_SOURCE = re.compile(r"(/onnxruntime_src/)?\S*/\S+\.(cc|h):\d+ .*?\) (?=[A-Z])")
_OPERATORS = (
    re.compile(r"No Op registered for (?P<op>\w+) with domain_version"),
    re.compile(r"(?P<domain>[\w.]*):(?P<op>\w+)\(-?\d+\) is not a registered function/op"),
    re.compile(r"an implementation for (?P<op>\w+)\(\d+\)"),
)
_VERSIONS = ("Unsupported model IR version", "only *guarantees* support", "is till opset")
_MEMORY = ("Failed to allocate memory", "bad_alloc")
_RUNNING = re.compile(r"while running (?P<op>\w+) node\. Name:'(?P<name>[^']*)'")


def refused_model(error: Exception, model: ModelProto, file: str) -> ConformanceError:
    """Return why a session could not be made of ``model``.

    Unknown operators and versions are UnsupportedError, allocations that fail LimitError, all
    else MalformedError.
    """
    text = plain(error)
    for pattern in _OPERATORS:
        match = pattern.search(text)
        if match:
            return _unknown_operator(match["op"], text, model, file)
    where = Location(file=file, element=_node_in(text) or "graph")
    if any(sign in text for sign in _VERSIONS):
        unclear = "an IR version and opsets the installed ONNX Runtime supports", text
        expected, found = newer_version(text) or unclear
        return UnsupportedError(
            "the model is written for a newer version of ONNX than the installed runtime knows",
            where=where,
            expected=expected,
            found=found,
            fix="Convert the model with onnx.version_converter, or update ONNX Runtime.",
        )
    if any(sign in text for sign in _MEMORY):
        return _too_large(text, where)
    return MalformedError(
        "the graph is not a valid network",
        where=where,
        expected="a graph that passes onnx.checker.check_model(full_check=True)",
        found=text,
        fix="Correct the graph, or export the model again.",
    )


def failed_run(error: Exception, file: str) -> ConformanceError:
    """Return why a run of a network that could be loaded failed."""
    text = plain(error)
    where = Location(file=file, element=_node_in(text) or "graph")
    if any(sign in text for sign in _MEMORY):
        return _too_large(text, where)
    return ConformanceError(
        "the network cannot be run on these inputs",
        where=where,
        expected="outputs",
        found=text,
        fix=FAILED_RUN.format("ONNX Runtime"),
    )


def _unknown_operator(op: str, text: str, model: ModelProto, file: str) -> UnsupportedError:
    node = next((node for node in _all_nodes(model) if node.op_type == op), NodeProto(op_type=op))
    return UnsupportedError(
        f"the network uses an operator that ONNX Runtime cannot run: {op}",
        where=Location(file=file, element=f"node {node.name or '(unnamed)'}"),
        expected="operators of ONNX Runtime on the CPU; no custom operator library is loaded",
        found=f"operator {op} of domain {node.domain or 'ai.onnx'}: {text}",
        fix="Export the network with standard operators, in float32 where a type is the obstacle.",
    )


def _all_nodes(model: ModelProto) -> list[NodeProto]:
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    return [*all_nodes(nodes)]


def _too_large(text: str, where: Location) -> LimitError:
    return LimitError(
        "the network asks for more memory than there is",
        where=where,
        expected="tensors that fit into memory",
        found=text,
        fix="Reduce the network or its inputs, or judge it with a higher memory limit.",
    )


def _node_in(text: str) -> str | None:
    match = _RUNNING.search(text)
    return f"node {match['name'] or '(unnamed)'} ({match['op']})" if match else None


def plain(error: Exception) -> str:
    """Return a message of ONNX Runtime on one line, without its prefix and places in its source."""
    text = " ".join(_PREFIX.sub("", str(error)).split())
    return _SOURCE.sub("", text)[:_MOST_TEXT]
