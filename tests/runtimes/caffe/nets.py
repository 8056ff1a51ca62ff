"""Whole networks for tests, and how to open and run them."""

from contextlib import contextmanager

import numpy as np

from conformance.runtimes.caffe import CaffeRuntime
from tests.runtimes.caffe import files

IMAGE = (2, 3, 8, 8)

CNN = (
    files.inputs(data=IMAGE)
    + """
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 6 kernel_size: 3 pad: 1 bias_term: false } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1"
        scale_param { bias_term: true } }
layer { name: "relu1" type: "PReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "left" type: "Convolution" bottom: "pool1" top: "left"
        convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "right" type: "Convolution" bottom: "pool1" top: "right"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 group: 2 } }
layer { name: "join" type: "Concat" bottom: "left" bottom: "right" top: "join" }
layer { name: "sum" type: "Eltwise" bottom: "left" bottom: "right" top: "sum" }
layer { name: "drop" type: "Dropout" bottom: "join" top: "join" }
layer { name: "fc" type: "InnerProduct" bottom: "join" top: "fc"
        inner_product_param { num_output: 10 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
)
"""Every fusion that an engine may make is here: convolution, normalisation, scale, PReLU."""

CNN_SHAPES = {
    "conv1": [(6, 3, 3, 3)],
    "bn1": [(6,), (6,), (1,)],
    "scale1": [(6,), (6,)],
    "relu1": [(6,)],
    "left": [(4, 6, 1, 1), (4,)],
    "right": [(4, 3, 3, 3), (4,)],
    "fc": [(10, 128), (10,)],
}

CNN_NAMES = {
    "conv1": ["weight"],
    "bn1": ["mean", "variance", "scale_factor"],
    "scale1": ["weight", "bias"],
    "relu1": ["slope"],
    "left": ["weight", "bias"],
    "right": ["weight", "bias"],
    "fc": ["weight", "bias"],
}

SEQUENCE = (
    files.inputs(words=(5, 2), cont=(5, 2))
    + """
layer { name: "embed" type: "Embed" bottom: "words" top: "embed"
        embed_param { num_output: 4 input_dim: 9 } }
layer { name: "lstm" type: "LSTM" bottom: "embed" bottom: "cont" top: "lstm"
        recurrent_param { num_output: 6 } }
layer { name: "drop" type: "Dropout" bottom: "lstm" top: "lstm" }
layer { name: "fc" type: "InnerProduct" bottom: "lstm" top: "fc"
        inner_product_param { num_output: 3 axis: 2 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" softmax_param { axis: 2 } }
"""
)

SEQUENCE_SHAPES = {
    "embed": [(9, 4), (4,)],
    "lstm": [(24, 4), (24,), (24, 6)],
    "fc": [(3, 6), (3,)],
}

SEQUENCE_NAMES = {
    "embed": ["weight", "bias"],
    "lstm": ["weight_x", "bias", "weight_h"],
    "fc": ["weight", "bias"],
}

NETWORKS = {
    "cnn": (CNN, CNN_SHAPES, CNN_NAMES),
    "sequence": (SEQUENCE, SEQUENCE_SHAPES, SEQUENCE_NAMES),
}


def weights(shapes, seed=0):
    """Learned arrays by layer; all of them positive, as variances must be."""
    rng = np.random.default_rng(seed)
    return {
        layer: [rng.uniform(0.1, 0.9, size=shape).astype(np.float32) for shape in of_layer]
        for layer, of_layer in shapes.items()
    }


def by_name(learned, names):
    """The same arrays by the names of the parameters."""
    return {
        f"{layer}/{name}": array
        for layer, arrays in learned.items()
        for name, array in zip(names[layer], arrays, strict=True)
    }


def inputs_of(network, seed=5):
    rng = np.random.default_rng(seed)
    made = {}
    for port in network.inputs:
        array = rng.normal(size=port.shape)
        if port.name == "words":
            array = rng.integers(0, 9, port.shape)
        if port.name == "cont":
            array = np.arange(array.size).reshape(port.shape) >= port.shape[1]
        made[port.name] = array.astype(np.float32)
    return made


@contextmanager
def opened(folder, text, model=b"\x0a\x03net", *more, **how):
    with CaffeRuntime().open(files.write(folder, text, model, *more, **how)) as network:
        yield network


def stored(network):
    """All blobs by name: those of one number are scalars, next to others."""
    return {**network.parameters, **network.scalars}


def run(folder, text, model, inputs=None, replacement=None):
    """The outputs of a network that is written, opened and run."""
    with opened(folder, text, model) as network:
        return network.bind(replacement).run(inputs or inputs_of(network))


def same(left, right):
    """Whether two sets of outputs are equal to the last bit."""
    return left.keys() == right.keys() and all(
        np.array_equal(left[name], right[name], equal_nan=True) for name in left
    )
