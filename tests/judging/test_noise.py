"""How far a metric moves with the format alone."""

from __future__ import annotations

import math

import pytest

from conformance.judging.noise import noise_row, spread_of
from conformance.submission.values import MetricUse, Tolerance

USE = MetricUse("psnr", "test", Tolerance("absolute", 0.5))


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ([1.0], 0.0),
        ([1.0, 1.5, 0.5], 1.0),
        ([math.inf, math.inf], 0.0),
        ([math.inf, 9.0], math.inf),
    ],
)
def test_the_spread_is_the_greatest_less_the_least(values: list[float], spread: float) -> None:
    assert spread_of(values) == spread


def test_the_row_of_the_report_is_json_where_values_are_not_finite() -> None:
    row = noise_row(USE, {"a": math.inf, "b": 140.0})
    assert row == {
        "metric": "psnr",
        "vectors": "test",
        "noise_floor": "inf",
        "values": {"a": "inf", "b": 140.0},
    }
