"""The shape of every tensor of a graph, worked out before anything is computed or allocated."""

from __future__ import annotations

import math
from typing import Any

from conformance.runtimes.nnef.libraries import imported
from conformance.runtimes.nnef.text.document import Document, inputs_of, outputs_of
from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

DTYPES = {"scalar": "float32", "integer": "int64", "logical": "bool"}
"""The element types that the interpreter computes in."""

_ITEM_BYTES = 8


def infer_shapes(graph: Any, document: Document, limit_bytes: int) -> None:
    """Put its shape into every tensor of ``graph``.

    Raises MalformedError if operands do not fit, LimitError for a tensor of more than
    ``limit_bytes``, UnsupportedError for inputs whose extents are left open.
    """
    faults = _faults()
    nnef = imported("nnef")
    for operation in graph.operations:
        where = document.where(operation.name, "".join(outputs_of(operation)[:1]))
        _check_declared(operation, where)
        _check_lists(graph, operation, where)
        # One operation at a time: what fails has a name, and time does not grow with the square.
        names = [*inputs_of(operation), *outputs_of(operation)]
        tensors = {name: graph.tensors[name] for name in names if name in graph.tensors}
        try:
            nnef.infer_shapes(graph._replace(operations=[operation], tensors=tensors))
        except faults as error:
            raise _misfit(str(error), where) from error
        graph.tensors.update(tensors)
        for name in outputs_of(operation):
            _check(graph.tensors[name], where, limit_bytes)
        _check_padding(graph, operation, where, limit_bytes)


def shape_of(graph: Any, name: str) -> tuple[int, ...]:
    """Return the shape of a tensor, once it is inferred."""
    return tuple(graph.tensors[name].shape)


def _faults() -> tuple[type[Exception], ...]:
    """Return what shape inference raises: it checks little before it computes."""
    error: type[Exception] = imported("nnef").Error
    return (
        *(error, ArithmeticError, AssertionError, AttributeError),
        *(LookupError, TypeError, ValueError),
    )


def _check_declared(operation: Any, where: Location) -> None:
    """Refuse an input whose shape is left open: NNEF writes 0 for that."""
    if operation.name == "external" and 0 in operation.attribs["shape"]:
        raise UnsupportedError(
            "the shape of an input is left open",
            where=where,
            expected="extents above 0: the batch is the size that is written",
            found=str(operation.attribs["shape"]),
            fix="Write the size of a batch, for example 1, into the shape.",
        )


def _check_lists(graph: Any, operation: Any, where: Location) -> None:
    """Refuse operations whose list of results is not as long as what they make."""
    made, attributes = len(outputs_of(operation)), operation.attribs
    if operation.name == "unstack":
        value, axis = operation.inputs["value"], attributes["axis"]
        shape = graph.tensors[value].shape if value in graph.tensors else []
        wanted = shape[axis] if 0 <= axis < len(shape) else made
    elif operation.name in {"copy_n", "split"}:
        wanted = attributes["times"] if operation.name == "copy_n" else len(attributes["ratios"])
    elif operation.name == "constant":
        values, volume = len(attributes["value"]), math.prod(attributes["shape"])
        made, wanted = values, values if values == 1 else volume
    else:
        return
    if made != wanted:
        raise _misfit(f"{made} values where there should be {wanted}", where)


def _check(tensor: Any, where: Location, limit_bytes: int) -> None:
    if any(type(size) is not int or size < 1 for size in tensor.shape):
        raise _misfit(f"the shape {tensor.shape}", where)
    _check_size(math.prod(tensor.shape), where, limit_bytes)


def _check_padding(graph: Any, operation: Any, where: Location, limit_bytes: int) -> None:
    """Refuse padding that takes too much memory, however small the result."""
    padding = operation.attribs.get("padding") or _windows(graph, operation)
    names = [*inputs_of(operation)[:1], *outputs_of(operation)[:1]]
    for name in names:
        if str(name) not in graph.tensors:
            continue
        shape = shape_of(graph, name)
        padded = zip(shape[::-1], padding[::-1], strict=False)
        sizes = [size + max(before, 0) + max(after, 0) for size, (before, after) in padded]
        _check_size(math.prod(sizes) * math.prod(shape[: -len(sizes) or None]), where, limit_bytes)


def _windows(graph: Any, operation: Any) -> list[tuple[int, int]]:
    """Return bounds of the padding that is worked out where none is written: the window's size."""
    if "dilation" not in operation.attribs:
        return []
    filters = [name for name in inputs_of(operation)[1:2] if str(name) in graph.tensors]
    size = operation.attribs.get("size") or [s for n in filters for s in shape_of(graph, n)[2:]]
    dilation = operation.attribs["dilation"] or [1] * len(size)
    return [(s * d, 0) for s, d in zip(size, dilation, strict=False)]


def _check_size(elements: int, where: Location, limit_bytes: int) -> None:
    if elements * _ITEM_BYTES > limit_bytes:
        raise LimitError(
            "a tensor of the graph takes more memory than is allowed",
            where=where,
            expected=f"at most {limit_bytes} bytes",
            found=f"{elements} elements",
            fix="Reduce the network or its inputs, or judge it with a higher memory limit.",
        )


def _misfit(found: str, where: Location) -> MalformedError:
    return MalformedError(
        "an operation does not fit its operands",
        where=where,
        expected="operands, attributes and results whose shapes fit each other",
        found=found[:400],
        fix="Correct the graph, or export the model again.",
    )
