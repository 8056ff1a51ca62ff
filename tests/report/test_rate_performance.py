from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from conformance.judging.grouped import Grouped
from conformance.plan.results import OriginalResult, ReconstructionResult
from conformance.report.measurements import Measurements
from conformance.report.rate_performance import rate_performance_block
from conformance.submission.values import Equivalence, LayerClaims, MetricUse, MetricValue
from tests.judging.found import (
    TOLERANCE,
    Known,
    about,
    layer,
    measured,
    merge,
    model,
    sample,
    submission,
    update,
    values,
    vectors,
)
from tests.results import made


def blocks(*samples, known: Known, found=(), complete: bool = True, **fields) -> list[dict]:
    of = submission(*samples, **fields)
    return rate_performance_block(of, Measurements(of, known), Grouped(found), complete=complete)


SMALL, LARGE = sample("small", 1000), sample("large", 2000)


def test_each_sample_is_a_point() -> None:
    (block,) = blocks(SMALL, LARGE, known=measured((SMALL, 0.8), (LARGE, 0.95)))
    assert block["points"] == [
        {
            "sample": "small",
            "layer": None,
            "family": "tensors",
            "size": 1000,
            "parameter_factor": 4.0,
            "value": 0.8,
            "loss": pytest.approx(0.1),
            "dominated_by": [],
        },
        {
            "sample": "large",
            "layer": None,
            "family": "tensors",
            "size": 2000,
            "parameter_factor": 2.0,
            "value": 0.95,
            "loss": pytest.approx(-0.05),
            "dominated_by": [],
        },
    ]
    assert block["transparent"] == {"sample": "large", "layer": None, "parameter_factor": 2.0}
    assert (block["model"], block["metric"], block["vectors"]) == ("m", "top1", "test")
    assert (block["direction"], block["reference"], block["noise_floor"]) == ("higher", 0.9, None)


@pytest.mark.parametrize(("used", "factors"), [(None, [None, None]), (9000, [8.0, 4.0])])
def test_factors_are_of_parameters_that_the_files_hold(used: int | None, factors: list) -> None:
    """Without evidence there is none; packed parameters count as the files store them."""
    (block,) = blocks(SMALL, LARGE, known=measured((SMALL, 0.8), (LARGE, 0.95), used=used))
    assert [point["parameter_factor"] for point in block["points"]] == factors
    assert block["transparent"]["sample"] == "large"


def test_points_stand_by_family_then_by_size() -> None:
    samples = [
        sample("a", 3000, family="z"),
        sample("b", 1000, family="z"),
        sample("c", 2000, family="a"),
    ]
    (block,) = blocks(*samples, known=measured(*((s, 0.9) for s in samples)))
    assert [point["sample"] for point in block["points"]] == ["c", "b", "a"]


def test_one_point_is_no_block() -> None:
    assert blocks(SMALL, LARGE, known=measured((SMALL, 0.8))) == []
    assert blocks(SMALL, LARGE, known=Known({})) == []


@pytest.mark.parametrize("value", ["nan", "inf", None])
def test_what_has_no_finite_value_is_no_point(value: object) -> None:
    other = sample("other", 500)
    known = measured((SMALL, 0.8), (LARGE, 0.9), (other, value))
    (block,) = blocks(SMALL, LARGE, other, known=known)
    assert [point["sample"] for point in block["points"]] == ["small", "large"]


def test_what_is_out_of_tolerance_is_a_point() -> None:
    (block,) = blocks(SMALL, LARGE, known=measured((SMALL, 0.1), (LARGE, 0.9)))
    assert [point["sample"] for point in block["points"]] == ["small", "large"]


def test_updates_and_merges_are_no_points() -> None:
    base = sample("base", 3000)
    derived = [update("a", "base"), update("b", None), merge("c", "a", "b")]
    known = measured((SMALL, 0.8), (base, 0.85), *((each, 0.9) for each in derived))
    (block,) = blocks(SMALL, base, *derived, known=known)
    assert [point["sample"] for point in block["points"]] == ["small", "base"]


def test_every_layer_is_a_point_of_its_cumulative_size() -> None:
    layers = (layer("base", 1000, "whole"), layer("fine", 500))
    scalable = sample("s", 1500, layers=layers)
    known = values(scalable, 0.8, part=0) | values(scalable, 0.88, part=1) | values(scalable, 0.88)
    (block,) = blocks(scalable, known=Known(known))
    points = [(p["sample"], p["layer"], p["size"], p["value"]) for p in block["points"]]
    assert points == [("s", "base", 1000, 0.8), ("s", "fine", 1500, 0.88)]
    assert [p["loss"] for p in block["points"]] == pytest.approx([0.1, 0.02])


def test_loss_of_a_layer_follows_the_direction() -> None:
    claims = LayerClaims(1000, 1000, (MetricValue("kl", "test", 0.0, 1e-6),))
    layers = (layer("base", 1000, "whole"), layer("fine", 500))
    scalable = sample("s", 1500, layers=tuple(replace(each, claims=claims) for each in layers))
    known = {}
    for part, value in enumerate((0.5, 0.25)):
        known |= values(scalable, value, "kl", part=part, reference=0.0)
    (block,) = blocks(scalable, known=Known(known))
    assert [point["loss"] for point in block["points"]] == [0.5, 0.25]


