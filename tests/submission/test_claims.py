"""Which values must be claimed, and how widely a claim may be met."""

import copy

import pytest

from conformance.submission.claims import find_missing_claims
from conformance.submission.tolerances import (
    AS_WRITTEN,
    find_empty_tolerances,
    widest_of_value,
)
from tests.submission import builder
from tests.submission.builder import at, put
from tests.submission.chains import layered
from tests.submission.test_loading import load_changed, only

OWNERS = {
    "original": "/models/0/metric_values",
    "sample": "/samples/0/claims/metric_values",
    "layer": "/samples/2/layers/1/claims/metric_values",
}
BOUND = 0.02
"""The bound of the metric that the samples of the builder are judged by."""


def valid():
    data = builder.valid()
    layered(data)
    return data


def judged_by(data, **tolerance):
    """Let every sample that is judged have its own tolerance of this kind."""
    for sample in data["samples"]:
        for use in sample["metrics"]:
            use["tolerance"] = {"type": "absolute", "inclusive": True, **tolerance}
    return data


def refused(data):
    """Return the tolerances that are too wide, by their place."""
    return {"/".join(["", *map(str, each.pointer)]): each for each in find_empty_tolerances(data)}


@pytest.mark.parametrize("owner", OWNERS)
def test_each_metric_that_decides_needs_a_value(folder, owner):
    def change(data):
        layered(data)
        data["metrics"].append({**copy.deepcopy(data["metrics"][0]), "id": "mse"})
        put(data, f"{OWNERS[owner]}/0/metric", "mse")

    finding = only(load_changed(folder, change))
    assert finding.check == "SUBMISSION-CLAIM-001"
    assert finding.where.pointer == OWNERS[owner]
    assert finding.where.line is not None
    assert f"for the {owner}" in finding.message
    assert "is judged by" in finding.expected
    assert finding.found == '"mse on test"'
    assert "nnr-conformance measure DIR ID" in finding.fix


def test_one_of_several_values_is_missed():
    data = valid()
    data["metrics"].append({**copy.deepcopy(data["metrics"][0]), "id": "mse"})
    for sample in data["samples"][1:]:
        sample["metrics"] = []
    data["samples"][0]["metrics"].append({"metric": "mse", "vectors": "test"})
    found = [each.message for each in find_missing_claims(data)]
    assert found == [
        'no value of "mse" on "test" is claimed for the sample',
        'no value of "mse" on "test" is declared for the original',
    ]


@pytest.mark.parametrize(
    ("use", "model"),
    [
        ({"metric": "nothing", "vectors": "test"}, "net"),
        ({"metric": "top1", "vectors": "nothing"}, "net"),
        ({"metric": "top1", "vectors": "nothing"}, None),
        ({"metric": "top1", "vectors": "of-another"}, "net"),
    ],
    ids=["metric", "vectors", "vectors-and-model", "vectors-of-another-model"],
)
def test_a_use_that_refers_to_the_wrong_thing_needs_no_value(use, model):
    data = valid()
    data["vectors"].append({**copy.deepcopy(data["vectors"][0]), "id": "of-another", "model": "x"})
    data["samples"][0]["metrics"].append(use)
    data["samples"][0]["model"] = model
    assert list(find_missing_claims(data)) == []


def test_a_lossless_sample_that_names_no_metric_needs_no_value():
    data = valid()
    del data["samples"][2], data["samples"][0]
    for owner in (data["models"][0], data["samples"][0]["claims"]):
        owner["metric_values"] = []
    assert list(find_missing_claims(data)) == []


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize(
    ("tolerance", "widest"),
    [
        ({"type": "absolute", "bound": BOUND}, 0.05 * BOUND),
        ({"type": "absolute", "bound": 0.004}, 0.05 * 0.004),
        ({"type": "relative", "bound": 0.1}, 0.05 * 0.1 * 0.97),
        ({"type": "absolute", "bound": 0.004, "inclusive": False}, 0.05 * 0.004),
    ],
    ids=["default", "own", "relative", "exclusive"],
)
def test_a_value_is_met_within_a_part_of_the_accepted_loss(owner, tolerance, widest):
    data, pointer = judged_by(valid(), **tolerance), f"{OWNERS[owner]}/0/tolerance"
    put(data, pointer, widest * 0.999)
    assert refused(data) == {}
    put(data, pointer, widest * 1.001)
    (problem,) = refused(data).values()
    assert pointer in refused(data)
    assert problem.check == "SUBMISSION-TOLERANCE-001"
    assert f"at most {widest:.10g}: 5% of the loss of {widest * 20:.10g}" in problem.expected
    assert f'"tolerance": {widest:.10g} or less' in problem.fix


def test_the_tightest_tolerance_in_use_counts_and_others_do_not():
    data = valid()
    put(data, "/metrics/0/tolerance/bound", 1.0)
    judged_by(data, bound=BOUND)
    put(data, "/samples/2/metrics/0/tolerance/bound", BOUND / 10)
    put(data, f"{OWNERS['sample']}/0/tolerance", 0.05 * BOUND / 10 * 1.001)
    assert list(refused(data)) == [f"{OWNERS['sample']}/0/tolerance"]


