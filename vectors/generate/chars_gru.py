"""Write the bundled submission ``chars-gru``, to the same bytes each time.

    python vectors/generate/chars_gru.py [FOLDER]

FOLDER is ``vectors/submissions/chars-gru`` unless given; it is replaced. The weights are
committed; ``train_chars_gru.py`` wrote them. ``chars_data`` has the texts, ``chars_network`` the
network, ``chars_models`` its formats, and ``bundle`` puts the submission together.
"""

from __future__ import annotations

from typing import Any

import bundle_onnx
from bundle import replace_bundle
from bundle_parts import Bundle, Port, Vectors
from bundle_samples import Tensors, lossless, nnc, shared_values
from chars_data import ALPHABET, STEPS, TEST_ITEMS, load_test_sequences
from chars_models import CHARACTER_MODELS
from chars_network import INPUT, OUTPUT, build_gru, onnx_parameters
from numpy.typing import NDArray

TARGET = "following"


def _document(
    id: str, name: str, version: str, url: str, split: str, items: int, description: str
) -> dict[str, Any]:
    return {
        "id": id,
        "name": name,
        "version": version,
        "url": url,
        "license": "LicenseRef-public-domain",
        "split": split,
        "items": items,
        "description": description,
    }


DATASETS = [
    _document(
        "constitution-training",
        "The Constitution of the United States, with its amendments",
        "1787 to 1992, the copy in GNU miscfiles 1.5",
        "https://www.gnu.org/software/miscfiles/",
        "training: the whole text, random parts of 65 characters",
        1,
        "In lower case; everything outside of an alphabet of 33 characters is a space.",
    ),
    _document(
        "declaration-test",
        "The Declaration of Independence",
        "1776, the copy in GNU miscfiles 1.5",
        "https://www.gnu.org/software/miscfiles/",
        "test: the first 2,049 characters as 32 sequences of 64 and what follows each character",
        TEST_ITEMS,
        "Another document than that of the training, of about the same time. Every sequence "
        "starts without a memory of the one before.",
    ),
]

METRICS: list[dict[str, Any]] = [
    {
        "id": "perplexity",
        "kind": "perplexity",
        "description": "Perplexity per character of the test text.",
        "direction": "lower",
        "bindings": {"prediction": OUTPUT, "target": TARGET},
        "against": "targets",
        "tolerance": {"type": "relative", "bound": 0.02, "inclusive": True},
    },
    {
        "id": "accuracy",
        "kind": "confusion-matrix",
        "description": "Share of the characters of the test text that have the highest logit.",
        "direction": "higher",
        "args": {"class_axis": 2},
        "bindings": {"prediction": OUTPUT, "target": TARGET},
        "against": "targets",
        "tolerance": {"type": "absolute", "bound": 0.01, "inclusive": True},
    },
    {
        "id": "characters-kl",
        "kind": "kl-divergence",
        "description": (
            "Kullback-Leibler divergence of the probabilities of the next character by the "
            "compressed network from those by the original, in nats, mean over all characters."
        ),
        "direction": "lower",
        "args": {"inputs": "logits", "class_axis": 2},
        "against": "original",
        "tolerance": {"type": "absolute", "bound": 0.01, "inclusive": True},
    },
]


def make_vectors() -> Vectors:
    """Return the test sequences and the characters that follow."""
    characters, following = load_test_sequences()
    return Vectors(characters, following, TARGET)


def reference(weights: Tensors, inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the logits, computed in float64."""
    return bundle_onnx.evaluate(build_gru(onnx_parameters(weights)), inputs)


BUNDLE = Bundle(
    id="chars-gru",
    name="chars",
    network_type="gru",
    head={
        "title": "A recurrent model of English characters",
        "description": (
            "An embedding, a GRU and a dense layer say which character comes next. Trained on one "
            "public document and tested with another, in five model formats, between which gates, "
            "axes and biases differ."
        ),
        "contributor": "nnr-conformance project",
        "mdms_number": None,
        "conforms_to": ["MPEG Call for Test Data for neural network compression (April 2018)"],
        "license": "CC-BY-4.0",
        "version": "1.0.0",
        "published": False,
        "use_cases": [
            {
                "id": "text-entry",
                "title": "Prediction of text on a small device",
                "description": (
                    "A keyboard proposes the next character; its model is sent to the device for "
                    "each language."
                ),
            }
        ],
    },
    datasets=DATASETS,
    metrics=METRICS,
    input=Port(INPUT, "int64", (STEPS,)),
    output=Port(OUTPUT, "float32", (STEPS, len(ALPHABET))),
    models=CHARACTER_MODELS,
    samples=(
        lossless(),
        nnc(-30, "6/1024"),
        shared_values(16, {"perplexity": 0.1, "accuracy": 0.03, "characters-kl": 0.15}),
    ),
    vectors=make_vectors,
    reference=reference,
    output_tolerance={"atol": 5e-5, "rtol": 1e-5},
    largest_difference=2e-5,
    within={"perplexity": 2e-6, "accuracy": 5e-4, "characters-kl": 1e-6},
    decimals=7,
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
