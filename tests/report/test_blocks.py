"""The report of a target: what stands next to what, and how long it takes to gather it."""

from __future__ import annotations

import time
from pathlib import Path

from conformance.judging.run import Planned, Target
from conformance.report import validate_report
from conformance.report.blocks import report_of
from conformance.submission import Loaded
from conformance.submission.values import Sample
from conformance.verdicts import Finding
from tests.judging.found import (
    Known,
    about,
    layer,
    measured,
    merge,
    sample,
    submission,
    update,
    values,
)


def target(samples: list[Sample], found: list[tuple[Planned, Finding]]) -> Target:
    loaded = Loaded(Path(), "s", submission(*samples), (), {}, "0" * 64)
    made = Target("s", loaded, tuple(planned for planned, _ in found))
    for planned, finding in found:
        made.record(planned.test, [finding])
    return made


def report(samples: list[Sample], known: Known, found: list | None = None) -> dict:
    given = target(samples, found or [])
    made = report_of(given, results=known, waivers=(), environment={}, complete=True)
    validate_report(made)
    return made


def judged(*samples: Sample) -> Known:
    values = (0.8 + 0.1 * number / len(samples) for number in range(len(samples)))
    return measured(*zip(samples, values, strict=True))


def test_report_compares_samples_steps_and_layers() -> None:
    scalable = sample("s", 1500, layers=(layer("base", 1000, "whole"), layer("fine", 500)))
    plain = [sample("a", 1000), sample("b", 2000, family="other")]
    tree = [update("u", "a"), update("v", "a"), merge("w", "u", "v")]
    pairs = [(each, 0.8) for each in (*plain, *tree)]
    known = measured(*pairs).results | values(scalable, 0.9) | values(scalable, 0.5, part=0)
    made = report([*plain, *tree, scalable], Known(known))
    (curve,) = made["rate_performance"]
    labels = [(point["sample"], point["layer"]) for point in curve["points"]]
    assert sorted(labels, key=str) == [("a", None), ("b", None), ("s", "base"), ("s", "fine")]
    assert [step["sample"] for step in made["updates"][0]["steps"]] == ["a", "u", "v", "w"]
    assert [each["sample"] for each in made["layered"]] == ["s"]


def test_report_of_unconnected_samples_has_empty_blocks() -> None:
    made = report([sample("a")], judged(sample("a")))
    assert [made[name] for name in ("rate_performance", "updates", "layered")] == [[], [], []]


def test_the_blocks_are_the_same_bytes_every_time() -> None:
    samples = [sample(f"a{i}", 1000 + i, family="xy"[i % 2]) for i in range(6)]
    blocks = [report(samples, judged(*samples))["rate_performance"] for _ in range(2)]
    assert blocks[0] == blocks[1]


def test_tables_have_what_was_measured_whatever_was_found() -> None:
    small = sample("a", 1000)
    found = [about("METRIC-DELTA-001", small, verdict="not-run")]
    made = report([small], judged(small), found)
    assert made["verdict"] == "incomplete"
    assert [row["value"] for row in made["samples"][0]["metrics"]] == [0.8]


def test_a_report_takes_time_by_the_number_of_samples_and_no_more() -> None:
    def seconds(amount: int) -> float:
        samples = [sample(f"a{i}", 1000 + i) for i in range(amount)]
        made, known = (
            target(samples, [about("SAMPLE-RUN-001", s) for s in samples]),
            judged(*samples),
        )
        started = time.process_time()
        report_of(made, results=known, waivers=(), environment={}, complete=True)
        return time.process_time() - started

    few, many = (min(seconds(amount) for _ in range(3)) for amount in (250, 1000))
    assert many < 12 * max(few, 0.01)
