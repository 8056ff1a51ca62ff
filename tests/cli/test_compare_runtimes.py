"""`compare-runtimes` and `localise`, as a user sees them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from conformance.cli.localising import localise
from conformance.cli.main import app
from conformance.verdicts import ConformanceError
from tests import tiny_submission
from tests.jobs.bench import add_sample
from tests.jobs.two_formats import add_noise, add_turned


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNR_CONFORMANCE_CACHE", str(tmp_path / "cache"))


def run(*arguments: object):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_formats_that_agree_give_a_table_and_exit_0(tiny: Path) -> None:
    add_turned(tiny)
    done = run("compare-runtimes", tiny)
    assert done.exit_code == 0, done.output
    assert "| turned | onnx | linear | scores |" in done.output
    assert "agrees" in done.output
    assert "| distance | 0 | 0 | 0 | 0.0001 absolute |" in done.output


def test_formats_that_do_not_agree_exit_1(tiny: Path) -> None:
    add_turned(tiny, change=0.25)
    done = run("compare-runtimes", tiny)
    assert done.exit_code == 1
    assert "120 values differ by more" in done.output
    assert re.search(r"\| distance \| 0 \| 0\.06\d+ \| 0\.0625 \|", done.output), done.output


def test_a_network_in_one_format_has_nothing_to_compare(tiny: Path) -> None:
    done = run("compare-runtimes", tiny)
    assert done.exit_code == 3
    assert "nothing to compare" in done.output


def with_one_bad_tensor(tiny: Path) -> None:
    arrays = tiny_submission.weights()
    arrays["fc.weight"] = arrays["fc.weight"] + np.float32(0.5)
    arrays["fc.bias"] = arrays["fc.bias"] + np.float32(1e-6)
    add_sample(tiny, "bad", arrays)


def test_the_parameter_that_carries_the_loss_is_found(tiny: Path) -> None:
    with_one_bad_tensor(tiny)
    done = run("localise", tiny, "bad", "--metric", "distance")
    assert done.exit_code == 0, done.output
    table = [line for line in done.stdout.splitlines() if line.endswith("fc.weight")]
    assert len(table) == 1
    assert "100%" in table[0]
    assert "fc.bias (not divided, negligible together)" in done.stdout
    assert "all 2 parameters: loss" in done.stderr


def test_without_time_the_rest_is_named(tiny: Path) -> None:
    with_one_bad_tensor(tiny)
    done = run("localise", tiny, "bad", "--metric", "distance", "--seconds", 0)
    assert "NOT DIVIDED: time was up" in done.stdout


@pytest.mark.parametrize(
    ("sample", "metric", "text"),
    [
        ("nothing", None, "there is no sample 'nothing'"),
        ("exact", None, "nothing can be lost"),
        ("half", "bleu", "is not judged by 'bleu'"),
        ("half-onnx", None, "cannot be swapped"),
    ],
    ids=["unknown sample", "lossless sample", "unknown metric", "sample that is a network"],
)
def test_what_cannot_be_localised_is_told(tiny: Path, sample, metric, text) -> None:
    done = run("localise", tiny, sample, *(["--metric", metric] if metric else []))
    assert isinstance(done.exception, ConformanceError)
    assert text in str(done.exception)


def told(names, weights, **more):
    runs: list[tuple[str, ...]] = []

    def loss(group):
        runs.append(group)
        return sum(weights.get(name, 0.0) for name in group)

    return localise(names, loss, seconds=60, tell=lambda _: None, **more), runs


def test_only_groups_that_matter_are_divided() -> None:
    names = [f"p{index}" for index in range(64)]
    found, runs = told(names, {"p5": 1.0, "p40": 0.25})
    assert [part.names for part in found.singles] == [("p5",), ("p40",)]
    assert len(runs) == found.runs < 30
    assert sorted(n for part in (*found.singles, *found.negligible) for n in part.names) == sorted(
        names
    )


def test_a_gain_is_followed_as_a_loss_is() -> None:
    found, _ = told(["a", "b", "c"], {"a": 1.0, "c": -0.5})
    assert [(part.names[0], part.loss) for part in found.singles] == [("a", 1.0), ("c", -0.5)]


def test_the_report_has_errors_and_noise_floor(tiny: Path, tmp_path: Path) -> None:
    add_turned(tiny)
    run_suites = run("run", tiny, "--report", tmp_path / "reports")
    report = json.loads((tmp_path / "reports" / "tiny" / "report.json").read_text("utf-8"))
    half = next(s for s in report["samples"] if s["id"] == "half")
    assert {row["name"] for row in half["parameters"]} == {"fc.weight", "fc.bias"}
    assert all(row["max_abs_error"] > 0 for row in half["parameters"])
    assert [row["noise_floor"] for row in half["metrics"]] == [0.0]
    page = (tmp_path / "reports" / "tiny" / "report.html").read_text("utf-8")
    assert "noise floor 0" in page
    assert "Errors of the parameters" in page
    assert run_suites.exit_code in (0, 1, 3)


def test_a_tolerance_below_the_noise_floor_is_a_warning_and_no_more(
    tiny: Path, tmp_path: Path
) -> None:
    add_noise(tiny, add_turned(tiny), 0.25)
    run("run", tiny, "--report", tmp_path / "reports")
    report = json.loads((tmp_path / "reports" / "tiny" / "report.json").read_text("utf-8"))
    noisy = [f for f in report["findings"] if f["check"] == "METRIC-NOISE-001"]
    warned = [f for f in noisy if f["verdict"] == "fail"]
    assert {f["subject"] for f in warned} == {"tiny/half/error", "tiny/half-onnx/error"}
    assert all(f["required"] is False for f in noisy)
    assert "0.25" in warned[0]["expected"]
    required = [f for f in report["findings"] if f["required"] and f["verdict"] == "fail"]
    assert {f["check"] for f in required} <= {"METRIC-CONTROL-001"}


def test_a_metric_that_one_format_is_not_measured_by_has_no_noise_floor(tiny: Path) -> None:
    metadata = add_turned(tiny)
    metadata["models"][1]["metric_values"][0]["vectors"] = "turned"
    add_noise(tiny, metadata, 0.0)
    metadata["models"][1]["metric_values"] = metadata["models"][1]["metric_values"][:1]
    tiny_submission.save(tiny, metadata)
    done = run("compare-runtimes", tiny)
    assert done.exit_code == 0, done.output
    assert "| error |" not in done.output or "| error | 0 |  |" in done.output


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_loss_that_is_no_number_is_followed_to_its_parameter(value: float) -> None:
    names = list("abcdefgh")
    found = localise(
        names, lambda group: value if "c" in group else 0.0, seconds=60, tell=lambda _: None
    )
    assert [part.names for part in found.singles] == [("c",)]
    assert not found.unfinished
