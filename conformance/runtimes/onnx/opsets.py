"""The operator sets that a model imports: every node's domain must be among them, and known."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from onnx import ModelProto, NodeProto, OperatorSetIdProto
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from conformance.runtimes.onnx.functions import STANDARD, all_nodes, call_key, function_key
from conformance.verdicts import Location, MalformedError, UnsupportedError


def check_opsets(model: ModelProto, file: str) -> None:
    """Refuse a model whose operators nothing defines.

    Raises MalformedError if an operator set is not imported, or imported in two versions or none
    that exists; UnsupportedError for an operator of a domain that ONNX Runtime has not, and that
    no local function defines.
    """
    _check_graph(model.graph.node, model.opset_import, model, (file, "the model"))
    for function in model.functions:
        owner = f"function {function.name}"
        _check_graph(function.node, function.opset_import, model, (file, owner))


@cache
def _known_domains() -> frozenset[str]:
    return frozenset(schema.domain for schema in _state.get_all_operator_schema())


def _check_graph(
    nodes: Iterable[NodeProto],
    imports: Iterable[OperatorSetIdProto],
    model: ModelProto,
    where: tuple[str, str],
) -> None:
    file, owner = where
    versions = _versions(imports, file, owner)
    functions = {function_key(function) for function in model.functions}
    for node in all_nodes(nodes):
        domain = _domain(node.domain)
        element = f"node {node.name or '(unnamed)'} ({node.op_type})"
        if domain not in versions:
            raise MalformedError(
                f"No opset import for domain {domain or 'ai.onnx'!r}",
                where=Location(file=file, element=element),
                expected="an entry of opset_import for the domain of every operator",
                found=f"No opset import for domain {domain or 'ai.onnx'} in {owner}, which uses "
                f"{node.op_type} of it",
                fix="Add the operator set, in the version the model was exported for, to the "
                f"opset_import of {owner}.",
            )
        if domain not in _known_domains() and call_key(node) not in functions:
            raise _custom(node, element, file)


def _versions(imports: Iterable[OperatorSetIdProto], file: str, owner: str) -> dict[str, int]:
    versions: dict[str, int] = {}
    for entry in imports:
        domain, version = _domain(entry.domain), entry.version
        if version < 1 or versions.get(domain, version) != version:
            again = f"versions {versions[domain]} and {version}" if domain in versions else version
            raise MalformedError(
                f"{owner} imports no valid version of an operator set",
                where=Location(file=file, element=f"{owner.removeprefix('the ')}.opset_import"),
                expected=f"one version of {domain or 'ai.onnx'}, 1 or above",
                found=str(again),
                fix="Import the version that the model was exported for, once.",
            )
        versions[domain] = version
    return versions


def _domain(name: str) -> str:
    return "" if name in STANDARD else name


def _custom(node: NodeProto, element: str, file: str) -> UnsupportedError:
    return UnsupportedError(
        f"the network uses an operator of a domain that ONNX Runtime has not: {node.op_type}",
        where=Location(file=file, element=element.rpartition(" (")[0]),
        expected=f"operators of {', '.join(sorted(d or 'ai.onnx' for d in _known_domains()))}, or "
        "local functions; no custom operator library is loaded",
        found=f"operator {node.op_type} of domain {node.domain}",
        fix="Export the network with standard operators, or with a local function "
        f"{node.domain}.{node.op_type} in the model that says what the operator does.",
    )
