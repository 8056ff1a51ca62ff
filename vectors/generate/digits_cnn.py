"""Write the bundled submission ``digits-cnn``, to the same bytes each time.

    python vectors/generate/digits_cnn.py [--nncodec PYTHON] [FOLDER]

FOLDER is ``vectors/submissions/digits-cnn`` unless given; it is replaced. Everything is made from
the committed weights (``train.py`` wrote them) and scikit-learn's digits. The NNC bitstreams are
committed too; with ``--nncodec`` they are made again first, by NNCodec 2.1.3 in the environment of
the interpreter PYTHON. One idea per module:

    digits_data       the scans and how they are split
    network           the network as an ONNX model
    onnx_samples      the samples that are ONNX models
    tensor_samples    the samples that are files of tensors
    stream_samples    the samples that are NNC bitstreams; encode_streams runs NNCodec for it
    bundle_writer     the folder
"""

from __future__ import annotations

from bundle import Sample, committed_weights
from bundle_writer import replace_bundle
from description import DIGITS_KL, LOGITS_COSINE, LOGITS_MSE, TOP1
from digits_bundle import digits_bundle
from digits_data import load_digits_split
from onnx_samples import onnx_samples
from stream_samples import encode_streams, stream_samples
from tensor_layouts import Tensors
from tensor_samples import tensor_samples

ID = "digits-cnn"


def load_weights() -> Tensors:
    """Return the committed weights."""
    return committed_weights(ID)


def make_samples() -> list[Sample]:
    """Return the samples."""
    weights, images = load_weights(), load_digits_split()[0].images
    return [*onnx_samples(weights, images), *tensor_samples(weights), *stream_samples()]


BUNDLE = digits_bundle(
    ID,
    ID,
    "Two convolutions with batch normalisation and two dense layers",
    title="A small convolutional classifier of handwritten digits, compressed in fourteen ways",
    description=(
        "Convolutional network with batch normalisation, 38,474 parameters, trained on real scans "
        "of handwritten digits. The submission is small enough to be run in seconds and shows "
        "every section of the submission format."
    ),
    metrics=[TOP1, LOGITS_COSINE, LOGITS_MSE, DIGITS_KL],
    weights=load_weights,
    samples=make_samples,
    remake=lambda python: encode_streams(python, load_weights()),
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
