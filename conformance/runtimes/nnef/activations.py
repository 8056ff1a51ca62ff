"""The quantisation of activations, written out as operations of the graph.

The interpreter would quantise what an operation makes where the quantisation file says so, but its
own way does not work with current NumPy. The same operation, put after the one that makes the
tensor, does: an activation is rounded to what its integers stand for, and stays a real number.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from conformance.runtimes.nnef.libraries import imported
from conformance.runtimes.nnef.quantisation import Quantisation
from conformance.runtimes.nnef.text.document import Document, outputs_of
from conformance.verdicts import Location, MalformedError, UnsupportedError

_SUFFIX = "$real"
_TAKE_SIGNS = {"min_max_linear_quantize", "zero_point_linear_quantize"}


def quantised(graph: Any, document: Document, quantisations: Mapping[str, Quantisation]) -> Any:
    """Return ``graph`` with the quantisation of its activations as separate operations.

    Raises MalformedError for a tensor that the graph does not have, or whose shape does not fit,
    UnsupportedError for inputs and constants.
    """
    makers = {name: operation for operation in graph.operations for name in outputs_of(operation)}
    wanted: dict[str, Quantisation] = {}
    for name, quantisation in quantisations.items():
        maker = makers.get(name)
        if maker is None:
            raise _wrong("a quantised tensor is not in the graph", quantisation, "a tensor's name")
        if maker.name in {"external", "constant"}:
            raise _not_simulated(name, quantisation, document.where(maker.name, name))
        if maker.name != "variable":
            _check(graph.tensors[name], quantisation)
            wanted[name] = quantisation
    operations: list[Any] = []
    tensors = dict(graph.tensors)
    for operation in graph.operations:
        names = [name for name in outputs_of(operation) if name in wanted]
        operations.append(_renamed(operation, set(names)) if names else operation)
        for name in names:
            tensors[name + _SUFFIX] = tensors[name]._replace(name=name + _SUFFIX)
            operations.append(_operation(name, wanted[name], len(tensors[name].shape)))
    return graph._replace(operations=operations, tensors=tensors)


def _check(tensor: Any, quantisation: Quantisation) -> None:
    if tensor.dtype != "scalar" or not quantisation.fits(tuple(tensor.shape)):
        raise _wrong(
            "the quantisation of a tensor does not fit its shape or type",
            *(quantisation, f"attributes for {tensor.dtype} of shape {tensor.shape}"),
        )
    arrays = quantisation.arrays
    if "scale" in arrays and not arrays["scale"].all():
        raise _wrong("a scale is 0, by which activations are divided", quantisation, "above 0")
    if "min" in arrays and not (arrays["max"] > arrays["min"]).all():
        raise _wrong("min is not below max", quantisation, "min below max")


def _renamed(operation: Any, names: set[str]) -> Any:
    identifier = imported("nnef").Identifier

    def rename(value: Any) -> Any:
        if isinstance(value, list):
            return [rename(each) for each in value]
        return identifier(value + _SUFFIX) if str(value) in names else value

    outputs = OrderedDict((key, rename(value)) for key, value in operation.outputs.items())
    return operation._replace(outputs=outputs)


def _operation(name: str, quantisation: Quantisation, rank: int) -> Any:
    """Return the operation that quantises the tensor ``name``."""
    nnef = imported("nnef")
    arrays = quantisation.broadcast(rank)
    inputs = OrderedDict(x=nnef.Identifier(name + _SUFFIX), **arrays)
    attributes = OrderedDict[str, Any](bits=quantisation.bits)
    if quantisation.operation in _TAKE_SIGNS:
        attributes.update(signed=quantisation.signed, symmetric=quantisation.symmetric)
    outputs = OrderedDict(y=nnef.Identifier(name))
    return nnef.Operation(quantisation.operation, attributes, inputs, outputs, None)


def _wrong(message: str, quantisation: Quantisation, expected: str) -> MalformedError:
    shapes = ", ".join(str(list(array.shape)) for array in quantisation.arrays.values())
    return MalformedError(
        message,
        where=quantisation.where,
        expected=expected,
        found=f"{quantisation.tensor!r}, attributes of shapes {shapes}",
        fix="Correct the entry of the quantisation file.",
    )


def _not_simulated(name: str, quantisation: Quantisation, maker: Location) -> UnsupportedError:
    return UnsupportedError(
        f"the quantisation of {name!r} cannot be run: it is an input or a constant",
        where=quantisation.where,
        expected="quantised variables, and results of operations",
        found=f"{quantisation.operation} of {name}, made by {maker}",
        fix=f"Remove the entry, and write {quantisation.operation}(...) into the graph.",
    )
