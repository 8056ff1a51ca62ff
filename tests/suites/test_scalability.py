"""The suite of layers: each check on evidence just inside and just outside of what it accepts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.plan.subjects import (
    LayerRunSubject,
    LayerStepSubject,
    LayerSubject,
    LayerValueSubject,
    Subject,
    subjects,
)
from conformance.submission import load
from conformance.submission.values import (
    LayerClaims,
    Metric,
    MetricUse,
    MetricValue,
    OutputTolerance,
    Shard,
    Tolerance,
    VectorSet,
)
from conformance.verdicts import CaseTimeoutError, Location, NotRunError, Verdict
from tests import tiny_submission
from tests.judged import assert_found, case, concluded, judge_of, only
from tests.judging.found import layer, sample, sample_subject

JSON = "submission.json"
TOP1 = Metric("top1", "top-k-accuracy", "", "higher", Tolerance("absolute", 0.125))
VECTORS = VectorSet("test", "m", "d", True, (Shard(40, (), (), ()),), OutputTolerance(0.1, 0.1))
LAYERS = (layer("l0", 600), replace(layer("l1", 300), claims=LayerClaims(300, 900, ())))
SCALABLE = sample("scalable", 900, layers=LAYERS)
WHOLE = sample_subject(SCALABLE)
LAYER = WHOLE.narrowed(
    LayerSubject, id="s/scalable/l1", pointer="/samples/0/layers/1", layer=LAYERS[1], part=1
)
FILE, WHOLE_FILE = Location("l1.bin"), Location("scalable.bin")
FINITE, INFINITE = {"non_finite": 0}, {"non_finite": 1}
STATE = {
    "identity": {"wrong": []},
    "coverage": [],
    "usable": True,
    "held": 1,
    "differing": 1,
    "tensors": {"a": FINITE, "b": FINITE},
}
WRONG = {"expected": "depth 0", "found": "depth 1", "where": {"file": "l1.bin", "byte_offset": 8}}
MISFIT = {
    "tensor": "a",
    "file": "l1.bin",
    "message": "tensor 'a' has a different shape",
    "expected": "[3]",
    "found": "[4]",
    "fix": "transpose it",
}
LAYERING = {"differing": [], "altered": [], "behind": None, "size": 900, "units": 0, "tensors": 2}


def state(**facts: Any) -> dict[str, Any]:
    return {"state": {**STATE, **facts}}


def layering(**facts: Any) -> dict[str, Any]:
    return {"layering": {**LAYERING, **facts}}


def sizes(*measured: int) -> Any:
    return lambda job: {"size": measured[job.part]}


def names(count: int) -> list[str]:
    return [f"w{number}" for number in range(1, count + 1)]


def not_finite(count: int) -> dict[str, Any]:
    return state(tensors=dict.fromkeys(reversed(names(count)), INFINITE))


RUN = LAYER.narrowed(LayerRunSubject, vectors=VECTORS)
RAN = {"batch_size": 8, "settings": {}, "items": 40}


def valued(value: float, before: float = 0.5) -> dict[str, Any]:
    row = {"value": value, "reference": 0.5}
    return {
        "reconstruction": {**RAN, "metrics": {"top1": row}},
        "reconstruction scalable#0@test": {**RAN, "metrics": {"top1": {"value": before}}},
    }


DECLARED = RUN.narrowed(
    LayerValueSubject, metric=TOP1, declared=MetricValue("top1", "test", 0.5, 0.01)
)
CHANGED = RUN.narrowed(
    LayerStepSubject, metric=TOP1, use=MetricUse("top1", "test", Tolerance("absolute", 0.125))
)
SPREAD = {"median": 2.0, "low": 1.0, "high": 3.0}
COST = {"seconds": SPREAD, "peak_bytes": SPREAD}
DIRECT = {"ran_on": 40, "items": 30, "rounds": 7, "original": COST, "compressed": COST}
ROW = {
    "tensor": "fc.bias",
    "stored_bytes": 12,
    "bytes_read": 100,
    "sha256": "a",
    "whole_sha256": "a",
}
ACCESS = {"file_bytes": 112, "payload_bytes": 12, "count": 1, "tensors": [ROW]}


def access(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"access": {**ACCESS, "tensors": [{**ROW, **each} for each in rows]}}


@pytest.mark.parametrize(
    ("check", "subject", "found", "verdict", "fields"),
    [
        case("decodes", "LAYER-DECODE-001", LAYER, state(), message="1 tensors decoded, 2 in all"),
        case(
            "names-another-parent",
            "LAYER-DECODE-001",
            LAYER,
            state(identity={"wrong": [WRONG]}),
            "fail",
            expected="depth 0",
            found="depth 1",
            where=Location("l1.bin", byte_offset=8),
        ),
        case(
            "does-not-fit",
            "LAYER-DECODE-001",
            LAYER,
            state(coverage=[MISFIT]),
            "fail",
            where=replace(FILE, element="a"),
        ),
        case(
            "adds-nothing",
            "LAYER-DECODE-001",
            LAYER,
            state(differing=0),
            "fail",
            found="1 tensors in the layer, all zero or as they were",
            where=FILE,
        ),
        case(
            "is-empty",
            "LAYER-DECODE-001",
            LAYER,
            state(held=0, differing=0),
            "fail",
            found="no tensors in the layer",
        ),
        case(
            "what-it-adds-is-not-known", "LAYER-DECODE-001", LAYER, state(usable=False, differing=0)
        ),
        case("nothing-is-before-the-first", "LAYER-DECODE-001", LAYER, state(differing=None)),
        case(
            "five-not-finite",
            "LAYER-DECODE-001",
            LAYER,
            not_finite(5),
            "fail",
            message="5 tensors",
            found="w1, w2, w3, w4, w5",
            where=replace(FILE, element="w1"),
        ),
        case(
            "six-not-finite",
            "LAYER-DECODE-001",
            LAYER,
            not_finite(6),
            "fail",
            message="6 tensors",
            found="w1, w2, w3, w4, w5",
        ),
        case("same", "LAYER-BASE-001", WHOLE, layering(), message="2 tensors of the base layer"),
        case(
            "same-without-the-rest",
            "LAYER-BASE-001",
            WHOLE,
            layering(behind=True),
            message="overwritten",
        ),
        case(
            "depends-on-the-rest",
            "LAYER-BASE-001",
            WHOLE,
            layering(behind=False),
            "fail",
            where=WHOLE_FILE,
        ),
        case(
            "differs-together",
            "LAYER-BASE-001",
            WHOLE,
            layering(differing=["l1"]),
            "fail",
            message="'l1'",
            where=WHOLE_FILE,
        ),
        case(
            "six-altered",
            "LAYER-BASE-001",
            WHOLE,
            layering(altered=names(6)),
            "fail",
            found="w1, w2, w3, w4, w5",
            where=WHOLE_FILE,
        ),
        case(
            "one-byte-in-no-layer",
            "LAYER-BASE-001",
            WHOLE,
            layering(size=899),
            "fail",
            expected="900 bytes in all layers",
            found="899 bytes",
            where=Location(JSON, "/samples/0/layers"),
            fix="every file",
        ),
        case(
            "one-unit-in-no-layer",
            "LAYER-BASE-001",
            WHOLE,
            layering(size=899, units=4),
            "fail",
            fix="every unit (0 to 3)",
        ),
        case(
            "sizes",
            "LAYER-SIZE-001",
            LAYER,
            sizes(600, 300),
            evidence={"layer": "l1", "size": 300, "cumulative_size": 900},
        ),
        case(
            "one-byte-more-before",
            "LAYER-SIZE-001",
            LAYER,
            sizes(601, 300),
            "fail",
            message="claimed cumulative_size",
            expected="900, as claimed",
            found="901",
            where=Location(JSON, "/samples/0/layers/1/claims/cumulative_size"),
            fix="claim 901",
        ),
        case(
            "one-byte-moved",
            "LAYER-SIZE-001",
            LAYER,
            sizes(601, 299),
            "fail",
            message="claimed size",
            found="299",
        ),
        case("all-items", "LAYER-RUN-001", RUN, {"reconstruction": RAN}),
        case(
            "one-item-more", "LAYER-RUN-001", RUN, {"reconstruction": {**RAN, "items": 41}}, "fail"
        ),
        case(
            "value",
            "LAYER-METRIC-001",
            DECLARED,
            valued(0.51),
            evidence={
                "metric": "top1",
                "vectors": "test",
                "declared": 0.5,
                "measured": 0.51,
                "layer": "l1",
                "direction": "higher",
                "reference": 0.5,
                "value": 0.51,
            },
        ),
        case("another-value", "LAYER-METRIC-001", DECLARED, valued(0.511), "fail"),
        case("falls-to-the-bound", "LAYER-ORDER-001", CHANGED, valued(0.375), message="0.375"),
        case(
            "falls-beyond-the-bound",
            "LAYER-ORDER-001",
            CHANGED,
            valued(0.374),
            "fail",
            message="'l1'",
            found="0.5 before, 0.374 with it",
            where=Location(JSON, "/samples/0/layers/1"),
        ),
        case(
            "near",
            "ACCESS-RANDOM-001",
            WHOLE,
            access({"bytes_read": 112}),
            message="1 of 1 tensors decoded alone, from at most 112 of 112 bytes",
            evidence={
                "file_bytes": 112,
                "tensors": [{"tensor": "fc.bias", "stored_bytes": 12, "bytes_read": 112}],
            },
        ),
        case(
            "one-byte-too-far",
            "ACCESS-RANDOM-001",
            WHOLE,
            access({"bytes_read": 113}, {}),
            "fail",
            message="1 of 2 tensors",
            expected="fc.bias: at most 112 bytes",
            found="fc.bias: 113 of 112 bytes read",
            where=Location(JSON, "/samples/0/claims/random_access"),
        ),
        case(
            "another-tensor",
            "ACCESS-RANDOM-001",
            WHOLE,
            access({"sha256": "b"}),
            "fail",
            expected="a",
            found="b",
            where=replace(WHOLE_FILE, element="fc.bias"),
        ),
        case(
            "another-each-time",
            "ACCESS-RANDOM-001",
            WHOLE,
            access({"sha256": None}),
            "fail",
            found="another digest each time",
        ),
        case("no-tensor", "ACCESS-RANDOM-001", WHOLE, access(), "fail", where=WHOLE_FILE),
        case(
            "takes-too-long",
            "INFERENCE-COMPRESSED-001",
            RUN,
            {"compressed-run": CaseTimeoutError("it took too long")},
            "timeout",
            message="it took too long",
        ),
        case(
            "did-not-run-before",
            "INFERENCE-COMPRESSED-001",
            RUN,
            {"compressed-run": NotRunError("not yet")},
            "not-run",
        ),
    ],
)
def test_a_check_accepts_what_lies_just_inside(
    check: str, subject: Subject, found: Any, verdict: str, fields: dict[str, Any]
) -> None:
    assert_found(only(check, subject, found, TOP1), verdict, fields)


def test_twenty_places_are_shown_of_those_with_a_wrong_parent() -> None:
    judge = judge_of("LAYER-DECODE-001", LAYER, state(identity={"wrong": [WRONG] * 21}))
    assert len(concluded(judge)) == 20


def test_twenty_tensors_are_shown_of_those_that_are_far() -> None:
    far = [{"tensor": name, "bytes_read": 113} for name in names(21)]
    finding = only("ACCESS-RANDOM-001", WHOLE, access(*far))
    assert finding.message.startswith("21 of 21 tensors")
    assert [each.partition(":")[0] for each in finding.found.split("; ")] == names(20)
    assert [each.partition(":")[0] for each in finding.expected.split("; ")] == names(20)


def test_figures_are_no_part_of_the_finding() -> None:
    finding = only("INFERENCE-COMPRESSED-001", RUN, {"compressed-run": DIRECT})
    assert (finding.verdict, finding.evidence) == (Verdict.PASS, {"ran_on": 40})


def test_the_claim_makes_the_subject(tmp_path: Path) -> None:
    metadata = tiny_submission.write(tmp_path)
    metadata["samples"][0]["claims"]["random_access"] = True
    tiny_submission.save(tmp_path, metadata)
    submission = load(tmp_path).submission
    assert submission is not None
    assert [each.id for each in subjects("tiny", submission)["access"]] == ["tiny/half"]
    without = replace(submission, samples=submission.samples[1:])
    assert subjects("tiny", without)["access"] == ()
