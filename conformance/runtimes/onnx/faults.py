"""What ONNX Runtime says when it refuses a model or a run, said as a ConformanceError."""

from __future__ import annotations

import re
from dataclasses import replace

from onnx import ModelProto, NodeProto
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from conformance.runtimes.faults import Fault, as_error, cannot_run, recognised, too_large
from conformance.runtimes.onnx.functions import all_nodes
from conformance.verdicts import ConformanceError, Location, MalformedError, UnsupportedError

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
_NODE = re.compile(r"while running (?P<op>\w+) node\. Name:'(?P<name>[^']*)'")
_TOO_LARGE = too_large("Failed to allocate memory", "bad_alloc")
_TOO_NEW = Fault(
    kind=UnsupportedError,
    signs=("Unsupported model IR version", "only *guarantees* support", "is till opset"),
    message="the model is written for a newer version of ONNX than the installed runtime knows",
    expected="an IR version and opsets the installed ONNX Runtime supports",
    fix="Convert the model with onnx.version_converter, or update ONNX Runtime.",
)
_REFUSALS = (
    Fault(
        kind=UnsupportedError,
        signs=(
            re.compile(r"No Op registered for (?P<op>\w+) with domain_version"),
            re.compile(r"[\w.]*:(?P<op>\w+)\(-?\d+\) is not a registered function/op"),
            re.compile(r"an implementation for (?P<op>\w+)\(\d+\)"),
        ),
        message="the network uses an operator that ONNX Runtime cannot run: {op}",
        expected="operators of ONNX Runtime on the CPU; no custom operator library is loaded",
        found="operator {op} of domain {domain}: {text}",
        fix="Export the network with standard operators, in float32 where a type is the obstacle.",
    ),
    replace(
        _TOO_NEW,
        signs=(
            re.compile(
                r"Opset (?P<version>\d+) is .*"
                r"for domain (?P<domain>\S+) is till opset (?P<most>\d+)"
            ),
        ),
        expected="at most opset {most} of {domain}",
        found="opset {version} of {domain}",
    ),
    replace(
        _TOO_NEW,
        signs=(
            re.compile(
                r"Unsupported model IR version: (?P<version>\d+), "
                r"max supported IR version: (?P<most>\d+)"
            ),
        ),
        expected="at most IR version {most}",
        found="IR version {version}",
    ),
    _TOO_NEW,
    _TOO_LARGE,
    Fault(
        kind=MalformedError,
        message="the graph is not a valid network",
        expected="a graph that passes onnx.checker.check_model(full_check=True)",
        fix="Correct the graph, or export the model again.",
    ),
)
_FAILURES = (_TOO_LARGE, cannot_run("ONNX Runtime"))


def refused_model(error: Exception, model: ModelProto, file: str) -> ConformanceError:
    """Return why a session could not be made of ``model``.

    Unknown operators and versions are UnsupportedError, allocations that fail LimitError, all
    else MalformedError.
    """
    text = plain(error)
    fault, words = recognised(error, text, _REFUSALS)
    if "op" not in words:
        return fault.at(_place(text, file), text, **words)
    op = words["op"]
    node = next((node for node in _all_nodes(model) if node.op_type == op), NodeProto(op_type=op))
    where = Location(file=file, element=f"node {node.name or '(unnamed)'}")
    return fault.at(where, text, op=op, domain=node.domain or "ai.onnx")


def failed_run(error: Exception, file: str) -> ConformanceError:
    """Return why a run of a network that could be loaded failed."""
    text = plain(error)
    return as_error(error, text, _FAILURES, _place(text, file))


def _all_nodes(model: ModelProto) -> list[NodeProto]:
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    return [*all_nodes(nodes)]


def _place(text: str, file: str) -> Location:
    """Return the node that was being run, if the runtime names it."""
    match = _NODE.search(text)
    node = f"node {match['name'] or '(unnamed)'} ({match['op']})" if match else "graph"
    return Location(file=file, element=node)


def plain(error: Exception) -> str:
    """Return a message of ONNX Runtime on one line, without its prefix and places in its source."""
    text = " ".join(_PREFIX.sub("", str(error)).split())
    return _SOURCE.sub("", text)[:_MOST_TEXT]
