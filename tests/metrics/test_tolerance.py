"""The tolerance rule, and above all what it does on the boundary."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.metrics import Interval, NoInterval, items_to_decide, judge
from conformance.submission.values import Tolerance
from conformance.verdicts import Verdict

PASS, FAIL, UNDECIDED = Verdict.PASS, Verdict.FAIL, Verdict.UNDECIDED


def absolute(bound, inclusive=True, upper=None, confidence=None) -> Tolerance:
    return Tolerance("absolute", bound, inclusive, upper, confidence)


def relative(bound, inclusive=True, upper=None, confidence=None) -> Tolerance:
    return Tolerance("relative", bound, inclusive, upper, confidence)


def interval(low, high, level=0.95, items=100) -> Interval:
    return Interval(level, low, high, "a method", items, items)


@pytest.mark.parametrize(
    ("tolerance", "direction", "reference", "value", "verdict", "on_boundary"),
    [
        # 0.97 - 0.96 is 0.010000000000000009 in binary and still is 0.01.
        (absolute(0.01), "higher", 0.97, 0.96, PASS, True),
        (absolute(0.01, inclusive=False), "higher", 0.97, 0.96, FAIL, True),
        (absolute(0.01), "higher", 0.97, 0.9601, PASS, False),
        (absolute(0.01), "higher", 0.97, 0.9599, FAIL, False),
        (absolute(0.01), "higher", 0.97, 0.96 - 5e-13, PASS, True),
        (absolute(0.01), "higher", 0.97, 0.96 - 2e-12, FAIL, False),
        (absolute(0.01, inclusive=False), "higher", 0.97, 0.96 + 5e-13, FAIL, True),
        (absolute(0.01, inclusive=False), "higher", 0.97, 0.96 + 2e-12, PASS, False),
        # Where lower is better, a loss is an increase.
        (absolute(0.1), "lower", 1.0, 1.1, PASS, True),
        (absolute(0.1, inclusive=False), "lower", 1.0, 1.1, FAIL, True),
        (absolute(0.1), "lower", 1.0, 1.2, FAIL, False),
        (absolute(0.1), "lower", 1.0, 0.2, PASS, False),
        # Large values: the bound is met to within their own precision.
        (absolute(0.1), "lower", 10000.2, 10000.3, PASS, True),
        # No loss at all is allowed, or must be made good.
        (absolute(0.0), "higher", 0.5, 0.5, PASS, True),
        (absolute(0.0, inclusive=False), "higher", 0.5, 0.5, FAIL, True),
        (absolute(0.0, inclusive=False), "higher", 0.5, 0.6, PASS, False),
        # An improvement passes, unless there is an upper bound.
        (absolute(0.01), "higher", 0.5, 1.0, PASS, False),
        (absolute(0.01, upper=0.1), "higher", 0.5, 0.55, PASS, False),
        (absolute(0.01, upper=0.1), "higher", 0.5, 0.6, PASS, True),
        (absolute(0.01, inclusive=False, upper=0.1), "higher", 0.5, 0.6, FAIL, True),
        (absolute(0.01, upper=0.1), "higher", 0.5, 0.7, FAIL, False),
        (absolute(0.01, upper=0.1), "lower", 0.5, 0.3, FAIL, False),
        # Relative bounds are fractions of the size of the original's value.
        (relative(0.01), "higher", 50.0, 49.5, PASS, True),
        (relative(0.01), "higher", 50.0, 49.4, FAIL, False),
        (relative(0.01, inclusive=False), "higher", 50.0, 49.5, FAIL, True),
        (relative(0.1), "higher", -10.0, -11.0, PASS, True),
        (relative(0.1), "higher", -10.0, -11.1, FAIL, False),
        (relative(0.1, upper=0.2), "lower", 10.0, 8.0, PASS, True),
        (relative(0.1, upper=0.2), "lower", 10.0, 7.9, FAIL, False),
    ],
)
def test_boundary_table(tolerance, direction, reference, value, verdict, on_boundary):
    judgement = judge(tolerance, direction, reference, value)
    assert judgement.verdict is verdict
    assert judgement.on_boundary is on_boundary
    assert judgement.delta == value - reference


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_a_value_that_is_not_finite_never_passes(value, direction):
    for args in ((0.5, value), (value, 0.5), (value, value)):
        judgement = judge(absolute(1e9), direction, *args)
        assert judgement.verdict is FAIL
        assert f"{value:g}" in judgement.explanation
        assert not judgement.on_boundary
        assert math.isnan(judgement.margin)


def test_a_value_that_is_not_finite_fails_even_with_confidence():
    assert judge(absolute(1, confidence=0.95), "higher", 0.5, math.nan).verdict is FAIL


def test_relative_to_zero_fails_and_says_why():
    judgement = judge(relative(0.1), "lower", 0.0, 0.0)
    assert judgement.verdict is FAIL
    assert "relative to the original's value, which is 0" in judgement.explanation


def test_the_explanation_gives_loss_bound_and_rule():
    assert judge(absolute(0.01), "higher", 0.97, 0.96).explanation == (
        "loss 0.01 is within the bound 0.01 (inclusive)"
    )
    assert judge(absolute(0.01, upper=0.1), "higher", 0.5, 0.7).explanation == (
        "improvement 0.2 is beyond the upper bound 0.1 (inclusive)"
    )
    assert "loss 0 is within" in judge(absolute(0.01), "higher", 0.5, 0.5).explanation


def test_bounds_and_margin_are_in_units_of_the_metric():
    judgement = judge(relative(0.1, upper=0.4), "lower", 20.0, 21.0)
    assert judgement.loss == 1.0
    assert judgement.bound == 2.0
    assert judgement.upper == 8.0
    assert judgement.margin == 1.0
    assert judge(relative(0.1, upper=0.4), "lower", 20.0, 13.0).margin == 1.0


@pytest.mark.parametrize(
    ("tolerance", "found", "verdict"),
    [
        (absolute(0.02, confidence=0.95), interval(-0.019, 0.001), PASS),
        (absolute(0.02, confidence=0.95), interval(-0.02, 0.001), PASS),
        (absolute(0.02, confidence=0.95), interval(-0.021, 0.001), UNDECIDED),
        (absolute(0.02, False, confidence=0.95), interval(-0.02, 0.001), UNDECIDED),
        (absolute(0.005, confidence=0.95), interval(-0.015, -0.006), FAIL),
        (absolute(0.005, confidence=0.95), interval(-0.015, -0.005), UNDECIDED),
        (absolute(0.005, False, confidence=0.95), interval(-0.015, -0.005), FAIL),
        (absolute(0.005, confidence=0.95), interval(-0.015, 0.001), UNDECIDED),
        (absolute(0.01, confidence=0.95), interval(-0.01, -0.01), PASS),
        (absolute(0.01, False, confidence=0.95), interval(-0.01, -0.01), FAIL),
        (absolute(0.02, upper=0.001, confidence=0.95), interval(-0.012, 0.002), UNDECIDED),
        (absolute(0.02, confidence=0.9), interval(-0.019, 0.001), PASS),
    ],
)
def test_with_confidence_the_whole_interval_must_lie_on_one_side(tolerance, found, verdict):
    judgement = judge(tolerance, "higher", 0.97, 0.96, found)
    assert judgement.verdict is verdict
    assert ("across the boundary" in judgement.explanation) is (verdict is UNDECIDED)


def test_where_lower_is_better_the_interval_is_not_mirrored():
    tolerance = absolute(0.2, confidence=0.95)
    assert judge(tolerance, "lower", 1.0, 1.1, interval(0.05, 0.19)).verdict is PASS
    assert judge(tolerance, "lower", 1.0, 1.1, interval(-0.3, 0.19)).verdict is PASS
    assert judge(tolerance, "lower", 1.0, 1.1, interval(0.05, 0.21)).verdict is UNDECIDED


def test_an_interval_on_the_other_side_of_the_loss_decides_nothing():
    judgement = judge(absolute(0.02, confidence=0.9), "higher", 0.97, 0.96, interval(-0.04, -0.03))
    assert judgement.verdict is UNDECIDED


def test_confidence_without_an_interval_is_undecided_and_says_why():
    judgement = judge(absolute(0.02, confidence=0.95), "higher", 0.97, 0.96)
    assert judgement.verdict is UNDECIDED
    assert "confidence 0.95 is asked for and there is no interval" in judgement.explanation


def test_without_confidence_the_interval_changes_nothing():
    with_it = judge(absolute(0.02), "higher", 0.97, 0.96, interval(-0.5, 0.5))
    assert with_it == judge(absolute(0.02), "higher", 0.97, 0.96)


def test_an_interval_of_too_low_a_level_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match=r"level 0\.95"):
        judge(absolute(0.02, confidence=0.99), "higher", 0.97, 0.96, interval(-0.01, 0))


numbers = st.floats(-1e6, 1e6)


@given(numbers, numbers, st.floats(0, 1e3), st.booleans(), st.sampled_from(["higher", "lower"]))
def test_improvement_always_passes_without_an_upper_bound(a, b, bound, inclusive, direction):
    best, worst = (max(a, b), min(a, b)) if direction == "higher" else (min(a, b), max(a, b))
    judgement = judge(absolute(bound, inclusive), direction, worst, best)
    assert judgement.verdict is PASS or judgement.on_boundary


@given(numbers, numbers, st.floats(0, 1e3), st.booleans())
def test_both_directions_are_mirror_images(reference, value, bound, inclusive):
    higher = judge(absolute(bound, inclusive), "higher", reference, value)
    lower = judge(absolute(bound, inclusive), "lower", -reference, -value)
    assert (higher.verdict, higher.loss) == (lower.verdict, lower.loss)


@given(numbers, numbers, st.floats(1e-6, 1e3))
def test_inclusive_and_exclusive_differ_only_on_the_boundary(reference, value, bound):
    inclusive = judge(absolute(bound), "higher", reference, value)
    exclusive = judge(absolute(bound, inclusive=False), "higher", reference, value)
    assert (inclusive.verdict is not exclusive.verdict) is inclusive.on_boundary


def test_four_times_the_items_halve_the_interval():
    judgement = judge(absolute(0.015), "higher", 0.97, 0.96)
    assert items_to_decide(interval(-0.02, 0.0), judgement) == pytest.approx(400, abs=1)


def test_a_lopsided_interval_counts_with_its_longer_side():
    judgement = judge(absolute(0.015), "higher", 0.97, 0.96)
    found = items_to_decide(interval(-0.025, 0.0), judgement)
    assert found == pytest.approx(900, abs=1)


def test_on_the_boundary_no_number_of_items_decides():
    judgement = judge(absolute(0.01), "higher", 0.97, 0.96)
    assert items_to_decide(interval(-0.02, 0.0), judgement) is None
    nothing = judge(absolute(0.01), "higher", 0.97, math.nan)
    assert items_to_decide(interval(-0.02, 0.0), nothing) is None


def test_repeated_items_count_neither_for_the_interval_nor_for_what_would_decide():
    judgement = judge(absolute(0.015), "higher", 0.97, 0.96)
    found = Interval(0.95, -0.02, 0.0, "a method", items=600, distinct_items=100)
    assert items_to_decide(found, judgement) == pytest.approx(400, abs=1)


def test_without_an_interval_the_verdict_says_why_and_how_many_items_would_give_one():
    nothing = NoInterval("few items", items=30, distinct_items=12, items_needed=20)
    judgement = judge(absolute(0.02, confidence=0.95), "higher", 0.97, 0.96, nothing)
    assert judgement.verdict is UNDECIDED
    assert judgement.explanation.endswith("there is no interval: few items")
    assert items_to_decide(nothing, judgement) == 20
    assert judge(absolute(0.02), "higher", 0.97, 0.96, nothing).verdict is PASS


def test_an_interval_without_width_needs_one_item():
    judgement = judge(absolute(0.5), "higher", 0.5, 0.5)
    assert items_to_decide(interval(0.0, 0.0), judgement) == 1


def test_that_many_items_decide_and_fewer_do_not():
    tolerance = absolute(0.013, confidence=0.95)
    n, half = 200, 0.012
    first = judge(tolerance, "higher", 0.97, 0.96, interval(-0.01 - half, -0.01 + half))
    assert first.verdict is UNDECIDED
    needed = items_to_decide(interval(-0.01 - half, -0.01 + half, items=n), first)
    for items, verdict in ((needed + 1, PASS), (int(needed * 0.9), UNDECIDED)):
        shrunk = half * math.sqrt(n / items)
        found = interval(-0.01 - shrunk, -0.01 + shrunk)
        assert judge(tolerance, "higher", 0.97, 0.96, found).verdict is verdict


def test_judging_imports_no_numpy():
    code = "import sys, conformance.metrics.tolerance; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- changes to the rule that no test above noticed


def test_items_to_decide_follow_from_the_wider_side_of_the_interval() -> None:
    interval = Interval(0.95, -0.05, 0.05, "by hand", 100, 100)
    judgement = judge(Tolerance("absolute", 0.01), "higher", 0.5, 0.48, interval)
    # The half-width is 0.05 + 0.02, the distance to the bound 0.01.
    assert items_to_decide(interval, judgement) in (4900, 4901)


@pytest.mark.parametrize(
    ("value", "inclusive", "words"),
    [
        (0.4, True, "loss 0.1 is beyond the bound 0.01"),
        (0.5, True, "loss 0 is within the bound 0.01"),
        (0.6, True, "improvement 0.1 is beyond the upper bound 0.0625"),
        (0.5625, False, "improvement 0.0625 is beyond the upper bound 0.0625"),
        (0.5625, True, "loss -0.0625 is within the bound 0.01"),
    ],
)
def test_explanation_says_which_bound_was_passed(value: float, inclusive: bool, words: str) -> None:
    tolerance = Tolerance("absolute", 0.01, inclusive=inclusive, upper_bound=0.0625)
    assert judge(tolerance, "higher", 0.5, value).explanation.startswith(words)


def test_an_improvement_on_an_exclusive_upper_bound_is_beyond_it_as_a_greater_one_is() -> None:
    tolerance = Tolerance("absolute", 0.01, False, 0.0625, 0.95)
    interval = Interval(0.95, 0.0625, 0.125, "by hand", 100, 100)
    assert judge(tolerance, "higher", 0.5, 0.5625, interval).verdict is Verdict.FAIL


def test_numbers_below_one_are_equal_if_they_differ_by_no_more_than_the_smallest_step() -> None:
    assert judge(Tolerance("absolute", 0.0), "lower", 0.0, 1e-12).verdict is Verdict.PASS
    assert judge(Tolerance("absolute", 0.0), "lower", 0.0, 1.1e-12).verdict is Verdict.FAIL


@pytest.mark.parametrize("low", [-0.012, -0.05], ids=["passes", "undecided"])
@pytest.mark.parametrize(
    ("distinct", "words"),
    [(100, ""), (60, ", of 60 distinct items among 100,")],
    ids=["all-distinct", "repeated"],
)
def test_the_explanation_says_how_many_items_the_interval_is_of_if_some_repeat(
    low: float, distinct: int, words: str
) -> None:
    found = Interval(0.95, low, 0.0, "by hand", 100, distinct)
    judgement = judge(absolute(0.02, confidence=0.95), "higher", 0.97, 0.96, found)
    assert f"95% interval of the loss 0 to {-low:g}{words}" in judgement.explanation
    assert ("distinct" in judgement.explanation) is bool(words)
