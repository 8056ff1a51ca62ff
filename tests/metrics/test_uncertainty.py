"""Intervals of a difference: published figures, coverage, determinism, edge cases."""

import math

import numpy as np
import pytest
from numpy.polynomial import Polynomial
from scipy.stats import binomtest, norm, t

from conformance.metrics import Interval, NoInterval, judge, metric, metric_class
from conformance.metrics.uncertainty import (
    FEWEST_DIFFERENT,
    FEWEST_ITEMS,
    METHOD,
    bonett_price,
    distances,
    influences,
    mcnemar,
    paired_interval,
    student,
)
from conformance.submission.values import Tolerance
from conformance.verdicts import Verdict
from tests.metrics.cases import measured

ACCURACY = metric("top-k-accuracy", {})
MSE = metric("mse", {})


def outcomes(correct) -> np.ndarray:
    return np.stack([np.asarray(correct, float), np.ones(len(correct))], axis=1)


def errors(values) -> np.ndarray:
    return np.stack([np.asarray(values, float), np.ones(len(values))], axis=1)


def paired_outcomes(both, gained, lost, neither) -> tuple[np.ndarray, np.ndarray]:
    original = [1] * both + [0] * gained + [1] * lost + [0] * neither
    sample = [1] * both + [1] * gained + [0] * lost + [0] * neither
    return outcomes(original), outcomes(sample)


def test_mcnemar_of_a_hand_computed_example():
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(0, 5) == pytest.approx(2 / 2**5)


def test_mcnemar_is_the_binomial_test_of_the_discordant_items():
    for gained, lost in [(3, 4), (0, 1), (12, 30), (150, 86), (4000, 4200)]:
        expected = binomtest(gained, gained + lost).pvalue
        assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-9)
        assert mcnemar(lost, gained) == mcnemar(gained, lost)


def test_mcnemar_without_discordant_items_says_nothing():
    assert mcnemar(0, 0) == 1.0


def test_published_approval_ratings():
    # Agresti, Categorical Data Analysis, 2nd ed., table 10.1: 794, 150, 86, 570 of 1600;
    # difference -0.04, Wald interval (-0.059, -0.021), and z = -4.17.
    found = paired_interval(ACCURACY, *paired_outcomes(794, 86, 150, 570))
    assert (found.gained, found.lost, found.items) == (86, 150, 1600)
    assert found.low == pytest.approx(-0.059, abs=6e-4)
    assert found.high == pytest.approx(-0.021, abs=6e-4)
    assert found.p_value == pytest.approx(math.erfc(4.17 / math.sqrt(2)), rel=0.35)


def test_adjusted_wald_interval_computed_by_hand():
    # n = 20, 4 gained, 1 lost: 5/22 - 2/22 = 3/22, variance (7/22 - 9/484) / 22.
    half_width = 1.959964 * math.sqrt((7 / 22 - 9 / 484) / 22)
    low, high = bonett_price(4, 1, 20, 0.95)
    assert low == pytest.approx(3 / 22 - half_width, abs=1e-7)
    assert high == pytest.approx(3 / 22 + half_width, abs=1e-7)


def test_the_interval_stays_within_what_is_possible():
    assert bonett_price(2, 0, 2, 0.999)[1] == 1.0
    assert bonett_price(0, 2, 2, 0.999)[0] == -1.0


def test_no_discordant_item_does_not_mean_certainty():
    found = paired_interval(ACCURACY, *paired_outcomes(90, 0, 0, 10))
    assert found.low == -found.high
    assert 0.01 < found.high < 0.05
    assert found.p_value == 1.0


def test_a_higher_level_gives_a_wider_interval():
    rng = np.random.default_rng(1)
    for made, rows in ((ACCURACY, outcomes(rng.integers(0, 2, 80))), (MSE, errors(rng.random(80)))):
        other = rows[rng.permutation(80)]
        narrow, wide = (paired_interval(made, rows, other, level) for level in (0.8, 0.99))
        assert wide.low < narrow.low < narrow.high < wide.high
        assert (narrow.level, wide.level) == (0.8, 0.99)


def test_the_interval_is_that_of_sample_less_original():
    rng = np.random.default_rng(2)
    original = errors(rng.random(300))
    found = paired_interval(
        MSE, original, original + [[0.5, 0]] + errors(rng.random(300)) * [[1, 0]]
    )
    assert 0.9 < found.low < 1.0 < found.high < 1.1
    assert found.p_value is found.gained is found.lost is None
    assert "Hall" in found.method


