"""Write the bundled submission ``digits-scalable``, to the same bytes each time.

    python vectors/generate/digits_scalable.py [--nncodec PYTHON] [FOLDER]

FOLDER is ``vectors/submissions/digits-scalable`` unless given; it is replaced. The network is that
of ``digits-cnn``. The NNC bitstreams are committed; with ``--nncodec`` they are made again first,
by NNCodec 2.1.3 in the environment of the interpreter PYTHON. One idea per module:

    scalable_streams    the NNC streams; chain_streams and encode_chains run NNCodec for it
    scalable_tensors    the samples that are files of tensors
    scalable_samples    the other samples
    bundle_writer       the folder
"""

from __future__ import annotations

from bundle_writer import replace_bundle
from chain_streams import make_streams
from description import LOGITS_MSE, TOP1
from digits_bundle import digits_bundle
from nnc_arrays import trained
from scalable_samples import scalable_samples
from scalable_streams import MODEL, STEM, scalable_steps

BUNDLE = digits_bundle(
    "digits-scalable",
    MODEL,
    "Two convolutions with batch normalisation and two dense layers",
    title="A classifier of handwritten digits in layers, and at eleven operating points",
    description=(
        "The network of digits-cnn, coded so that a part of the bytes gives a coarse network and "
        "more bytes a better one: as files of tensors, as three NNC streams, and as the units of "
        "one. Whole networks with two kinds of quantisation show what layers cost."
    ),
    metrics=[TOP1, LOGITS_MSE],
    weights=trained,
    samples=scalable_samples,
    remake=lambda python: make_streams(python, STEM, list(scalable_steps())),
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
