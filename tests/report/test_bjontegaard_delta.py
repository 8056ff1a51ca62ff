from __future__ import annotations

import math
import subprocess
import sys
import warnings

import bjontegaard
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from conformance.report.bjontegaard_delta import Delta, delta
from conformance.report.dominance import Point


def points(*pairs: tuple[int, float], direction: str = "higher") -> list[Point]:
    sign = 1 if direction == "higher" else -1
    return [Point(f"p{s}", None, "f", s, 1e6 / s, v, sign * (0.9 - v)) for s, v in pairs]


def compared(anchor: list[Point], test: list[Point], direction: str = "higher") -> Delta:
    return delta(anchor, test, direction, ("anchor", "test"))  # type: ignore[arg-type]


def by_trapezoids(xa, ya, xb, yb) -> float:
    """Mean of the difference of two monotone curves over what they have in common."""
    low, high = max(min(xa), min(xb)), min(max(xa), max(xb))
    at = np.linspace(low, high, 200_001)
    difference = PchipInterpolator(xb, yb)(at) - PchipInterpolator(xa, ya)(at)
    return float(np.trapezoid(difference, at) / (high - low))


ANCHOR = ((1000, 0.70), (2000, 0.80), (4000, 0.86), (9000, 0.89))
TEST = ((800, 0.68), (1500, 0.79), (3900, 0.87), (7000, 0.885), (12000, 0.9))


def test_both_deltas_are_those_of_an_independent_integration() -> None:
    found = compared(points(*ANCHOR), points(*TEST))
    (sizes_a, values_a), (sizes_b, values_b) = zip(*ANCHOR, strict=True), zip(*TEST, strict=True)
    logs_a, logs_b = np.log10(sizes_a), np.log10(sizes_b)
    rate = 100 * (10 ** by_trapezoids(values_a, logs_a, values_b, logs_b) - 1)
    assert found.reason == ""
    assert found.rate_percent == pytest.approx(rate, rel=1e-6)
    assert found.metric_difference == pytest.approx(
        by_trapezoids(logs_a, values_a, logs_b, values_b), rel=1e-6
    )


