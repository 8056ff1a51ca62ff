"""The checks of scalability on evidence of any kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import test_scalability as suite
from conformance.checks import BY_ID
from conformance.evaluation.evidence import Evidence
from conformance.evaluation.plan import Subject, subjects
from conformance.session.judge import Judge
from conformance.submission import load
from conformance.verdicts import (
    CaseTimeoutError,
    ConformanceError,
    Finding,
    Json,
    NotRunError,
    Verdict,
)
from tests import tiny_submission

SPREAD = {"median": 2.0, "low": 1.0, "high": 3.0}
COST = {"seconds": SPREAD, "peak_bytes": SPREAD}
RUN = {"items": 30, "rounds": 7, "original": COST, "compressed": COST}
ROW = {
    "tensor": "fc.bias",
    "stored_bytes": 12,
    "bytes_read": 100,
    "sha256": "a",
    "whole_sha256": "a",
}
ACCESS = {"file_bytes": 112, "payload_bytes": 12, "count": 1, "tensors": [ROW]}


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    tiny_submission.write(tmp_path)
    (found,) = subjects("tiny", load(tmp_path).submission)["direct_run"]
    return found


def judged(
    check: str, subject: Subject, found: Mapping[str, Json], error: ConformanceError | None = None
) -> tuple[Judge, list[Finding]]:
    """The judge, and what the check concludes where each kind of case found what is given."""

    def look_up(_: Subject, kind: str) -> Evidence:
        return Evidence(kind, "", Path(), None if error else found[kind], error)

    judge = Judge(BY_ID[check], subject, (), {}, look_up)
    test: Callable[..., None] = getattr(suite, BY_ID[check].test)
    names = test.__code__.co_varnames[: test.__code__.co_argcount]
    try:
        test(**{"judge": judge, **({"subject": subject} if "subject" in names else {})})
    except ConformanceError as raised:
        return judge, list(judge.conclude(raised))
    return judge, list(judge.conclude())


def test_figures_go_to_the_timing_and_not_to_the_finding(subject: Subject) -> None:
    judge, (finding,) = judged("INFERENCE-COMPRESSED-001", subject, {"compressed-run": RUN})
    assert finding.verdict is Verdict.PASS
    assert finding.evidence == {"ran_on": tiny_submission.ITEMS}
    assert judge.inference == {
        "sample": "half-onnx",
        "vectors": "test",
        "rounds": 7,
        "items": 30,
        "original": COST,
        "compressed": COST,
    }


def test_what_takes_too_long_is_a_finding(subject: Subject) -> None:
    error = CaseTimeoutError("it took too long")
    judge, (finding,) = judged("INFERENCE-COMPRESSED-001", subject, {}, error)
    assert (finding.verdict, finding.message) == (Verdict.TIMEOUT, "it took too long")
    assert judge.inference is None


def test_what_did_not_run_before_is_not_told_again(subject: Subject) -> None:
    _, (finding,) = judged("INFERENCE-COMPRESSED-001", subject, {}, NotRunError("mend it first"))
    assert finding.verdict is Verdict.NOT_RUN


def test_a_tensor_alone_passes_with_a_table(subject: Subject) -> None:
    _, (finding,) = judged("ACCESS-RANDOM-001", subject, {"access": ACCESS})
    assert finding.verdict is Verdict.PASS
    table = [{"tensor": "fc.bias", "stored_bytes": 12, "bytes_read": 100}]
    assert finding.evidence == {"file_bytes": 112, "tensors": table}


def test_bytes_of_other_tensors_are_a_finding(subject: Subject) -> None:
    far = {**ACCESS, "tensors": [{**ROW, "bytes_read": 113}]}
    _, (finding,) = judged("ACCESS-RANDOM-001", subject, {"access": far})
    assert finding.verdict is Verdict.FAIL
    assert "1 of 1 tensors" in finding.message
    assert (finding.expected, finding.found) == (
        "fc.bias: at most 112 bytes",
        "fc.bias: 113 of 112 bytes read",
    )
    assert finding.where is not None
    assert finding.where.pointer == "/samples/1/claims/random_access"


@pytest.mark.parametrize("digest", ["b", None])
def test_another_tensor_than_in_the_whole_is_a_finding(
    subject: Subject, digest: str | None
) -> None:
    other = {**ACCESS, "tensors": [{**ROW, "sha256": digest}]}
    _, (finding,) = judged("ACCESS-RANDOM-001", subject, {"access": other})
    assert finding.verdict is Verdict.FAIL
    assert finding.where is not None
    assert finding.where.element == "fc.bias"


def test_the_claim_makes_the_subject(tmp_path: Path) -> None:
    metadata = tiny_submission.write(tmp_path)
    metadata["samples"][0]["claims"]["random_access"] = True
    tiny_submission.save(tmp_path, metadata)
    submission = load(tmp_path).submission
    assert submission is not None
    assert [each.id for each in subjects("tiny", submission)["access"]] == ["tiny/half"]
    without = replace(submission, samples=submission.samples[1:])
    assert subjects("tiny", without)["access"] == ()
