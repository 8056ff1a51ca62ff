"""Write the bundled submission ``digits-federated``, to the same bytes each time.

    python vectors/generate/digits_federated.py [--nncodec PYTHON] [FOLDER]

FOLDER is ``vectors/submissions/digits-federated`` unless given; it is replaced. What the devices
trained is committed (``train_federated.py`` wrote it), and so are the NNC bitstreams; with
``--nncodec`` they are made again first, by NNCodec 2.1.3 in the environment of the interpreter
PYTHON. One idea per module:

    federated_shards    which scans are whose
    federated_rounds    the networks before anything is compressed
    federated_streams   the NNC streams; chain_streams and encode_chains run NNCodec for it
    federated_hashed    two more, by the encoder of this project
    federated_deltas    the files of tensors
    federated_samples   the samples
    bundle_writer       the folder
"""

from __future__ import annotations

from bundle_writer import replace_bundle
from chain_streams import make_streams
from description import TOP1
from digits_bundle import digits_bundle
from federated_rounds import load_rounds
from federated_samples import federated_samples
from federated_streams import MODEL, STEM, federated_steps

BUNDLE = digits_bundle(
    "digits-federated",
    MODEL,
    "Two convolutions with batch normalisation and two dense layers, trained on 80 scans",
    title="A classifier of handwritten digits that three devices train further, in five rounds",
    description=(
        "A small network is trained on a few scans and then on three devices, each of which has "
        "scans of its own and mostly of other digits than the others. What they send and what the "
        "server sends back are updates: NNC streams of differences, and files of tensor deltas."
    ),
    metrics=[TOP1],
    weights=lambda: load_rounds()[0],
    samples=federated_samples,
    remake=lambda python: make_streams(python, STEM, list(federated_steps())),
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