def test_pairing_removes_what_both_share():
    rng = np.random.default_rng(3)
    hard = rng.random(200) * 100
    found = paired_interval(MSE, errors(hard), errors(hard + rng.normal(0.1, 0.01, 200)))
    assert found.high - found.low < 0.01


def test_an_interval_of_a_mean_is_near_the_normal_one():
    rng = np.random.default_rng(4)
    change = rng.normal(0.2, 1, 2000)
    found = paired_interval(MSE, errors(np.zeros(2000)), errors(change))
    half_width = 1.96 * change.std() / math.sqrt(2000)
    assert found.low == pytest.approx(change.mean() - half_width, abs=0.2 * half_width)
    assert found.high == pytest.approx(change.mean() + half_width, abs=0.2 * half_width)


@pytest.mark.parametrize(
    ("kind", "values"),
    [("mse", lambda d: d), ("psnr", lambda d: 10 * np.log10(d)), ("rmse", np.sqrt)],
)
def test_influences_are_those_of_the_derivative(kind, values):
    rng = np.random.default_rng(5)
    made = metric(kind, {"data_range": 1} if kind == "psnr" else {})
    squares = rng.uniform(1, 2, 4000)
    mean, step = squares.mean(), 1e-6
    slope = (values(mean + step) - values(mean)) / step * (-1 if kind == "psnr" else 1)
    found = influences(made, errors(squares))
    assert found == pytest.approx(slope * (squares - mean), abs=2e-3)


def test_influences_on_a_mean_are_deviations_from_it():
    assert influences(MSE, errors([1, 2, 6])) == pytest.approx([-2, -1, 3])


class _Measured(metric_class("mse")):
    """A mean that notes how many numbers it is computed of at a time."""

    def __init__(self):
        super().__init__()
        self.sizes = set()

    def finish(self, totals):
        self.sizes.add(totals.size)
        return super().finish(totals)


@pytest.mark.parametrize(("cells", "at_once"), [(1, 2), (64, 64)])
def test_influences_of_many_items_are_computed_in_parts(monkeypatch, cells, at_once):
    rows = errors(np.random.default_rng(6).random(500))
    whole = influences(MSE, rows)
    monkeypatch.setattr("conformance.metrics.uncertainty.CELLS", cells)
    made = _Measured()
    np.testing.assert_array_equal(influences(made, rows), whole)
    assert max(made.sizes) == at_once


def test_influences_are_computed_of_8_mebibytes_at_a_time():
    made = _Measured()
    influences(made, np.ones((2**19 + 5, 2)))
    assert made.sizes == {2, 10, 2**20}


def test_an_item_counts_as_a_whole_for_metrics_that_are_no_means():
    rng = np.random.default_rng(5)
    scores, target = rng.normal(size=(150, 4)), rng.integers(0, 4, 150)
    scores[np.arange(150), target] += 2
    noisy = scores + rng.normal(0, 1.5, scores.shape)
    original = measured("f1", prediction=scores, target=target)
    sample = measured("f1", prediction=noisy, target=target)
    found = paired_interval(metric("f1", {}), original.statistics, sample.statistics)
    assert found.low < sample.value - original.value < found.high < 0


@pytest.mark.parametrize("freedom", [19, 60, 5000])
@pytest.mark.parametrize("probability", [0.6, 0.95, 0.975, 0.99, 0.9975, 0.999375])
def test_quantiles_of_student(freedom, probability):
    assert student(probability, freedom) == pytest.approx(t.ppf(probability, freedom), abs=5e-5)


def expansion() -> list[Polynomial]:
    """Return the terms of the expansion of Student's quantile t in 1/freedom, as functions of z.

    They follow from its differential equation, with e = 1/freedom:
    (1 + e t^2) (t'' + z t') = (1 + e) t t'^2, where t is the normal quantile z for e = 0.
    """
    z = Polynomial([0.0, 1.0])
    terms = [z]
    for _ in range(4):
        t = [*terms, 0 * z]
        slope = [each.deriv() for each in t]
        bend = [each.deriv(2) + z * each.deriv() for each in t]
        product = series_product(t, slope, slope)
        wanted = product[-1] + product[-2] - bend[-1] - series_product(t, t, bend)[-2]
        # The next term g solves g'' - z g' - g = wanted: from its highest power downwards.
        powers = np.zeros(wanted.coef.size + 2)
        for n in range(wanted.coef.size - 1, -1, -1):
            powers[n] = (n + 2) * powers[n + 2] - wanted.coef[n] / (n + 1)
        terms.append(Polynomial(powers))
    return terms


