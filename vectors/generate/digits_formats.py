"""Write the bundled submission ``digits-formats``, to the same bytes each time.

    python vectors/generate/digits_formats.py [FOLDER] [--evidence DIR]

FOLDER is ``vectors/submissions/digits-formats`` unless given; it is replaced. The network is that
of ``digits-cnn``, from the same committed weights, in every model format. ``digits_networks`` has
it in the terms of each framework, ``exporters`` writes and runs the files, and ``bundle_writer``
writes the submission.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Iterator
from functools import partial

import numpy as np
from bundle import Bundle, Port, Sample, Vectors, committed_weights, own_scripts
from bundle_writer import replace_bundle
from compression import lossless, method, nnc, shared_values
from description import DATASETS, DIGITS_KL, LOGITS_MSE, TOP1, USE_CASES
from digits_data import load_digits_split
from digits_networks import DIGITS_MODELS, TENSOR_SETS, build_converter
from network import INPUT, OUTPUT
from tensor_layouts import CHANNELS_LAST, Tensors

ID = "digits-formats"
ITEMS = 360
"""The number of test scans in the vectors: the first half of those of ``digits-cnn``."""
CALIBRATION_ITEMS = 200
"""Scans of the training part that the ranges of the activations are taken from."""
CONVERTER = {
    "name": "TensorFlow",
    "version": importlib.metadata.version("tensorflow-cpu"),
    "url": "https://www.tensorflow.org",
}
READ_ALONE = {"metric_values": [], "tensor_digests": {}, "random_access": True}
"""What a sample claims of which each tensor can be decoded without reading the others."""


def make_vectors() -> Vectors:
    """Return the first :data:`ITEMS` test scans and their labels."""
    test = load_digits_split()[1]
    names = {"inputs": "images-channels-{layout}", "targets": "labels", "outputs": "logits"}
    return Vectors(test.images[:ITEMS], test.labels[:ITEMS], "label", names)


def nnc_read_alone(tensors: Tensors) -> Sample:
    """Return one bitstream for many formats."""
    return dataclasses.replace(nnc(tensors, qp=-30, step="6/1024"), claims=READ_ALONE)


def eight_values(tensors: Tensors) -> Sample:
    """Return packed 3-bit indices, with a loss inside its own tolerance."""
    return dataclasses.replace(
        shared_values(
            tensors, entries=8, bounds={"top1": 0.03, "logits-mse": 4.0, "digits-kl": 0.1}
        ),
        title="Weights that share eight values per layer",
        claims=READ_ALONE,
        method=method(
            "Weights of each layer clustered by k-means into 8 values and stored as packed 3-bit "
            "indices; all else stays float32.",
            quantisation=("codebook of 8 float32 entries per layer, one-dimensional k-means",),
        ),
    )


def runnable_samples() -> Iterator[Sample]:
    """Yield the sample that is itself a network, and runs without reconstruction.

    Only its input and output are float32: it has the ports of the model that is not quantised.
    """
    import tensorflow as tf

    (model,) = (each for each in DIGITS_MODELS if each.format == "tflite")
    images = load_digits_split()[0].images[:CALIBRATION_ITEMS]
    images = np.ascontiguousarray(images.transpose(CHANNELS_LAST))
    converter = build_converter(BUNDLE.parameters(model, BUNDLE.load_weights()))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images[:, np.newaxis])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    yield Sample(
        id="int8-tflite",
        title="A TensorFlow Lite model that computes in int8",
        codec="tflite",
        files={"int8.tflite": converter.convert()},
        format=model.format,
        method=method(
            "Post-training quantisation of weights and activations to int8 by TensorFlow's "
            "converter.",
            quantisation=(
                "int8, symmetric, one scale for each output channel of a weight",
                f"int8 activations, ranges of {CALIBRATION_ITEMS} training scans",
            ),
            software=(CONVERTER, own_scripts(ID)),
        ),
    )


BUNDLE = Bundle(
    id=ID,
    name="digits",
    title="One classifier of handwritten digits in nine model formats",
    description=(
        "The convolutional network of the submission digits-cnn, from one set of trained weights, "
        "in ONNX, three formats of PyTorch, SavedModel, Keras, TensorFlow Lite, Caffe and NNEF. "
        "Samples are shared between formats wherever a change of axes leads from one to another."
    ),
    use_cases=USE_CASES,
    network="Two convolutions and two dense layers",
    network_type="cnn",
    datasets=[
        DATASETS[0],
        {
            **DATASETS[1],
            "split": "test: the first 360 of the other 720 scans",
            "items": ITEMS,
            "description": (
                "The first half of the second part of the same split. No scan of it was used for "
                "training or for choosing how to train."
            ),
        },
    ],
    metrics=[TOP1, LOGITS_MSE, DIGITS_KL],
    input=Port(INPUT, "float32", (1, 8, 8)),
    output=Port(OUTPUT, "float32", (10,)),
    models=DIGITS_MODELS,
    file="digits",
    tensor_sets=TENSOR_SETS,
    kinds=(lossless, nnc_read_alone, eight_values),
    samples=runnable_samples,
    vectors=make_vectors,
    weights=partial(committed_weights, "digits-cnn"),
    output_tolerance={"atol": 1e-4, "rtol": 1e-5},
    # Frameworks choose their arithmetic by the CPU.
    within={"top1": 1e-5, "logits-mse": 1e-4, "digits-kl": 1e-5},
    decimals=5,
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