def test_half_the_bytes_for_each_value_is_minus_fifty_percent() -> None:
    found = compared(points(*ANCHOR), points(*((s // 2, v) for s, v in ANCHOR)))
    assert found.rate_percent == pytest.approx(-50)
    assert found.metric_difference is not None
    assert found.metric_difference > 0


def test_of_a_metric_where_less_is_better_a_positive_difference_is_better_too() -> None:
    anchor = points((1000, 0.30), (2000, 0.20), (4000, 0.10), direction="lower")
    test = points((1000, 0.25), (2000, 0.15), (4000, 0.05), direction="lower")
    found = compared(anchor, test, "lower")
    assert found.metric_difference == pytest.approx(0.05)
    assert found.rate_percent is not None
    assert found.rate_percent < 0


def test_dominated_points_change_nothing() -> None:
    bad = points((1900, 0.5), (8000, 0.6))
    assert compared(points(*ANCHOR) + bad, points(*TEST)) == compared(
        points(*ANCHOR), points(*TEST)
    )


def test_order_of_points_changes_nothing() -> None:
    assert compared(points(*ANCHOR)[::-1], points(*TEST)) == compared(
        points(*ANCHOR), points(*TEST)
    )


def test_one_point_is_no_curve() -> None:
    found = compared(points(*ANCHOR), points((1000, 0.8), (2000, 0.7)))
    assert (found.rate_percent, found.metric_difference) == (None, None)
    assert found.reason == "test has 1 point that no other of its points dominates; a curve needs 2"


def test_curves_that_share_no_range_have_no_delta() -> None:
    found = compared(points((10, 0.1), (20, 0.2)), points((100, 0.3), (200, 0.4)))
    assert found == Delta(
        None, None, "the families have no range of values and no range of sizes in common"
    )


def test_of_two_ranges_one_may_be_shared() -> None:
    found = compared(points((10, 0.1), (20, 0.2)), points((100, 0.1), (200, 0.2)))
    assert found.rate_percent == pytest.approx(900)
    assert found.metric_difference is None
    assert found.reason == "no difference: the families have no range of sizes in common"
    found = compared(points((10, 0.1), (20, 0.2)), points((10, 0.3), (20, 0.4)))
    assert found.rate_percent is None
    assert found.metric_difference == pytest.approx(0.2)
    assert found.reason == "no rate: the families have no range of values in common"


def test_touching_ranges_are_no_common_range() -> None:
    found = compared(points((10, 0.1), (20, 0.2)), points((20, 0.2), (40, 0.3)))
    assert "no range" in found.reason


CURVES = st.lists(
    st.tuples(st.integers(1, 10**9), st.floats(-1e300, 1e300)), min_size=1, max_size=6
)


@given(CURVES, CURVES)
def test_any_points_give_finite_numbers_or_a_reason_in_silence(one: list, other: list) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compared(points(*one), points(*other))
    numbers = (found.rate_percent, found.metric_difference)
    assert all(number is None or math.isfinite(number) for number in numbers)
    assert bool(found.reason) is (None in numbers)


def test_the_numbers_are_made_without_scipy_and_pyplot() -> None:
    code = (
        "import sys; from conformance.report.bjontegaard_delta import delta;"
        "from conformance.report.dominance import Point;"
        "rows = [Point('p', None, 'f', s, 1.0, v, -v) for s, v in ((10, .1), (20, .2), (30, .9))];"
        "assert delta(rows, rows, 'higher', ('a', 'b')).rate_percent == 0;"
        "print(*{'scipy', 'matplotlib', 'bjontegaard', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("\n", "")


RISING = st.lists(
    # Values that hardly differ are a matter of rounding, in which the two differ.
    st.tuples(st.integers(1, 10**6), st.integers(10, 1000).map(lambda value: value / 1000)),
    min_size=2,
    max_size=7,
    unique_by=(lambda pair: pair[0], lambda pair: pair[1]),
).map(lambda pairs: list(zip(*map(sorted, zip(*pairs, strict=True)), strict=True)))


@given(RISING, RISING)
@settings(max_examples=60)
def test_the_package_bjontegaard_gives_the_same_numbers(one: list, other: list) -> None:
    found = compared(points(*one), points(*other))
    columns = [
        np.array(column, float) for curve in (one, other) for column in zip(*curve, strict=True)
    ]
    for name, number in (("bd_rate", found.rate_percent), ("bd_psnr", found.metric_difference)):
        if number is not None:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                theirs = getattr(bjontegaard, name)(
                    *columns, method="pchip", require_matching_points=False, min_overlap=0
                )
            assert number == pytest.approx(theirs, rel=1e-6, abs=1e-6)


EXTREME = [
    ([(1, -1.0), (2, 0.0)], [(1, -1.07e295), (2, -1.4e-13), (457, 0.0)]),
    ([(1, -1.7e308), (2, 1.7e308)], [(1, -1.7e308), (3, 1.7e308)]),
    ([(1, 0.0), (2, 5e-324)], [(1, 0.0), (2, 5e-324), (3, 1.0)]),
    ([(1, 0.1), (2**62, 0.2)], [(2**62 - 4096, 0.1), (2**62, 0.2)]),
]


@pytest.mark.parametrize(("one", "other"), EXTREME)
@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_extreme_points_give_a_number_or_a_reason(one, other, direction: str) -> None:
    for anchor, test in ((one, other), (other, one)):
        pair = [points(*pairs, direction=direction) for pairs in (anchor, test)]
        assert_told(compared(*pair, direction))


VALUE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1.7e308, -1.7e308, 1e-200, -1e-13, -1.07e295]),
)
CURVE = st.lists(st.tuples(st.integers(1, 2**62), VALUE), min_size=1, max_size=6)


@given(CURVE, CURVE, st.sampled_from(["higher", "lower"]))
def test_any_points_give_a_number_or_a_reason(one, other, direction: str) -> None:
    assert_told(
        compared(points(*one, direction=direction), points(*other, direction=direction), direction)
    )


def assert_told(found: Delta) -> None:
    numbers = (found.rate_percent, found.metric_difference)
    assert all(number is None or math.isfinite(number) for number in numbers)
    assert (None in numbers) == bool(found.reason)
