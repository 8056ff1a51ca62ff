"""Suite of scalability: what of a sample can be used without decoding all of it."""

from __future__ import annotations

from conformance.evaluation.plan import Subject
from conformance.session.judge import Judge

FORMS = ("original", "compressed")


def test_compressed_form_runs(subject: Subject, judge: Judge) -> None:
    """The compressed network itself runs; its time and memory are told beside the original's."""
    assert subject.sample is not None
    assert subject.vectors is not None
    measured = judge.evidence("compressed-run")
    judge.inference = {
        "sample": subject.sample.id,
        "vectors": subject.vectors.id,
        **{name: measured[name] for name in ("rounds", "items", *FORMS)},
    }
    judge.passed(
        f"the sample itself ran on {measured['ran_on']} items, without reconstruction",
        evidence={"ran_on": measured["ran_on"], "rounds": measured["rounds"]},
    )
