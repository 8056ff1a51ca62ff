"""Samples that are NNC bitstreams, through whole runs of the suites."""

from __future__ import annotations

import json
from pathlib import Path

from tests import tiny_submission
from tests.bitstreams import raw_stream
from tests.jobs.bench import add_sample
from tests.suites.conftest import Runner

FEATURES = ["edition:second", "payload:raw-float", "validation-set-performance"]
CLAIMS = {
    "validation_set_performance_present_flag": 1,
    "performance_metric_type": "Top-1",
    "validation_set_performance": 0.75,
}


def add_stream(root: Path, **model: int) -> None:
    weights = tiny_submission.weights()
    add_sample(root, "stream", raw_stream(weights, {**CLAIMS, **model}), features=FEATURES)
    metadata = json.loads((root / "submission.json").read_text(encoding="utf-8"))
    digests = {n: tiny_submission.tensor_digest(a) for n, a in weights.items()}
    added = metadata["samples"][-1]
    added["method"] = metadata["samples"][0]["method"]
    added["claims"]["tensor_digests"] = digests
    added["claims"]["metric_values"] = tiny_submission.metric_values(weights)
    tiny_submission.save(root, metadata)


def test_claims_of_a_stream_stand_beside_what_was_measured(
    judge_folders: Runner, tiny: Path
) -> None:
    add_stream(tiny)
    run = judge_folders(tiny)
    assert run.code == 0, run.output
    samples = {sample["id"]: sample for sample in run.report()["samples"]}
    claims = samples["stream"]["stream_claims"]
    assert claims["validation_set_performance"] == 0.75
    assert claims["measured"] == [
        {"metric": "top1", "vectors": "test", "reference": 0.9, "value": 0.9}
    ]
    assert samples["half"]["stream_claims"] is None


def test_broken_rule_fails_with_place_and_command(judge_folders: Runner, tiny: Path) -> None:
    add_stream(tiny, mps_reserved_zero_2bits=1)
    run = judge_folders(tiny)
    assert run.code == 1
    assert run.verdicts() == {"SAMPLE-STREAM-001 tiny/stream": "fail"}
    (finding,) = [f for f in run.report()["findings"] if f["verdict"] == "fail"]
    assert finding["where"]["file"] == "stream.nnc"
    assert finding["where"]["byte_offset"] == 8
    assert "nnr-conformance nnc inspect stream.nnc --unit 1" in finding["fix"]
    assert finding["evidence"]["rule"].startswith("NNC-")
