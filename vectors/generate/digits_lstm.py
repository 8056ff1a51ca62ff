"""Write the bundled submission ``digits-lstm``, to the same bytes each time.

    python vectors/generate/digits_lstm.py [FOLDER]

FOLDER is ``vectors/submissions/digits-lstm`` unless given; it is replaced. The weights are
committed; ``train_digits_lstm.py`` wrote them. The scans and their split are those of
``digits-cnn``, the formats those of ``series-lstm``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from bundle import replace_bundle
from bundle_parts import Bundle, Port, Vectors
from bundle_samples import lossless, nnc, shared_values
from description import DATASETS, USE_CASES
from digits_data import load_digits_split
from lstm_models import lstm_models, reference
from lstm_network import INPUT
from train_digits_lstm import SIZE

TARGET = "label"

METRICS: list[dict[str, Any]] = [
    {
        "id": "top1",
        "kind": "top-k-accuracy",
        "description": "Share of test scans whose digit has the highest logit.",
        "direction": "higher",
        "args": {"k": 1},
        "bindings": {"prediction": SIZE.output, "target": TARGET},
        "against": "targets",
        "tolerance": {"type": "absolute", "bound": 0.01, "inclusive": True},
    },
    {
        "id": "digits-kl",
        "kind": "kl-divergence",
        "description": (
            "Kullback-Leibler divergence of the class probabilities of the compressed network "
            "from those of the original, in nats, mean over the test scans."
        ),
        "direction": "lower",
        "args": {"inputs": "logits"},
        "against": "original",
        "tolerance": {"type": "absolute", "bound": 0.02, "inclusive": True},
    },
]


def make_vectors() -> Vectors:
    """Return the test scans as sequences of rows, and their labels."""
    test = load_digits_split()[1]
    return Vectors(test.images[:, 0].copy(), test.labels, TARGET)


BUNDLE = Bundle(
    id="digits-lstm",
    name="rows",
    network_type="lstm",
    head={
        "title": "A recurrent reader of handwritten digits",
        "description": (
            "An LSTM reads a scan of a digit row by row. From one set of trained weights in five "
            "model formats, between which gates, axes and biases differ."
        ),
        "contributor": "nnr-conformance project",
        "mdms_number": None,
        "conforms_to": ["MPEG Call for Test Data for neural network compression (April 2018)"],
        "license": "CC-BY-4.0",
        "version": "1.0.0",
        "published": False,
        "use_cases": USE_CASES,
    },
    datasets=DATASETS,
    metrics=METRICS,
    input=Port(INPUT, "float32", (SIZE.steps, SIZE.features)),
    output=Port(SIZE.output, "float32", (SIZE.outputs,)),
    models=lstm_models(SIZE, "Reader of digits, row by row"),
    samples=(
        lossless(),
        nnc(-30, "6/1024"),
        shared_values(8, {"top1": 0.03, "digits-kl": 0.2}),
    ),
    vectors=make_vectors,
    reference=partial(reference, SIZE),
    output_tolerance={"atol": 1e-4, "rtol": 1e-5},
    largest_difference=5e-5,
    within={"top1": 1e-5, "digits-kl": 1e-6},
    decimals=7,
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
