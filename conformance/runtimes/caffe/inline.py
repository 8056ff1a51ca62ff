"""Numbers that are written into the prototxt itself, where a replacement cannot reach them.

A network needs some: factors, slopes, epsilons. Weights could hide among them (the coefficients of
an Eltwise are a row of a matrix), so both their number in a layer and in all layers are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator

from conformance.runtimes.caffe.graph import Graph, Layer
from conformance.runtimes.caffe.layers import KINDS
from conformance.verdicts import UnsupportedError

FEWEST_WEIGHTS = 16
"""So many numbers in one layer are parameters."""

_NEUTRAL = (0, 1)
_MOST_SHOWN = 10


def check_replaceable(graph: Graph, parameters: int) -> None:
    """Raise UnsupportedError for a network of which a replacement leaves parameters in place.

    ``parameters`` are the values of the parameters that outputs depend on. The bounds are those for
    ONNX and NNEF models; sizes, offsets and axes do not count, nor do 0 and 1.
    """
    counts = [(sum(1 for _ in _numbers_in(layer)), layer) for layer in graph.layers]
    stuck = [(count, layer) for count, layer in counts if count >= FEWEST_WEIGHTS]
    allowed = max(FEWEST_WEIGHTS, min(parameters // 10, 4096 + parameters // 1000))
    expected = "every parameter in a blob of the caffemodel"
    if not stuck and sum(count for count, _ in counts) > allowed:
        stuck = sorted((one for one in counts if one[0]), key=lambda one: -one[0])
        expected = f"at most {allowed} numbers among the options of all layers"
    elif not stuck:
        return
    shown = [f"{count} in {layer.node.where.element}" for count, layer in stuck[:_MOST_SHOWN]]
    shown += [f"and {len(stuck) - _MOST_SHOWN} more layers"] if len(stuck) > _MOST_SHOWN else []
    raise UnsupportedError(
        "the prototxt holds parameters where a sample's cannot take their place",
        where=stuck[0][1].node.where,
        expected=expected,
        found="; ".join(shown),
        mend="Store the numbers as blobs: of a Scale, a Bias, a Convolution or an InnerProduct.",
    )


def _numbers_in(layer: Layer) -> Iterator[float]:
    """Yield the real numbers among the options of a layer that say what it computes."""
    options, read = layer.node.options, KINDS[layer.node.type].read
    for field, value in options.ListFields() if options is not None else ():
        if field.name in read and field.cpp_type == field.CPPTYPE_FLOAT:
            numbers = value if field.is_repeated else [value]
            yield from (number for number in numbers if number not in _NEUTRAL)
