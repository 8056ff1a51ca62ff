"""Which operations are run: those that the interpreter has, where it computes what NNEF says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.runtimes.nnef.libraries import imported
from conformance.runtimes.nnef.quantisation import MAX_BITS
from conformance.runtimes.nnef.text.document import Document, inputs_of, outputs_of
from conformance.verdicts import UnsupportedError

DECLARATIONS = frozenset({"external", "variable", "constant"})
"""The operations that hold tensors, and compute nothing."""

_SPREADING = {"deconv", "separable_deconv", "debox", "desample"}
_INDEXING = {"argmax_pool", "max_pool_with_index"}
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
                fix="Export the network with operations that are; custom ones are never loaded.",
            )


def check_operations(graph: Any, document: Document) -> None:
    """Raise UnsupportedError for an operation that is run otherwise than it is written."""
    indices = _Indices(graph)
    for operation in graph.operations:
        reason = _reason(operation) or indices.reason(operation)
        if reason:
            raise UnsupportedError(
                f"an operation cannot be run as it is written: {operation.name}",
                where=document.where(operation.name, "".join(outputs_of(operation)[:1])),
                expected=_EXPECTED,
                found=reason,
                fix="Write it with other operations.",
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
    border = attributes.get("border")
    if name in _SPREADING and border != "constant":
        return f"border {border!r}: it computes that of a constant"
    if name.endswith("_quantize") and not 1 <= attributes["bits"] <= MAX_BITS:
        return f"{attributes['bits']} bits"
    return None


class _Indices:
    """The tensors of a graph that say where in its window a maximum was.

    The interpreter counts in the padded plane, others in the window. So such a tensor may only lead
    from one operation to the other that undoes it, and there the numbers themselves do not show.
    Where windows overlap it keeps one of two values that NNEF adds.
    """

    def __init__(self, graph: Any) -> None:
        self._outputs = {str(name) for name in graph.outputs}
        self._makers = {
            outputs_of(operation)[-1]: operation
            for operation in graph.operations
            if operation.name in _INDEXING
        }

    def reason(self, operation: Any) -> str | None:
        """Return why an operation cannot be run, or None."""
        if operation.name in _INDEXING and outputs_of(operation)[-1] in self._outputs:
            return "the index is an output: the interpreter's counts in the padded plane"
        if operation.name != "desample":
            used = self._makers.keys() & {str(name) for name in inputs_of(operation)}
            return "it reads the index of a maximum; only desample may" if used else None
        maker = self._makers.get(str(operation.inputs["index"]))
        if maker is None:
            return "an index that is not that of argmax_pool or max_pool_with_index"
        same = ("size", "padding", "stride", "dilation")
        if any(maker.attribs[name] != operation.attribs[name] for name in same):
            return "other windows than those of the operation that made the index"
        size = operation.attribs["size"]
        stride = operation.attribs["stride"] or [1] * len(size)
        if any(step < length for step, length in zip(stride, size, strict=False)):
            return "windows that overlap"
        return None


def _upsampling_reason(attributes: Mapping[str, Any]) -> str | None:
    method, border = attributes["method"], attributes["border"]
    if len(attributes["factor"]) > _MAX_LINEAR_FACTORS:
        return "upsampling of more than two axes"
    if method == "aligned" or (method, border) == ("symmetric", "replicate"):
        return None
    return f"method {method!r} with border {border!r}"
