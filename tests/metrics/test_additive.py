"""What every function of sums over items inherits, shown on a custom metric."""

import numpy as np
import pytest

from conformance.metrics import About
from conformance.metrics import additive as additive_module
from conformance.metrics.additive import STATISTICS_LIMIT, AdditiveMetric
from conformance.verdicts import ConformanceError


class Bias(AdditiveMetric):
    """The mean error, of all values of all items."""

    kind = "bias"
    about = About("Mean error.", "(N, ...)", "unit", "any", "lower", "(error, values)", "NumPy")

    def statistics(self, values):
        error = values["prediction"] - values["target"]
        self.count("values", error.size)
        self.count_distinct("targets", values["target"].ravel().tolist())
        return [(row.sum(), row.size) for row in error]

    def finish(self, totals):
        return totals[..., 0] / totals[..., 1]

    def details(self, totals):
        return {"total": totals[0]}


BATCHES = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 7.0]], [[9.0, 1.0], [2.0, 6.0]]]


def bias(*batches) -> Bias:
    made = Bias()
    for batch in batches:
        made.update({"prediction": np.array(batch), "target": np.ones(np.shape(batch))})
    return made


def test_a_measurement_is_of_the_items_of_all_batches():
    found = bias(*BATCHES).result()
    assert (found.value, found.items) == (3.0, 5)
    assert found.statistics.tolist() == [[1, 2], [5, 2], [10, 2], [8, 2], [6, 2]]
    assert found.details == {"total": 30.0}
    assert found.counted == {"values": 10, "targets": 1}


def test_a_metric_that_saw_no_item_has_no_value():
    with pytest.raises(ConformanceError, match="no items at all"):
        bias().result()


def test_an_item_that_is_not_finite_has_no_statistics_and_is_reported():
    nan, infinity = float("nan"), float("inf")
    found = bias(BATCHES[0], [[nan, -infinity], [1.0, 2.0]], [[infinity, 5.0]]).result()
    assert np.isnan(found.value)
    assert np.isnan(found.statistics).all(axis=1).tolist() == [False, False, True, False, True]
    assert found.details == {"non_finite_items": 2, "non_finite_values": 3}
    assert found.counted["values"] == 10


def test_up_to_the_limit_statistics_are_kept_and_beyond_it_only_their_sums(monkeypatch):
    monkeypatch.setattr(additive_module, "STATISTICS_LIMIT", 6)
    kept = bias(*BATCHES[:2]).result()
    assert kept.statistics.tolist() == [[1, 2], [5, 2], [10, 2]]
    assert "no_interval" not in kept.details
    summed = bias(*BATCHES).result()
    assert summed.statistics is None
    assert (summed.value, summed.items) == (3.0, 5)
    assert summed.details == {
        "total": 30.0,
        "no_interval": "the statistics per item are more than 6 numbers: only sums kept",
    }


def test_statistics_take_128_mebibytes_at_most():
    assert np.zeros(1).nbytes * STATISTICS_LIMIT == 128 * 2**20


@pytest.mark.parametrize("left_out", ["statistics", "finish"])
def test_a_metric_without_statistics_or_a_value_cannot_be_made(left_out):
    defined = {"statistics": Bias.statistics, "finish": Bias.finish}
    del defined[left_out]
    with pytest.raises(TypeError, match=left_out):
        type("Partial", (AdditiveMetric,), defined)()
