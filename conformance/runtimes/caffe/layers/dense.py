"""Layers that multiply by a learned matrix: inner products and embeddings."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.runtimes.caffe.layers._node import Inferred, Kind, Node, Weight, count, kind


def _inner_product(node: Node) -> Inferred:
    shape, outputs = node.bottoms[0], node.positive("num_output")
    axis = node.axis(node.options.axis, len(shape))
    inputs = count(shape[axis:])
    matrix = (inputs, outputs) if node.options.transpose else (outputs, inputs)
    bias = (Weight("bias", (outputs,)),) if node.options.bias_term else ()
    return Inferred(((*shape[:axis], outputs),), (Weight("weight", matrix), *bias))


def _embed(node: Node) -> Inferred:
    outputs, words = node.positive("num_output"), node.positive("input_dim")
    bias = (Weight("bias", (outputs,)),) if node.options.bias_term else ()
    return Inferred(((*node.bottoms[0], outputs),), (Weight("weight", (words, outputs)), *bias))


_IDLE = "weight_filler bias_filler"

KINDS: Mapping[str, Kind] = {
    "InnerProduct": kind(
        _inner_product,
        "inner_product_param",
        read="num_output bias_term axis transpose",
        idle=_IDLE,
    ),
    "Embed": kind(_embed, "embed_param", read="num_output input_dim bias_term", idle=_IDLE),
}