def lossless(verdict: str = "pass", **fields) -> dict:
    exact = sample("exact", 6000, lossless=True, metrics=(), **fields)
    (block,) = blocks(
        SMALL,
        LARGE,
        exact,
        known=measured((SMALL, 0.8), (LARGE, 0.85)),
        found=[about("SAMPLE-LOSSLESS-001", exact, verdict=verdict)],
    )
    return block


def test_a_proven_lossless_sample_has_the_value_of_the_original() -> None:
    block = lossless()
    (point,) = [p for p in block["points"] if p["sample"] == "exact"]
    assert (point["value"], point["loss"]) == (0.9, 0.0)
    assert block["transparent"]["sample"] == "exact"


@pytest.mark.parametrize("verdict", ["fail", "not-run", "error"])
def test_a_lossless_sample_that_is_not_proven_is_no_point(verdict: str) -> None:
    assert "exact" not in {point["sample"] for point in lossless(verdict)["points"]}


def test_a_lossless_sample_that_metrics_judge_is_one_point() -> None:
    exact = sample("exact", 6000, lossless=True, metrics=(MetricUse("top1", "test", TOLERANCE),))
    found = [about("SAMPLE-LOSSLESS-001", exact)]
    known = measured((SMALL, 0.8), (exact, 0.9))
    (block,) = blocks(SMALL, exact, known=known, found=found)
    assert [point["sample"] for point in block["points"]] == ["small", "exact"]


def test_noise_floor_makes_a_point_transparent() -> None:
    known = values(SMALL, 0.895) | values(LARGE, 0.9)
    known["original m@test"] = made(OriginalResult, {"metrics": {"top1": {"value": 0.9}}})
    known["original n@other"] = made(OriginalResult, {"metrics": {"top1": {"value": 0.91}}})
    here, there = vectors("test", "m"), vectors("other", "n")
    other = replace(model("n"), metric_values=(MetricValue("top1", "other", 0.91, 1e-6),))
    here = replace(here, equivalent_to=Equivalence("other", (), ()))
    models = {"models": (model(), other), "vectors": (here, there)}
    (block,) = blocks(SMALL, LARGE, known=Known(known), **models)
    assert block["noise_floor"] == pytest.approx(0.01)
    assert block["transparent"]["sample"] == "small"


def test_each_model_metric_and_vector_set_has_a_block() -> None:
    uses = tuple(MetricUse(metric, "test", TOLERANCE) for metric in ("top1", "kl"))
    both = [replace(each, metrics=uses) for each in (SMALL, LARGE)]
    other = [sample(f"o{i}", 100 + i, model="n") for i in range(2)]
    known = dict(pair for each in other for pair in values(each, 0.8).items())
    row = {"value": 0.8, "reference": 0.9}
    for each in both:
        known |= values(each, 0.8)
        metrics = {"metrics": {"top1": row, "kl": row}}
        known[f"reconstruction {each.id}@test"] = made(ReconstructionResult, metrics)
    found = blocks(*both, *other, known=Known(known), models=(model(), model("n")))
    assert [(b["model"], b["metric"]) for b in found] == [("m", "kl"), ("m", "top1"), ("n", "top1")]


def test_an_empty_sample_is_no_point() -> None:
    empty = sample("empty", 0)
    known = measured((SMALL, 0.8), (LARGE, 0.9), (empty, 0.9))
    (block,) = blocks(SMALL, LARGE, empty, known=known)
    assert len(block["points"]) == 2


FAMILIES = [
    sample(f"{family}{size}", size, family=family) for family in "cab" for size in (1000, 2000)
]


def test_every_two_families_are_compared_the_first_by_name_is_the_anchor() -> None:
    known = measured(*((s, s.size / 1e4) for s in FAMILIES))
    (block,) = blocks(*FAMILIES, known=known)
    pairs = [(delta["anchor"], delta["test"]) for delta in block["bjontegaard"]]
    assert pairs == [("a", "b"), ("a", "c"), ("b", "c")]
    assert all(delta["rate_percent"] == pytest.approx(0) for delta in block["bjontegaard"])
    assert all(delta["reason"] == "" for delta in block["bjontegaard"])


def test_while_a_run_is_under_way_no_delta_is_computed() -> None:
    known = measured(*((s, s.size / 1e4) for s in FAMILIES))
    (block,) = blocks(*FAMILIES, known=known, complete=False)
    (reason,) = {delta["reason"] for delta in block["bjontegaard"]}
    assert reason == "the run is not complete: more points may come"
    assert {delta["rate_percent"] for delta in block["bjontegaard"]} == {None}


def test_nothing_slow_is_imported_where_there_is_nothing_to_compare() -> None:
    code = (
        "import sys; from tests.judging.found import *;"
        "from conformance.report.rate_performance import rate_performance_block as block;"
        "from conformance.report.measurements import Measurements;"
        "from conformance.judging.grouped import Grouped;"
        "a, b, c = sample('a', 10), sample('b', 20), sample('c', 30, family='x');"
        "of, known = submission(a, b), measured((a, .1), (b, .2));"
        "assert block(of, Measurements(of, known), Grouped(()), complete=True);"
        "of, known = submission(a, b, c), measured((a, .1), (b, .2), (c, .3));"
        "assert block(of, Measurements(of, known), Grouped(()), complete=False);"
        "print({'matplotlib', 'scipy', 'bjontegaard'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
