"""Intervals of a difference: published figures, coverage, determinism, edge cases."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from conformance.metrics import metric, uncertainty
from conformance.metrics.uncertainty import bonett_price, mcnemar, paired_interval
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
    assert "bootstrap" in found.method


def test_pairing_removes_what_both_share():
    rng = np.random.default_rng(3)
    hard = rng.random(200) * 100
    found = paired_interval(MSE, errors(hard), errors(hard + rng.normal(0.1, 0.01, 200)))
    assert found.high - found.low < 0.01


def test_bootstrap_of_a_mean_is_near_the_normal_interval():
    rng = np.random.default_rng(4)
    change = rng.normal(0.2, 1, 500)
    found = paired_interval(MSE, errors(np.zeros(500)), errors(change))
    half_width = 1.96 * change.std() / math.sqrt(500)
    assert found.low == pytest.approx(change.mean() - half_width, abs=0.2 * half_width)
    assert found.high == pytest.approx(change.mean() + half_width, abs=0.2 * half_width)


def test_bootstrap_resamples_whole_items_for_metrics_that_are_no_means():
    rng = np.random.default_rng(5)
    scores, target = rng.normal(size=(150, 4)), rng.integers(0, 4, 150)
    scores[np.arange(150), target] += 2
    noisy = scores + rng.normal(0, 1.5, scores.shape)
    original = measured("f1", prediction=scores, target=target)
    sample = measured("f1", prediction=noisy, target=target)
    found = paired_interval(metric("f1", {}), original.statistics, sample.statistics)
    assert found.low < sample.value - original.value < found.high < 0


def test_equal_statistics_give_an_interval_without_width(recwarn):
    rows = errors(np.arange(30))
    found = paired_interval(MSE, rows, rows)
    assert (found.low, found.high) == (0.0, 0.0)
    assert not recwarn.list


def test_the_same_input_gives_the_same_digits_whatever_the_batches(monkeypatch):
    rng = np.random.default_rng(6)
    original, sample = errors(rng.integers(0, 9, 400)), errors(rng.integers(0, 9, 400))
    first = paired_interval(MSE, original, sample)
    assert paired_interval(MSE, original, sample) == first
    monkeypatch.setattr(uncertainty, "_CELLS", 5000)
    assert paired_interval(MSE, original, sample) == first
    assert paired_interval(MSE, original, sample, seed=1) != first


def test_other_items_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="not the same items"):
        paired_interval(MSE, errors(range(4)), errors(range(5)))


@pytest.mark.parametrize("made", [ACCURACY, MSE], ids=["binary", "bootstrap"])
def test_what_has_no_value_has_no_interval(made):
    broken = errors([1, 0, math.nan])
    assert paired_interval(made, errors([1, 0, 1]), broken) is None
    assert paired_interval(made, broken, errors([1, 0, 1])) is None
    assert paired_interval(made, errors([1]), errors([0])) is None


def test_resamples_without_a_value_give_no_interval(recwarn):
    psnr = metric("psnr", {"data_range": 1})
    assert paired_interval(psnr, errors(np.zeros(20)), errors(np.ones(20))) is None
    assert not recwarn.list


def covered(interval, true_delta) -> bool:
    return interval.low <= true_delta <= interval.high


def test_intervals_of_accuracy_cover_as_often_as_they_say():
    rng = np.random.default_rng(7)
    shares = [0.90, 0.01, 0.03, 0.06]  # both right, gained, lost, neither: delta is -0.02
    draws = rng.multinomial(200, shares, size=1500)
    hits = [covered(paired_interval(ACCURACY, *paired_outcomes(*draw)), -0.02) for draw in draws]
    assert 0.935 < np.mean(hits) < 0.985


def test_bootstrap_intervals_cover_about_as_often_as_they_say(monkeypatch):
    monkeypatch.setattr(uncertainty, "RESAMPLES", 400)
    rng = np.random.default_rng(8)
    hits = []
    for seed in range(250):
        original = rng.gamma(2.0, 1.0, 100)
        sample = original + rng.gamma(1.0, 0.5, 100)
        hits.append(covered(paired_interval(MSE, errors(original), errors(sample), seed=seed), 0.5))
    assert 0.89 < np.mean(hits) < 0.98
