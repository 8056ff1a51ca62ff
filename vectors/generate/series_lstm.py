"""Write the bundled submission ``series-lstm``, to the same bytes each time.

    python vectors/generate/series_lstm.py [FOLDER]

FOLDER is ``vectors/submissions/series-lstm`` unless given; it is replaced. The weights are
committed; ``train.py`` wrote them. ``series_data`` has the series, ``lstm_network`` the network in
its formats, and ``bundle_writer`` writes the submission.
"""

from __future__ import annotations

from functools import partial

from bundle import Bundle, Port, Vectors, dataset
from bundle_writer import replace_bundle
from compression import lossless, nnc, shared_values
from description import metric
from lstm_network import INPUT, Recurrence, lstm_models
from series_data import TEST_ITEMS, WINDOW, load_windows

TARGET = "following"
SIZE = Recurrence("forecast", WINDOW, features=1, hidden=32, outputs=1)
SOURCE = {
    "name": "Monthly mean sunspot numbers, National Geophysical Data Center",
    "version": "1749 to 2008, the copy in statsmodels 0.15.0",
    "url": "http://www.ngdc.noaa.gov/stp/solar/solarda3.html",
    "license": "LicenseRef-public-domain",
}


def make_vectors() -> Vectors:
    """Return the test windows and the months after them."""
    test = load_windows()[1]
    return Vectors(test.months, test.following, TARGET)


BUNDLE = Bundle(
    id="series-lstm",
    name="sunspots",
    title="A recurrent forecaster of sunspot numbers",
    description=(
        "An LSTM reads 36 months of a real series and forecasts the next. From one set of "
        "trained weights in five model formats, between which gates, axes and biases differ."
    ),
    use_cases=[
        {
            "id": "forecast",
            "title": "Forecast on a remote station",
            "description": (
                "A station with a slow link is sent a new forecaster from time to time; its "
                "forecasts must not become worse by the compression."
            ),
        }
    ],
    network="Forecaster of sunspots",
    network_type="lstm",
    datasets=[
        dataset(
            SOURCE,
            "sunspots-training",
            "training: the months from January 1752 to December 1988, each with the 36 before it",
            2844,
            "Monthly numbers divided by 100. statsmodels says that they are in the public domain; "
            "they are the series before its revision of 2015.",
        ),
        dataset(
            SOURCE,
            "sunspots-test",
            "test: the months from January 1989 to December 2008, each with the 36 before it",
            TEST_ITEMS,
            "The last 240 months. None of them was forecast in training; the windows of the first "
            "36 hold months before 1989.",
        ),
    ],
    metrics=[
        metric(
            "rmse",
            "rmse",
            "lower",
            0.02,
            "Root mean square error of the forecast of the next month, in hundreds of sunspots. "
            "To forecast the month before again has an error of 0.19.",
            type="relative",
            bindings={"prediction": SIZE.output, "target": TARGET},
        ),
        metric(
            "change",
            "rmse",
            "lower",
            0.01,
            "Root mean square difference between the forecasts of the compressed and of the "
            "original network, in hundreds of sunspots.",
        ),
    ],
    input=Port(INPUT, "float32", (WINDOW, SIZE.features)),
    output=Port(SIZE.output, "float32", (SIZE.outputs,)),
    models=lstm_models(SIZE),
    kinds=(
        lossless,
        partial(nnc, qp=-30, step="6/1024"),
        partial(shared_values, entries=8, bounds={"rmse": 0.2, "change": 0.1}),
    ),
    vectors=make_vectors,
    output_tolerance={"atol": 1e-5, "rtol": 1e-5},
    largest_difference=1e-5,
    within={"rmse": 1e-6, "change": 1e-6},
    decimals=7,
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
