"""Write the bundled submission ``series-lstm``, to the same bytes each time.

    python vectors/generate/series_lstm.py [FOLDER]

FOLDER is ``vectors/submissions/series-lstm`` unless given; it is replaced. The weights are
committed; ``train_series_lstm.py`` wrote them. ``series_data`` has the series, ``lstm_network`` the
network, ``lstm_models`` its formats, and ``bundle`` puts the submission together.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from bundle import replace_bundle
from bundle_parts import Bundle, Port, Vectors
from bundle_samples import lossless, nnc, shared_values
from lstm_models import lstm_models, reference
from lstm_network import INPUT
from series_data import TEST_ITEMS, WINDOW, load_windows
from train_series_lstm import SIZE

TARGET = "following"


def _sunspots(id: str, split: str, items: int, description: str) -> dict[str, Any]:
    return {
        "id": id,
        "name": "Monthly mean sunspot numbers, National Geophysical Data Center",
        "version": "1749 to 2008, the copy in statsmodels 0.15.0",
        "url": "http://www.ngdc.noaa.gov/stp/solar/solarda3.html",
        "license": "LicenseRef-public-domain",
        "split": split,
        "items": items,
        "description": description,
    }


DATASETS = [
    _sunspots(
        "sunspots-training",
        "training: the months from January 1752 to December 1988, each with the 36 before it",
        2844,
        "Monthly numbers divided by 100. statsmodels says that they are in the public domain; they "
        "are the series before its revision of 2015.",
    ),
    _sunspots(
        "sunspots-test",
        "test: the months from January 1989 to December 2008, each with the 36 before it",
        TEST_ITEMS,
        "The last 240 months. None of them was forecast in training; the windows of the first 36 "
        "hold months before 1989.",
    ),
]

METRICS: list[dict[str, Any]] = [
    {
        "id": "rmse",
        "kind": "rmse",
        "description": (
            "Root mean square error of the forecast of the next month, in hundreds of sunspots. "
            "To forecast the month before again has an error of 0.19."
        ),
        "direction": "lower",
        "bindings": {"prediction": SIZE.output, "target": TARGET},
        "against": "targets",
        "tolerance": {"type": "relative", "bound": 0.02, "inclusive": True},
    },
    {
        "id": "change",
        "kind": "rmse",
        "description": (
            "Root mean square difference between the forecasts of the compressed and of the "
            "original network, in hundreds of sunspots."
        ),
        "direction": "lower",
        "against": "original",
        "tolerance": {"type": "absolute", "bound": 0.01, "inclusive": True},
    },
]


def make_vectors() -> Vectors:
    """Return the test windows and the months after them."""
    test = load_windows()[1]
    return Vectors(test.months, test.following, TARGET)


BUNDLE = Bundle(
    id="series-lstm",
    name="sunspots",
    network_type="lstm",
    head={
        "title": "A recurrent forecaster of sunspot numbers",
        "description": (
            "An LSTM reads 36 months of a real series and forecasts the next. From one set of "
            "trained weights in five model formats, between which gates, axes and biases differ."
        ),
        "contributor": "nnr-conformance project",
        "mdms_number": None,
        "conforms_to": ["MPEG Call for Test Data for neural network compression (April 2018)"],
        "license": "CC-BY-4.0",
        "version": "1.0.0",
        "published": False,
        "use_cases": [
            {
                "id": "forecast",
                "title": "Forecast on a remote station",
                "description": (
                    "A station with a slow link is sent a new forecaster from time to time; its "
                    "forecasts must not become worse by the compression."
                ),
            }
        ],
    },
    datasets=DATASETS,
    metrics=METRICS,
    input=Port(INPUT, "float32", (WINDOW, SIZE.features)),
    output=Port(SIZE.output, "float32", (SIZE.outputs,)),
    models=lstm_models(SIZE, "Forecaster of sunspots"),
    samples=(
        lossless(),
        nnc(-30, "6/1024"),
        shared_values(8, {"rmse": 0.2, "change": 0.1}),
    ),
    vectors=make_vectors,
    reference=partial(reference, SIZE),
    output_tolerance={"atol": 1e-5, "rtol": 1e-5},
    largest_difference=1e-5,
    within={"rmse": 1e-6, "change": 1e-6},
    decimals=7,
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
