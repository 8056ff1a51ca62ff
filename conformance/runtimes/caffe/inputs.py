"""The declared inputs of a prototxt: ``input`` fields and ``Input`` layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from conformance.runtimes.caffe.layers import Shape
from conformance.verdicts import Location, MalformedError

_OLD_RANK = 4
_EXPECTED = "one shape for each input, or one for all of them"


def declared_inputs(net: Any, layers: Sequence[Any], file: str) -> Iterator[tuple[str, Shape]]:
    """Yield name and shape of every input, in the order of the file.

    Raises MalformedError for one without a shape, or if there is none at all.
    """
    found = 0
    for name, shape in (*_of_fields(net, file), *_of_layers(layers, file)):
        found += 1
        yield name, shape
    if not found:
        raise MalformedError(
            "the network has no input",
            where=Location(file=file, element="input"),
            expected='a layer of type "Input" with the shapes of its outputs',
            found="none in the test phase",
            fix='Submit the deployment prototxt: its inputs are given by "Input" layers.',
        )


def _of_fields(net: Any, file: str) -> Iterator[tuple[str, Shape]]:
    names, dims = list(net.input), list(net.input_dim)
    shapes = [tuple(shape.dim) for shape in net.input_shape]
    if dims and not shapes and len(dims) % _OLD_RANK == 0:
        shapes = [tuple(dims[i : i + _OLD_RANK]) for i in range(0, len(dims), _OLD_RANK)]
    elif dims:
        shapes = []
    if len(shapes) != len(names):
        raise _without_shape(file, "input", f"{len(names)} inputs and {len(shapes)} shapes")
    yield from zip(names, shapes, strict=True)


def _of_layers(layers: Sequence[Any], file: str) -> Iterator[tuple[str, Shape]]:
    for layer in layers:
        if layer.type != "Input":
            continue
        shapes = [tuple(shape.dim) for shape in layer.input_param.shape]
        if len(shapes) == 1:
            shapes *= len(layer.top)
        if len(shapes) != len(layer.top) or not shapes or layer.bottom:
            found = f"{len(layer.bottom)} bottoms, {len(layer.top)} tops, {len(shapes)} shapes"
            raise _without_shape(file, f"layer {layer.name!r} (Input)", found)
        yield from zip(layer.top, shapes, strict=True)


def _without_shape(file: str, element: str, found: str) -> MalformedError:
    return MalformedError(
        "an input has no shape",
        where=Location(file=file, element=element),
        expected=_EXPECTED,
        found=found,
        fix="Give the shape of every input: sizes of batch, channels, height and width.",
    )
