"""Which operations are run: those that the interpreter has, where it computes what NNEF says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.runtimes.nnef.libraries import imported
from conformance.runtimes.nnef.quantisation import MAX_BITS
from conformance.runtimes.nnef.text.document import Document, outputs_of
from conformance.verdicts import UnsupportedError

DECLARATIONS = frozenset({"external", "variable", "constant"})
"""The operations that hold tensors, and compute nothing."""

_EXPECTED = "operations of NNEF 1.0 that the PyTorch interpreter of nnef_tools has"
_MAX_LINEAR_FACTORS = 2


def interpreter_operators() -> Mapping[str, Callable[..., Any]]:
    """Return the interpreter's operations by name; NotRunError if it is not installed."""
    imported("torch")
    module = "nnef_tools.interpreter.pytorch.nnef_operators"
    operators: Mapping[str, Callable[..., Any]] = imported(module).Operators
    return operators


def check_names(document: Document) -> None:
    """Raise UnsupportedError for the first operation that cannot be run here."""
    known = DECLARATIONS | set(interpreter_operators())
    for statement in document.graph.statements:
        operation = statement.call.operation
        target = statement.targets[0] if statement.targets else ""
        if operation not in known:
            raise UnsupportedError(
                f"the network uses an operation that cannot be run here: {operation}",
                where=document.where(operation, target),
                expected=_EXPECTED,
                found=operation,
                mend="Export the network with operations that are; custom ones are never loaded.",
            )


def check_operations(graph: Any, document: Document) -> None:
    """Raise UnsupportedError for an operation that is run otherwise than it is written."""
    for operation in graph.operations:
        reason = _reason(operation)
        if reason:
            raise UnsupportedError(
                f"an operation cannot be run as it is written: {operation.name}",
                where=document.where(operation.name, "".join(outputs_of(operation)[:1])),
                expected=_EXPECTED,
                found=reason,
                mend="Write it with other operations.",
            )


def _reason(operation: Any) -> str | None:
    """Return why an operation cannot be run, or None."""
    name, attributes = operation.name, operation.attribs
    if name == "update":
        return "update keeps a state from one run to the next; unroll the recurrence"
    if name == "cast" and operation.dtype == "logical":
        return "a cast to logical; compare with ne"
    if name == "multilinear_upsample":
        return _upsampling_reason(attributes)
    if name.endswith("_quantize") and not 1 <= attributes["bits"] <= MAX_BITS:
        return f"{attributes['bits']} bits"
    return None


def _upsampling_reason(attributes: Mapping[str, Any]) -> str | None:
    method, border = attributes["method"], attributes["border"]
    if len(attributes["factor"]) > _MAX_LINEAR_FACTORS:
        return "upsampling of more than two axes"
    if method == "aligned" or (method, border) == ("symmetric", "replicate"):
        return None
    return f"method {method!r} with border {border!r}"