def series_product(*factors: list[Polynomial]) -> list[Polynomial]:
    product = [Polynomial([1.0])] + [Polynomial([0.0])] * (len(factors[0]) - 1)
    for each in factors:
        product = [
            sum((product[k] * each[n - k] for k in range(n + 1)), Polynomial([0.0]))
            for n in range(len(each))
        ]
    return product


@pytest.mark.parametrize("freedom", [1, 3])
@pytest.mark.parametrize("probability", [0.3, 0.6, 0.975, 0.9975])
def test_the_terms_of_students_quantile_are_those_of_its_expansion(freedom, probability):
    z = norm.ppf(probability)
    expected = sum(term(z) / freedom**power for power, term in enumerate(expansion()))
    assert student(probability, freedom) == pytest.approx(expected, rel=1e-12)


def skewed(items: int) -> np.ndarray:
    return np.random.default_rng(12).lognormal(0, 2, items)


@pytest.mark.parametrize(("items", "share"), [(20, 8), (200, 4), (3000, 2)])
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_both_sides_have_half_of_the_error(items, share, level):
    """On the short side Student's t holds, on the long one Hall's with its share of the error."""
    values = skewed(items)
    error = values.std(ddof=1) / math.sqrt(items)
    below, above = distances(values, level)
    assert below == pytest.approx(t.ppf((1 + level) / 2, items - 1) * error, rel=1e-4)
    centred = values - values.mean()
    skewness = (centred**3).mean() / (centred**2).mean() ** 1.5
    skewness *= math.sqrt(items * (items - 1)) / (items - 2)
    # Hall's transformation of -above/error, as he writes it, is the quantile.
    root, z = math.sqrt(items), -above / error
    transformed = z + skewness * z**2 / (3 * root)
    transformed += skewness**2 * z**3 / (27 * items) + skewness / (6 * root)
    wanted = t.ppf((1 - level) / 2 / share, items - 1)
    assert transformed == pytest.approx(wanted, rel=1e-3)
    assert distances(-values, level) == pytest.approx((above, below))


@pytest.mark.parametrize(
    ("items", "share"), [(20, 8), (99, 8), (100, 4), (999, 4), (1000, 2), (5000, 2)]
)
def test_without_skewness_the_share_of_the_error_decides(items, share):
    values = np.linspace(-1, 1, items)
    error = values.std(ddof=1) / math.sqrt(items)
    wanted = t.isf(0.05 / 2 / share, items - 1) * error
    assert distances(values, 0.95) == pytest.approx((wanted, wanted), rel=1e-4)


def test_the_interval_of_a_mirrored_difference_is_mirrored():
    before, after = errors(np.zeros(60)), errors(skewed(60))
    found, mirrored = paired_interval(MSE, before, after), paired_interval(MSE, after, before)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("made", [ACCURACY, MSE], ids=["binary", "real"])
def test_both_ends_decide(made):
    """Too great a loss and too great an improvement are both a matter of confidence."""
    if made.binary:
        rows = paired_outcomes(50, 40, 0, 110), 0.2
    else:
        change = np.random.default_rng(3).normal(-0.2, 0.5, 200)
        rows = (errors(np.ones(200)), errors(1 + change - change.mean() - 0.2)), 0.2
    (original, sample), gain = rows
    found = paired_interval(made, original, sample)
    half_width = min(found.high - abs(gain) * (1 if made.binary else -1), 0.1)
    direction = "higher" if made.binary else "lower"
    values = [float(made.finish(each.sum(axis=0))) for each in (original, sample)]
    for edge, verdict in ((0.5, Verdict.UNDECIDED), (3.0, Verdict.PASS)):
        for tolerance in (
            Tolerance("absolute", 5.0, True, gain + edge * half_width, 0.95),
            Tolerance("absolute", -gain + edge * half_width, True, None, 0.95),
        ):
            assert judge(tolerance, direction, *values, found).verdict is verdict


