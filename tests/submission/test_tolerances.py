"""Tolerances relative to a value of 0, which accept nothing but that value."""

import pytest

from conformance.submission.tolerances import find_unusable_tolerances
from tests.submission import builder
from tests.submission.builder import put
from tests.submission.test_loading import load_changed, only

OF_METRIC, OF_SAMPLE = "/metrics/0/tolerance", "/samples/0/metrics/0/tolerance"


def relative_to_zero(**own):
    """Return metadata whose metric is relative to 0; its sample may have its ``own`` tolerance."""
    data = builder.valid()
    put(data, "/models/0/metric_values/0/value", 0)
    put(data, f"{OF_METRIC}/type", "relative")
    if own:
        put(data, OF_SAMPLE, {"bound": 0.1, "inclusive": True, **own})
    return data


def found(data):
    """Return the place of each unusable tolerance, with those of the values it is relative to."""
    return {
        pointer_of(each.pointer): [pointer_of(other) for other in each.also]
        for each in find_unusable_tolerances(data)
    }


def pointer_of(keys):
    return "/".join(["", *map(str, keys)])


def test_a_tolerance_relative_to_zero(folder):
    def change(data):
        data.update(relative_to_zero())

    loaded = load_changed(folder, change)
    finding = only(loaded)
    assert finding.check == "SUBMISSION-TOLERANCE-001"
    assert finding.where.pointer == OF_METRIC
    assert finding.evidence["also_at"] == ["/models/0/metric_values/0"]
    assert "absolute" in finding.fix
    assert loaded.submission is not None


def test_a_samples_own_tolerance_counts():
    assert found(relative_to_zero(type="absolute")) == {}
    assert found(relative_to_zero(type="relative")) == {OF_SAMPLE: ["/models/0/metric_values/0"]}


@pytest.mark.parametrize(("value", "usable"), [(0.0, False), (1e-300, True), (-1, True)])
def test_a_relative_tolerance_needs_a_value_that_is_not_zero(value, usable):
    data = relative_to_zero()
    put(data, "/models/0/metric_values/0/value", value)
    assert (found(data) == {}) is usable


def test_a_relative_tolerance_is_fine_where_no_sample_uses_it():
    data = relative_to_zero()
    data["samples"].pop(0)
    assert found(data) == {}


def test_a_tolerance_of_several_values_of_zero_is_one_problem():
    data = relative_to_zero()
    data["models"][0]["metric_values"].append({"metric": "top1", "vectors": "night", "value": 0})
    data["samples"][0]["metrics"].append({"metric": "top1", "vectors": "night"})
    places = ["/models/0/metric_values/0", "/models/0/metric_values/1"]
    assert found(data) == {OF_METRIC: places}
