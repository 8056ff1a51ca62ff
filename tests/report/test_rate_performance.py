from __future__ import annotations

import subprocess
import sys

import pytest

from conformance.judging.grouped import Grouped
from conformance.report.rate_performance import rate_performance_block
from conformance.submission.values import MetricUse
from tests.judging.found import (
    TOLERANCE,
    about,
    layer,
    measured,
    merge,
    model,
    row,
    sample,
    submission,
    update,
)


def blocks(*samples, grouped: Grouped, complete: bool = True, **fields) -> list[dict]:
    return rate_performance_block(submission(*samples, **fields), grouped, complete=complete)


SMALL, LARGE = sample("small", 1000), sample("large", 2000)


def test_each_sample_is_a_point() -> None:
    (block,) = blocks(SMALL, LARGE, grouped=measured((SMALL, 0.8), (LARGE, 0.95)))
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
    (block,) = blocks(SMALL, LARGE, grouped=measured((SMALL, 0.8), (LARGE, 0.95), used=used))
    assert [point["parameter_factor"] for point in block["points"]] == factors
    assert block["transparent"]["sample"] == "large"


def test_points_stand_by_family_then_by_size() -> None:
    samples = [
        sample("a", 3000, family="z"),
        sample("b", 1000, family="z"),
        sample("c", 2000, family="a"),
    ]
    (block,) = blocks(*samples, grouped=measured(*((s, 0.9) for s in samples)))
    assert [point["sample"] for point in block["points"]] == ["c", "b", "a"]


def test_one_point_is_no_block() -> None:
    assert blocks(SMALL, LARGE, grouped=measured((SMALL, 0.8))) == []
    assert blocks(SMALL, LARGE, grouped=Grouped([])) == []


@pytest.mark.parametrize("value", ["nan", "inf", None])
def test_what_has_no_finite_value_is_no_point(value: object) -> None:
    other = sample("other", 500)
    grouped = measured((SMALL, 0.8), (LARGE, 0.9), (other, value))
    (block,) = blocks(SMALL, LARGE, other, grouped=grouped)
    assert [point["sample"] for point in block["points"]] == ["small", "large"]


def test_a_failed_delta_has_a_point_and_a_delta_without_value_none() -> None:
    failed = about("METRIC-DELTA-001", SMALL, row(0.1), "fail")
    passed = about("METRIC-DELTA-001", LARGE, row(0.9))
    silent = about("METRIC-DELTA-001", sample("silent"), {}, "error")
    (block,) = blocks(SMALL, LARGE, sample("silent"), grouped=Grouped([failed, passed, silent]))
    assert [point["sample"] for point in block["points"]] == ["small", "large"]


def test_updates_and_merges_are_no_points() -> None:
    base = sample("base", 3000)
    derived = [update("a", "base"), update("b", None), merge("c", "a", "b")]
    grouped = measured((SMALL, 0.8), (base, 0.85), *((each, 0.9) for each in derived))
    (block,) = blocks(SMALL, base, *derived, grouped=grouped)
    assert [point["sample"] for point in block["points"]] == ["small", "base"]


def test_every_layer_is_a_point_of_its_cumulative_size() -> None:
    layers = (layer("base", 1000, "whole"), layer("fine", 500))
    scalable = sample("s", 1500, layers=layers)
    found = [
        about("LAYER-METRIC-001", scalable, {**row(0.8), "layer": "base"}),
        about("LAYER-METRIC-001", scalable, {**row(0.88), "layer": "fine"}),
        about("METRIC-DELTA-001", scalable, row(0.88)),
    ]
    (block,) = blocks(scalable, grouped=Grouped(found))
    points = [(p["sample"], p["layer"], p["size"], p["value"]) for p in block["points"]]
    assert points == [("s", "base", 1000, 0.8), ("s", "fine", 1500, 0.88)]
    assert [p["loss"] for p in block["points"]] == pytest.approx([0.1, 0.02])


def test_loss_of_a_layer_follows_the_direction() -> None:
    scalable = sample("s", 1500, layers=(layer("base", 1000, "whole"), layer("fine", 500)))
    found = []
    for name, value in (("base", 0.5), ("fine", 0.25)):
        given = row(value, "mse", "lower", reference=0.0)
        del given["loss"]
        found.append(about("LAYER-METRIC-001", scalable, {**given, "layer": name}))
    (block,) = blocks(scalable, grouped=Grouped(found))
    assert [point["loss"] for point in block["points"]] == [0.5, 0.25]


def lossless(verdict: str = "pass", **fields) -> tuple:
    exact = sample("exact", 6000, lossless=True, metrics=(), **fields)
    found = [
        about("METRIC-DELTA-001", SMALL, row(0.8)),
        about("METRIC-DELTA-001", LARGE, row(0.85)),
        about("SAMPLE-LOSSLESS-001", exact, verdict=verdict),
    ]
    return exact, Grouped(found)