def test_the_same_input_gives_the_same_digits():
    rng = np.random.default_rng(6)
    original, sample = errors(rng.integers(0, 9, 400)), errors(rng.integers(0, 9, 400))
    assert paired_interval(MSE, original, sample) == paired_interval(MSE, original, sample)


# --- Few items, few that differ, repeated ones


def test_few_items_give_no_interval_and_say_how_many_would():
    rng = np.random.default_rng(7)
    enough = errors(rng.random(FEWEST_ITEMS)), errors(rng.random(FEWEST_ITEMS))
    assert isinstance(paired_interval(MSE, *enough), Interval)
    found = paired_interval(MSE, *(rows[1:] for rows in enough))
    assert found.items_needed == FEWEST_ITEMS
    assert found.reason == "19 distinct items are fewer than 20"


@pytest.mark.parametrize("kind", ["mse", "f1"])
def test_few_items_that_differ_give_no_interval_and_say_how_many_would(kind):
    made = metric(kind, {"num_classes": 2} if kind == "f1" else {})
    rows = np.random.default_rng(8).integers(0, 3, (100, 6)).astype(float)
    rows = rows if kind == "f1" else errors(rows[:, 0])
    for different in range(1, FEWEST_DIFFERENT + 1):
        sample = rows.copy()
        sample[:different, 0] += np.arange(1, different + 1)
        found = paired_interval(made, rows, sample)
        assert isinstance(found, Interval) is (different == FEWEST_DIFFERENT)
        if isinstance(found, NoInterval):
            assert f"only {different} of 100 distinct items" in found.reason
            assert found.items_needed == 1000 // different + (1000 % different > 0)


def test_a_difference_that_is_the_same_everywhere_has_no_known_spread():
    rows = errors(np.arange(30))
    shifted = np.add(rows, [0.1, 0])
    shifted[:3, 0] += [1, 2, 3]
    assert "only 3 of 30" in paired_interval(MSE, rows, shifted).reason


@pytest.mark.parametrize("items", [49, 50])
def test_equal_networks_are_taken_for_equal_on_enough_items(items, recwarn):
    rows = errors(np.arange(items))
    found = paired_interval(MSE, rows, rows)
    if items < 50:
        assert (found.items_needed, found.distinct_items) == (50, items)
        assert found.reason.startswith("only 0 of 49 distinct items")
    else:
        assert (found.low, found.high) == (0.0, 0.0)
    assert not recwarn.list


def test_items_that_differ_and_move_no_value_do_not_tell_networks_apart():
    rows = np.ones((30, 2))
    sample = rows.copy()
    sample[:10] = 2
    assert "only 0 of 30 distinct items" in paired_interval(MSE, rows, sample).reason


@pytest.mark.parametrize("made", [ACCURACY, MSE], ids=["binary", "real"])
def test_identical_items_count_once(made):
    rng = np.random.default_rng(9)
    rows = outcomes(rng.integers(0, 2, 60)) if made.binary else errors(rng.random(60))
    other = rows[rng.permutation(60)]
    first = np.tile(np.arange(60), 6)
    once = paired_interval(made, rows, other)
    found = paired_interval(made, np.tile(rows, (6, 1)), np.tile(other, (6, 1)), first=first)
    assert (found.low, found.high, found.p_value) == (once.low, once.high, once.p_value)
    assert (found.items, found.distinct_items) == (360, 60)
    assert (once.items, once.distinct_items) == (60, 60)


def test_statistics_that_are_not_one_row_for_each_item_give_no_interval():
    rows = errors(np.arange(30.0))
    found = paired_interval(MSE, rows, rows, first=np.arange(60))
    assert "one row of statistics for each item" in found.reason
    assert (found.items, found.distinct_items, found.items_needed) == (30, 0, None)


def test_other_items_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="not the same items"):
        paired_interval(MSE, errors(range(4)), errors(range(5)))


@pytest.mark.parametrize("made", [ACCURACY, MSE], ids=["binary", "real"])
def test_what_has_no_value_has_no_interval(made):
    broken = errors([1, 0] * 30 + [math.nan])
    whole = errors([1, 0] * 30 + [1])
    for rows in ((whole, broken), (broken, whole)):
        assert paired_interval(made, *rows).reason == "the metric is not finite on every item"


