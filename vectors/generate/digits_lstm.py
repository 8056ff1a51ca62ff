"""Write the bundled submission ``digits-lstm``, to the same bytes each time.

    python vectors/generate/digits_lstm.py [FOLDER]

FOLDER is ``vectors/submissions/digits-lstm`` unless given; it is replaced. The weights are
committed; ``train.py`` wrote them. The scans and their split are those of ``digits-cnn``, the
formats those of ``series-lstm``.
"""

from __future__ import annotations

from functools import partial

from bundle import Bundle, Port, Vectors
from bundle_writer import replace_bundle
from compression import lossless, nnc, shared_values
from description import DATASETS, TOP1, USE_CASES, metric
from digits_data import load_digits_split
from lstm_network import INPUT, Recurrence, lstm_models

SIZE = Recurrence("logits", steps=8, features=8, hidden=40, outputs=10)


def make_vectors() -> Vectors:
    """Return the test scans as sequences of rows, and their labels."""
    test = load_digits_split()[1]
    return Vectors(test.images[:, 0].copy(), test.labels, "label")


BUNDLE = Bundle(
    id="digits-lstm",
    name="rows",
    title="A recurrent reader of handwritten digits",
    description=(
        "An LSTM reads a scan of a digit row by row. From one set of trained weights in five "
        "model formats, between which gates, axes and biases differ."
    ),
    use_cases=USE_CASES,
    network="Reader of digits, row by row",
    network_type="lstm",
    datasets=DATASETS,
    metrics=[
        TOP1,
        metric(
            "digits-kl",
            "kl-divergence",
            "lower",
            0.02,
            "Kullback-Leibler divergence of the class probabilities of the compressed network "
            "from those of the original, in nats, mean over the test scans.",
            args={"inputs": "logits"},
        ),
    ],
    input=Port(INPUT, "float32", (SIZE.steps, SIZE.features)),
    output=Port(SIZE.output, "float32", (SIZE.outputs,)),
    models=lstm_models(SIZE),
    kinds=(
        lossless,
        partial(nnc, qp=-30, step="6/1024"),
        partial(shared_values, entries=8, bounds={"top1": 0.03, "digits-kl": 0.2}),
    ),
    vectors=make_vectors,
    output_tolerance={"atol": 1e-4, "rtol": 1e-5},
    largest_difference=5e-5,
    within={"top1": 1e-5, "digits-kl": 1e-6},
    decimals=7,
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
