"""What a metric must bring, whatever it computes."""

import pytest

from conformance.metrics import Measurement, Metric, Roles


class Nothing(Metric):
    kind = "nothing"

    def update(self, values):
        pass

    def result(self):
        return None


@pytest.mark.parametrize("left_out", ["update", "result"])
def test_a_metric_that_takes_or_gives_nothing_cannot_be_made(left_out):
    defined = {"update": Nothing.update, "result": Nothing.result}
    del defined[left_out]
    with pytest.raises(TypeError, match=left_out):
        type("Partial", (Metric,), defined)()


def test_a_metric_has_no_values_of_sums_unless_it_says_so():
    with pytest.raises(TypeError, match="nothing is not a function of sums"):
        Nothing.configure({}).finish([])


def test_a_measurement_has_a_value_and_a_number_of_items():
    found = Measurement(0.5, 8)
    assert (found.value, found.items, found.statistics) == (0.5, 8, None)
    assert (dict(found.details), dict(found.counted)) == ({}, {})


def test_a_metric_that_states_nothing_compares_a_prediction_with_a_target():
    assert Nothing.roles.all == ("prediction", "target")
    assert Roles(("boxes", "scores"), ("wanted",)).all == ("boxes", "scores", "wanted")
    assert not Nothing.binary
    assert Nothing.counts == ()
