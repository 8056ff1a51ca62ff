"""What is demanded of what a watch found, and how runs are put into words."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from conformance import test_metrics as suite
from conformance.checks import BY_ID
from conformance.evidence.evidence import Evidence
from conformance.judging.judge import Judge
from conformance.plan.subjects import subjects
from conformance.runtimes import Overflow, Watched
from conformance.submission import load
from conformance.verdicts import Verdict
from tests import tiny_submission
from tests.results import result_of

CLEAN = Watched(tensors=3, items=40, overflows=(), unreached=())
OVER = Overflow("hh", "Mul", "node square", "float16", 1, 90000.0)


def findings(folder: Path, name: str, half: Watched | None):
    tiny_submission.write(folder)
    listed = subjects("tiny", load(folder).submission)["computed"]
    (subject,) = (each for each in listed if each.id == name)
    result = {"half": asdict(half) if half is not None else None}

    def look_up(job):
        assert job.kind == ("original" if name == "tiny/linear@test" else "reconstruction")
        return Evidence(job.name, "key", folder, result_of(job.kind, result))

    judge = Judge(BY_ID["INFERENCE-OVERFLOW-001"], subject, (), {}, look_up)
    suite.test_nothing_overflows(subject, judge)
    return judge.conclude()


SUBJECTS = {
    "tiny/linear@test": "model.onnx",
    "tiny/half@test": "model.onnx",
    "tiny/half-onnx@test": "half.onnx",
}
"""Original, tensors in the original's graph, a network of its own: and the file that runs."""


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_overflow_fails_where_it_is_computed(tmp_path, name):
    (found,) = findings(tmp_path, name, replace(CLEAN, overflows=(OVER,)))
    assert found.verdict is Verdict.FAIL
    assert (found.where.file, found.where.element) == (SUBJECTS[name], "hh")
    assert found.message == "'hh', which Mul writes, overflows in float16"
    assert found.found == "90000 on item 1, from Mul (node square)"
    assert "65520" in found.expected
    assert "float32, or use bfloat16" in found.fix


@pytest.mark.parametrize("name", SUBJECTS)
def test_what_could_not_be_watched_is_undecided(tmp_path, name):
    (found,) = findings(tmp_path, name, replace(CLEAN, unreached=("the bodies of SequenceMap",)))
    assert found.verdict is Verdict.UNDECIDED
    assert "SequenceMap" in found.found


@pytest.mark.parametrize("half", [CLEAN, None])
def test_a_network_without_overflows_passes(tmp_path, half):
    (found,) = findings(tmp_path, "tiny/half@test", half)
    assert found.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("number", "more"),
    [(5, ""), (6, "; 1 more tensor overflows"), (8, "; 3 more tensors overflow")],
)
def test_the_last_finding_counts_those_that_have_none(tmp_path, number, more):
    many = tuple(replace(OVER, tensor=f"h{n}", item=None) for n in range(number))
    found = findings(tmp_path, "tiny/half@test", replace(CLEAN, overflows=many))
    assert [each.where.element for each in found] == ["h0", "h1", "h2", "h3", "h4"]
    text = "90000 on a batch, from Mul (node square)"
    assert [each.found for each in found] == [*[text] * 4, text + more]
