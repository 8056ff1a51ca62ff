"""What holds for every built-in kind."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.metrics import METRICS, Metric, metric
from conformance.verdicts import ConformanceError
from tests.metrics.cases import Case, additive_cases, boxes_case

CASES = additive_cases()
ALL = [*CASES, boxes_case()]


def in_batches(case: Case, cuts: list[int]) -> Metric:
    made = metric(case.kind, case.args)
    items = len(next(iter(case.values.values())))
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < items}), items]
    for start, stop in itertools.pairwise(edges):
        made.update({role: array[start:stop] for role, array in case.values.items()})
    return made


def test_every_built_in_kind_has_a_case():
    ours = {name for name in METRICS.names() if "nnr-conformance" in METRICS.distribution(name)}
    assert {case.kind for case in ALL} == ours


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_value_is_finish_of_the_sum_of_statistics(case):
    made = in_batches(case, [])
    result = made.result()
    assert result.statistics.dtype == np.float64
    assert len(result.statistics) == result.items == len(case.values["target"])
    assert result.value == float(made.finish(result.statistics.sum(axis=0)))
    assert np.isfinite(result.value)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_batches_do_not_change_the_measurement(case):
    whole, parts = in_batches(case, []).result(), in_batches(case, [1, 2, 11]).result()
    assert parts.value == whole.value
    assert parts.items == whole.items
    assert parts.details == whole.details
    assert np.array_equal(parts.statistics, whole.statistics) or whole.statistics is None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_finish_works_on_many_totals_at_once(case):
    made = in_batches(case, [])
    rows = made.result().statistics
    totals = np.stack([rows[:3].sum(axis=0), rows.sum(axis=0), rows[1:].sum(axis=0)])
    each = [float(made.finish(total)) for total in totals]
    assert made.finish(totals).shape == (3,)
    np.testing.assert_allclose(made.finish(totals), each, rtol=1e-14)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_a_missing_role_is_named(case):
    role = next(iter(case.values))
    values = {name: array for name, array in case.values.items() if name != role}
    with pytest.raises(ConformanceError) as caught:
        metric(case.kind, case.args).update(values)
    assert role in caught.value.expected
    assert role not in caught.value.found.replace("target_" + role, "")
    assert "bindings" in caught.value.fix


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_different_numbers_of_items_are_refused(case):
    values = dict(case.values)
    last = list(values)[-1]
    values[last] = values[last][:-1]
    with pytest.raises(ConformanceError, match="same number of items") as caught:
        metric(case.kind, case.args).update(values)
    assert last in str(caught.value.where)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_no_items_are_refused(case):
    with pytest.raises(ConformanceError, match="no items at all"):
        metric(case.kind, case.args).result()
    with pytest.raises(ConformanceError, match="no items at all"):
        metric(case.kind, case.args).update({r: array[:0] for r, array in case.values.items()})


FLOATING = [case for case in CASES if np.asarray(case.values["prediction"]).dtype.kind == "f"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("case", FLOATING, ids=lambda case: case.id)
def test_a_prediction_that_is_not_finite_makes_the_value_nan(case, bad):
    prediction = case.values["prediction"].copy()
    prediction.reshape(len(prediction), -1)[1, 0] = bad
    made = metric(case.kind, case.args)
    made.update({**case.values, "prediction": prediction})
    result = made.result()
    assert np.isnan(result.value)
    assert result.details == {"non_finite_items": 1, "non_finite_values": 1}
    assert np.isnan(result.statistics[1]).all()
    assert np.isfinite(np.delete(result.statistics, 1, axis=0)).all()


def test_a_target_that_is_not_finite_is_an_error_of_the_vectors():
    with pytest.raises(ConformanceError, match="target holds NaN") as caught:
        metric("mse", {}).update({"prediction": np.ones((3, 2)), "target": np.full((3, 2), np.nan)})
    assert "6 values" in caught.value.found
    assert "reference vectors" in caught.value.fix


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 30), max_size=6))
def test_any_split_gives_the_same_bits(seed, cuts):
    for case in additive_cases(items=20, seed=seed):
        if case.kind in {"top-k-accuracy", "f1", "mse", "psnr", "cosine-similarity", "bleu"}:
            whole, parts = in_batches(case, []).result(), in_batches(case, cuts).result()
            assert parts.value == whole.value


FEWEST = {
    "top-k-accuracy": {"prediction": [[1.0, 0.0], [0.0, 1.0]], "target": [1, 1]},
    "exact-match": {"prediction": ["a", "b"], "target": ["a", "a"]},
    **{
        kind: {"prediction": [[1.0, 0.0], [0.0, 1.0]], "target": [1, 1]}
        for kind in ("precision", "recall", "f1", "confusion-matrix")
    },
    "mean-iou": {"prediction": np.ones((2, 2, 3, 3)), "target": np.zeros((2, 3, 3), int)},
    **{
        kind: {"prediction": [[1.0]], "target": [[0.5]]}
        for kind in ("mse", "rmse", "mae", "psnr", "cosine-similarity", "snr")
    },
    "kl-divergence": {"prediction": [[1.0, 0.0]], "target": [[1.0, 0.5]]},
    "perplexity": {"prediction": np.ones((2, 2, 3)), "target": [[2, 0], [2, 2]]},
    "bleu": {"prediction": ["a"], "target": ["a"]},
    "wer": {"prediction": ["a"], "target": ["a"]},
    "mean-average-precision": {
        "boxes": np.ones((1, 1, 4)),
        "scores": [[0.5]],
        "labels": [[1]],
        "target_boxes": np.ones((1, 1, 4)),
        "target_labels": [[-1]],
    },
}
"""By kind, vectors of which less is counted than its least number. An image always has enough."""
OF_FEWEST = {"psnr": {"data_range": 1}, "perplexity": {"ignore_index": 2}}


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_every_kind_counts_what_it_states_and_has_enough(case):
    made = in_batches(case, [1, 2, 11])
    counted = made.result().counted
    assert made.counts
    assert set(counted) == {count.noun for count in made.counts}
    assert all(counted[count.noun] >= count.least for count in made.counts)


@pytest.mark.parametrize("kind", sorted({case.kind for case in ALL} - {"ssim", "ms-ssim"}))
def test_too_little_is_counted_as_what_it_is(kind):
    made = metric(kind, OF_FEWEST.get(kind, {}))
    made.update({role: np.asarray(array) for role, array in FEWEST[kind].items()})
    counted = made.result().counted
    assert any(counted[count.noun] == count.least - 1 for count in made.counts)


@pytest.mark.parametrize("kind", ["mse", "mae", "rmse"])
def test_one_item_of_many_values_is_enough(kind):
    made = metric(kind, {})
    made.update({"prediction": np.ones((1, 50)), "target": np.zeros((1, 50))})
    assert made.result().counted == {"values": 50}
