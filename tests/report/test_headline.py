import pytest

from conformance.report.headline import headline, partial_notice
from tests.report import example


def report(*verdicts, complete=True):
    findings = [
        example.finding("SAMPLE-SIZE-001", f"m/{number}", verdict)
        for number, verdict in enumerate(verdicts)
    ]
    return example.build(findings=findings, complete=complete)


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (["pass"] * 3, "3 of 3 required checks passed."),
        (["pass", "waived"], "1 of 2 required checks passed; 1 waived."),
        (["pass", "fail"], "1 of 2 required checks failed (1 fail)."),
        (
            ["fail", "error", "timeout", "not-run", "undecided"],
            (
                "3 of 5 required checks failed (1 fail, 1 error, 1 time-out); "
                "still open: 1 undecided, 1 not run."
            ),
        ),
        (
            ["pass", "unsupported"],
            "No required check failed, but 1 of 2 required checks is still open (1 unsupported).",
        ),
        (
            ["not-run", "not-run", "pass"],
            "No required check failed, but 2 of 3 required checks are still open (2 not run).",
        ),
        ([], "No required check was made."),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_headline(verdicts, sentence):
    assert headline(report(*verdicts)) == sentence


def test_interrupted_run_without_open_checks():
    assert headline(report("pass", complete=False)) == (
        "No required check failed, but the run was interrupted."
    )


def test_findings_that_are_not_required_stand_beside_the_verdict():
    findings = [
        example.finding("SAMPLE-SIZE-001", "m/a"),
        example.finding("SAMPLE-SIZE-001", "m/b", "fail", message="advisory"),
    ]
    assert headline(example.build(findings=findings)) == (
        "1 of 1 required check passed. Beside them, 1 advisory finding."
    )


def test_partial_notice():
    assert partial_notice(report("pass")) == ""
    assert partial_notice(report("pass", "fail", "not-run", complete=False)) == (
        "This report is partial: the run was interrupted after 2 of 3 checks; "
        "it says nothing about the other 1."
    )