def test_right_and_wrong_items_of_unequal_weight_are_a_mean():
    rows = np.array([[1.0, 2.0], [0.0, 2.0]] * 30)
    assert paired_interval(ACCURACY, rows, rows[::-1]).method == METHOD


def test_two_items_are_the_fewest_for_right_and_wrong():
    found = paired_interval(ACCURACY, outcomes([1]), outcomes([0]))
    assert (found.reason, found.items_needed) == ("fewer than 2 distinct items", 2)
    found = paired_interval(ACCURACY, outcomes([1, 1]), outcomes([0, 1]))
    assert (found.low, found.high) == bonett_price(0, 1, 2, 0.95)


def test_a_value_that_hangs_on_one_item_gives_no_interval(recwarn):
    psnr = metric("psnr", {"data_range": 1})
    one = np.zeros(60)
    one[0] = 1.0
    found = paired_interval(psnr, errors(one), errors(np.arange(1, 61)))
    assert "on all distinct items but one" in found.reason
    assert not recwarn.list


class _Exponential(metric_class("mse")):
    """The exponential of a mean, as perplexity is."""

    def finish(self, totals):
        return np.exp(super().finish(totals))


def test_the_end_of_an_interval_bends_with_the_value():
    rng = np.random.default_rng(11)
    before, after = errors(np.zeros(40)), errors(rng.normal(3, 2, 40))
    plain, bent = (paired_interval(made, before, after) for made in (MSE, _Exponential()))
    assert bent.high == pytest.approx(math.exp(plain.high) - 1, rel=0.2)
    assert bent.low < math.exp(plain.low) - 1


def test_where_one_item_moves_the_value_the_end_is_that_of_its_greater_weight():
    values = np.append(np.random.default_rng(13).normal(0, 0.01, 39), 1.0)
    before, after = errors(np.zeros(40)), errors(values)
    moves = influences(_Exponential(), after)
    _, above = distances(moves, 0.95)
    moves = moves - moves.mean()
    mean = values.mean() + above * (moves @ values) / (moves @ moves)
    high = paired_interval(_Exponential(), before, after).high
    assert high == pytest.approx(math.exp(mean) - 1, rel=1e-9)


class _Falling(_Exponential):
    """The exponential of a mean, denied: it bends the other way."""

    def finish(self, totals):
        return -super().finish(totals)


def test_an_interval_reaches_as_far_as_the_straight_one_where_the_value_bends_back():
    rng = np.random.default_rng(11)
    before, after = errors(np.zeros(40)), errors(rng.normal(3, 2, 40))
    rising, falling = (
        paired_interval(made, before, after) for made in (_Exponential(), _Falling())
    )
    below, _ = distances(influences(_Exponential(), after), 0.95)
    assert rising.low == pytest.approx(math.exp(after[:, 0].mean()) - 1 - below)
    assert (falling.low, falling.high) == pytest.approx((-rising.high, -rising.low))


class _Limited(metric_class("mse")):
    """A mean that is infinite from 0.3 on."""

    def finish(self, totals):
        mean = super().finish(totals)
        return np.where(mean > 0.3, np.inf, mean)


def test_an_interval_without_an_end_is_none():
    change = np.random.default_rng(10).normal(0, 1, 40)
    rows = errors(np.zeros(40)), errors(change - change.mean())
    assert paired_interval(_Limited(), *rows).reason == "the interval has no end"
    assert isinstance(paired_interval(MSE, *rows), Interval)


def test_items_without_spread_leave_no_distance():
    assert distances(np.full(30, 0.5), 0.95) == (0.0, 0.0)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e200])
def test_the_unit_of_the_errors_does_not_matter(scale):
    below, above = distances(skewed(40), 0.95)
    assert distances(skewed(40) * scale, 0.95) == pytest.approx((below * scale, above * scale))


def covered(interval, true_delta) -> bool:
    return interval.low <= true_delta <= interval.high


def test_intervals_of_accuracy_cover_as_often_as_they_say():
    rng = np.random.default_rng(7)
    shares = [0.90, 0.01, 0.03, 0.06]  # both right, gained, lost, neither: delta is -0.02
    draws = rng.multinomial(200, shares, size=1500)
    hits = [covered(paired_interval(ACCURACY, *paired_outcomes(*draw)), -0.02) for draw in draws]
    assert 0.935 < np.mean(hits) < 0.985