def test_a_proven_lossless_sample_has_the_value_of_the_original() -> None:
    exact, grouped = lossless()
    (block,) = blocks(SMALL, LARGE, exact, grouped=grouped)
    (point,) = [p for p in block["points"] if p["sample"] == "exact"]
    assert (point["value"], point["loss"]) == (0.9, 0.0)
    assert block["transparent"]["sample"] == "exact"


@pytest.mark.parametrize("verdict", ["fail", "not-run", "waived", "error"])
def test_a_lossless_sample_that_is_not_proven_is_no_point(verdict: str) -> None:
    exact, grouped = lossless(verdict)
    (block,) = blocks(SMALL, LARGE, exact, grouped=grouped)
    assert "exact" not in {point["sample"] for point in block["points"]}


def test_a_lossless_sample_that_metrics_judge_is_one_point() -> None:
    exact, _ = lossless()
    exact = sample("exact", 6000, lossless=True, metrics=(MetricUse("top1", "test", TOLERANCE),))
    found = [
        about("METRIC-DELTA-001", SMALL, row(0.8)),
        about("METRIC-DELTA-001", exact, row(0.9)),
        about("SAMPLE-LOSSLESS-001", exact),
    ]
    (block,) = blocks(SMALL, exact, grouped=Grouped(found))
    assert [point["sample"] for point in block["points"]] == ["small", "exact"]


def test_noise_floor_makes_a_point_transparent() -> None:
    found = [
        about("METRIC-DELTA-001", SMALL, row(0.895)),
        about("METRIC-DELTA-001", LARGE, row(0.9)),
        about("METRIC-NOISE-001", LARGE, {**row(0.9), "noise_floor": 0.01}),
    ]
    (block,) = blocks(SMALL, LARGE, grouped=Grouped(found))
    assert block["noise_floor"] == 0.01
    assert block["transparent"]["sample"] == "small"


def test_each_model_metric_and_vector_set_has_a_block() -> None:
    other = [sample(f"o{i}", 100 + i, model="n") for i in range(2)]
    found = [about("METRIC-DELTA-001", s, row(0.8)) for s in (SMALL, LARGE, *other)]
    found += [about("METRIC-DELTA-001", s, row(0.1, "kl", "lower")) for s in (SMALL, LARGE)]
    made = blocks(SMALL, LARGE, *other, grouped=Grouped(found), models=(model(), model("n")))
    assert [(b["model"], b["metric"]) for b in made] == [("m", "kl"), ("m", "top1"), ("n", "top1")]


def test_an_empty_sample_is_no_point() -> None:
    empty = sample("empty", 0)
    grouped = measured((SMALL, 0.8), (LARGE, 0.9), (empty, 0.9))
    (block,) = blocks(SMALL, LARGE, empty, grouped=grouped)
    assert len(block["points"]) == 2


FAMILIES = [
    sample(f"{family}{size}", size, family=family) for family in "cab" for size in (1000, 2000)
]


def test_every_two_families_are_compared_the_first_by_name_is_the_anchor() -> None:
    grouped = measured(*((s, s.size / 1e4) for s in FAMILIES))
    (block,) = blocks(*FAMILIES, grouped=grouped)
    pairs = [(delta["anchor"], delta["test"]) for delta in block["bjontegaard"]]
    assert pairs == [("a", "b"), ("a", "c"), ("b", "c")]
    assert all(delta["rate_percent"] == pytest.approx(0) for delta in block["bjontegaard"])
    assert all(delta["reason"] == "" for delta in block["bjontegaard"])


def test_while_a_run_is_under_way_no_delta_is_computed() -> None:
    grouped = measured(*((s, s.size / 1e4) for s in FAMILIES))
    (block,) = blocks(*FAMILIES, grouped=grouped, complete=False)
    (reason,) = {delta["reason"] for delta in block["bjontegaard"]}
    assert reason == "the run is not complete: more points may come"
    assert {delta["rate_percent"] for delta in block["bjontegaard"]} == {None}


def test_nothing_slow_is_imported_where_there_is_nothing_to_compare() -> None:
    code = (
        "import sys; from tests.judging.found import *;"
        "from conformance.report.rate_performance import rate_performance_block as block;"
        "a, b = sample('a', 10), sample('b', 20);"
        "assert block(submission(a, b), measured((a, .1), (b, .2)), complete=True);"
        "c = sample('c', 30, family='x');"
        "block(submission(a, b, c), measured((a, .1), (b, .2), (c, .3)), complete=False);"
        "print({'matplotlib', 'scipy', 'bjontegaard'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
