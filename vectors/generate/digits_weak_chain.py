"""Write the bundled submission ``digits-weak-chain``, to the same bytes each time.

    python vectors/generate/digits_weak_chain.py [--nncodec PYTHON] [FOLDER]

FOLDER is ``vectors/submissions/digits-weak-chain`` unless given; it is replaced. The networks are
those of ``digits-federated``. The NNC bitstreams are committed; with ``--nncodec`` they are made
again first, by NNCodec 2.1.3 in the environment of the interpreter PYTHON. One idea per module:

    weak_streams    the NNC streams; chain_streams and encode_chains run NNCodec for it
    weak_samples    the samples
    bundle_writer   the folder
"""

from __future__ import annotations

from bundle_writer import replace_bundle
from chain_streams import make_streams
from description import TOP1
from digits_bundle import digits_bundle
from federated_rounds import load_rounds
from weak_samples import weak_samples
from weak_streams import MODEL, STEM, weak_steps

BUNDLE = digits_bundle(
    "digits-weak-chain",
    MODEL,
    "Two convolutions with batch normalisation and two dense layers, trained on 80 scans",
    title="Updates of a classifier of handwritten digits that nothing protects",
    description=(
        "Two chains of three updates that do not say what they are updates of. They are decoded "
        "as they should be; but left out, exchanged or applied twice, they are as well, and "
        "nothing is noticed."
    ),
    metrics=[TOP1],
    weights=lambda: load_rounds()[0],
    samples=weak_samples,
    remake=lambda python: make_streams(python, STEM, list(weak_steps())),
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
