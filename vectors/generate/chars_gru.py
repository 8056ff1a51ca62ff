"""Write the bundled submission ``chars-gru``, to the same bytes each time.

    python vectors/generate/chars_gru.py [FOLDER]

FOLDER is ``vectors/submissions/chars-gru`` unless given; it is replaced. The weights are
committed; ``train.py`` wrote them. ``chars_data`` has the texts, ``chars_network`` the network in
its formats, and ``bundle_writer`` writes the submission.
"""

from __future__ import annotations

from functools import partial

import chars_network
from bundle import Bundle, Model, Port, Vectors, dataset
from bundle_writer import replace_bundle
from chars_data import ALPHABET, STEPS, TEST_ITEMS, load_test_sequences
from chars_network import INPUT, OUTPUT
from compression import lossless, nnc, shared_values
from description import metric

TARGET = "following"
SOURCE = {"url": "https://www.gnu.org/software/miscfiles/", "license": "LicenseRef-public-domain"}
BINDINGS = {"prediction": OUTPUT, "target": TARGET}

BUNDLE = Bundle(
    id="chars-gru",
    name="chars",
    title="A recurrent model of English characters",
    description=(
        "An embedding, a GRU and a dense layer say which character comes next. Trained on one "
        "public document and tested with another, in five model formats, between which gates, "
        "axes and biases differ."
    ),
    use_cases=[
        {
            "id": "text-entry",
            "title": "Prediction of text on a small device",
            "description": (
                "A keyboard proposes the next character; its model is sent to the device for "
                "each language."
            ),
        }
    ],
    network="Model of characters",
    network_type="gru",
    datasets=[
        dataset(
            {
                "name": "The Constitution of the United States, with its amendments",
                "version": "1787 to 1992, the copy in GNU miscfiles 1.5",
                **SOURCE,
            },
            "constitution-training",
            "training: the whole text, random parts of 65 characters",
            1,
            "In lower case; everything outside of an alphabet of 33 characters is a space.",
        ),
        dataset(
            {
                "name": "The Declaration of Independence",
                "version": "1776, the copy in GNU miscfiles 1.5",
                **SOURCE,
            },
            "declaration-test",
            "test: the first 2,049 characters as 32 sequences of 64 and what follows each "
            "character",
            TEST_ITEMS,
            "Another document than that of the training, of about the same time. Every sequence "
            "starts without a memory of the one before.",
        ),
    ],
    metrics=[
        metric(
            "perplexity",
            "perplexity",
            "lower",
            0.02,
            "Perplexity per character of the test text.",
            type="relative",
            bindings=BINDINGS,
        ),
        metric(
            "accuracy",
            "confusion-matrix",
            "higher",
            0.01,
            "Share of the characters of the test text that have the highest logit.",
            args={"class_axis": 2},
            bindings=BINDINGS,
        ),
        metric(
            "characters-kl",
            "kl-divergence",
            "lower",
            0.01,
            "Kullback-Leibler divergence of the probabilities of the next character by the "
            "compressed network from those by the original, in nats, mean over all characters.",
            args={"inputs": "logits", "class_axis": 2},
        ),
    ],
    input=Port(INPUT, "int64", (STEPS,)),
    output=Port(OUTPUT, "float32", (STEPS, len(ALPHABET))),
    models=(
        Model(
            "onnx",
            chars_network.build_onnx,
            chars_network.ONNX_NAMES,
            note=" with the operator GRU",
        ),
        Model("torchscript", chars_network.build_traceable),
        Model("torch-export", chars_network.build_traceable),
        Model("torch-state-dict", chars_network.build_state_dict, note=" that orders gates"),
        Model(
            "keras",
            chars_network.build_keras,
            chars_network.KERAS_NAMES,
            note=" with the layer GRU",
        ),
    ),
    kinds=(
        lossless,
        partial(nnc, qp=-30, step="6/1024"),
        partial(
            shared_values,
            entries=16,
            bounds={"perplexity": 0.1, "accuracy": 0.03, "characters-kl": 0.15},
        ),
    ),
    vectors=lambda: Vectors(*load_test_sequences(), TARGET),
    output_tolerance={"atol": 5e-5, "rtol": 1e-5},
    largest_difference=2e-5,
    within={"perplexity": 2e-6, "accuracy": 5e-4, "characters-kl": 1e-6},
    decimals=7,
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