@pytest.mark.parametrize("owner", OWNERS)
def test_where_no_loss_is_accepted_it_is_a_part_of_the_value(owner):
    data, pointer = judged_by(valid(), bound=0), f"{OWNERS[owner]}/0"
    value = at(data, pointer)["value"]
    put(data, f"{pointer}/tolerance", 0.05 * value * 0.999)
    assert refused(data) == {}
    put(data, f"{pointer}/tolerance", 0.05 * value * 1.001)
    (problem,) = refused(data).values()
    assert "5% of the value" in problem.expected


def test_the_tolerance_that_holds_where_none_is_declared_may_be_too_wide():
    data = judged_by(valid(), bound=1e-6)
    problem = refused(data)[f"{OWNERS['layer']}/0"]
    assert problem.found == "1e-06, which holds where none is declared"
    assert '"tolerance": 5e-08 or less' in problem.fix


def test_a_tolerance_as_a_message_writes_it_is_accepted():
    data = judged_by(valid(), bound=1 / 3)
    put(data, f"{OWNERS['sample']}/0/tolerance", float(f"{0.05 / 3:.10g}"))
    assert refused(data) == {}


def test_a_tolerance_on_the_edge_is_accepted():
    data = judged_by(valid(), bound=BOUND)
    put(data, f"{OWNERS['sample']}/0/tolerance", widest_of_value(0.96, BOUND) * AS_WRITTEN)
    assert refused(data) == {}


def test_a_small_value_without_an_accepted_loss_may_differ_in_its_last_digits():
    assert widest_of_value(0.0, 0.0) == 1e-6
    assert widest_of_value(-2.0, 0.0) == 0.1


@pytest.mark.parametrize(("rtol", "holds"), [(0.05, True), (0.0501, False)])
def test_outputs_are_met_within_a_part_of_themselves(rtol, holds):
    data = valid()
    put(data, "/vectors/0/output_tolerance/rtol", rtol)
    assert list(refused(data)) == ([] if holds else ["/vectors/0/output_tolerance/rtol"])


@pytest.mark.parametrize("wrong", [True, "0.1", None, [], {}], ids=str)
@pytest.mark.parametrize("bound", [0, BOUND])
@pytest.mark.parametrize("key", ["value", "tolerance"])
def test_a_claim_of_what_is_no_number_is_left_to_the_schema(key, bound, wrong):
    data = judged_by(valid(), bound=bound)
    claim = {**at(data, f"{OWNERS['sample']}/0"), "tolerance": 0.04, key: wrong}
    put(data, f"{OWNERS['sample']}/0", claim)
    assert refused(data) == {}


@pytest.mark.parametrize("wrong", [True, "0.1", None, [], {}], ids=str)
def test_what_is_no_number_is_no_bound(wrong):
    data = judged_by(valid(), bound=wrong)
    put(data, f"{OWNERS['sample']}/0/tolerance", 0.047)
    put(data, "/vectors/0/output_tolerance/rtol", wrong)
    assert refused(data) == {}
    put(data, "/samples/2/metrics/0/tolerance/bound", BOUND)
    assert list(refused(data)) == [f"{OWNERS['sample']}/0/tolerance"]


@pytest.mark.parametrize(
    "other",
    [{"bound": 0}, {"bound": float("inf")}, {"bound": 0.0, "type": "relative"}],
    ids=["none", "infinite", "none-relative"],
)
def test_a_tolerance_that_accepts_no_loss_or_any_says_nothing_of_a_claim(other):
    data, pointer = judged_by(valid(), **other), f"{OWNERS['sample']}/0/tolerance"
    put(data, pointer, 0.05 * 0.96 * 0.999)
    assert refused(data) == {}
    put(data, pointer, 0.05 * 0.96 * 1.001)
    assert list(refused(data)) == [pointer]
    put(data, "/samples/2/metrics/0/tolerance", {"type": "absolute", "bound": BOUND})
    put(data, pointer, 0.05 * BOUND * 1.001)
    assert list(refused(data)) == [pointer]


def test_a_relative_bound_without_a_value_of_the_original_says_nothing_of_a_claim():
    data = judged_by(valid(), type="relative", bound=1e-4)
    put(data, f"{OWNERS['sample']}/0/tolerance", 0.05 * 0.96 * 0.999)
    data["models"][0]["metric_values"] = []
    assert refused(data) == {}


def test_a_claim_of_an_unknown_metric_hides_no_other():
    data = judged_by(valid(), bound=BOUND)
    claims = at(data, OWNERS["sample"])
    claims[0]["tolerance"] = 1.0
    claims.insert(0, {**claims[0], "metric": "nothing"})
    assert list(refused(data)) == [f"{OWNERS['sample']}/1/tolerance"]


@pytest.mark.parametrize("wrong", [[], {}, [[]], None, 5, ""])
@pytest.mark.parametrize("key", ["metric", "vectors"])
@pytest.mark.parametrize("owner", OWNERS)
def test_a_claim_of_what_is_no_name_is_left_to_the_schema(owner, key, wrong):
    data = valid()
    at(data, f"{OWNERS[owner]}/0")[key] = wrong
    assert refused(data) == {}
    assert list(find_missing_claims(data)) == []
