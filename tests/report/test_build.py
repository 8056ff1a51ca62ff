import itertools
import random

import pytest

from conformance.report import build_report, json_text
from conformance.report.build import SEVERITY, check_verdicts
from conformance.verdicts import ExitCode, Verdict
from tests.report import example

PASS = example.finding("SAMPLE-SIZE-001", "m/a")


def of_verdicts(*verdicts, complete=True):
    return example.build(
        findings=[
            example.finding("SAMPLE-SIZE-001", f"m/{index}", verdict)
            for index, verdict in enumerate(verdicts)
        ],
        complete=complete,
    )


@pytest.mark.parametrize(
    ("verdicts", "overall", "exit_code"),
    [
        (["pass", "pass"], "pass", ExitCode.PASS),
        (["pass", "waived"], "pass", ExitCode.PASS),
        (["pass", "fail"], "fail", ExitCode.FAIL),
        (["pass", "malformed"], "fail", ExitCode.FAIL),
        (["pass", "error"], "fail", ExitCode.FAIL),
        (["pass", "timeout"], "fail", ExitCode.FAIL),
        (["pass", "undecided"], "incomplete", ExitCode.INCOMPLETE),
        (["pass", "unsupported"], "incomplete", ExitCode.INCOMPLETE),
        (["pass", "not-run"], "incomplete", ExitCode.INCOMPLETE),
        (["not-run", "fail"], "fail", ExitCode.FAIL),
        ([], "incomplete", ExitCode.INCOMPLETE),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else None,
)
def test_verdict_and_exit_code_follow_the_required_findings(verdicts, overall, exit_code):
    report = of_verdicts(*verdicts)
    assert (report["verdict"], report["exit_code"]) == (overall, exit_code)


def test_an_interrupted_run_never_passes():
    report = of_verdicts("pass", complete=False)
    assert (report["verdict"], report["exit_code"]) == ("incomplete", ExitCode.INCOMPLETE)


def test_an_interrupted_run_still_fails():
    assert of_verdicts("fail", complete=False)["verdict"] == "fail"


def test_findings_that_are_not_required_do_not_count_for_the_verdict():
    advisory = example.finding("SAMPLE-SIZE-001", "m/b", "fail", message="advisory")
    assert not advisory.required
    report = example.build(findings=[PASS, advisory])
    assert report["verdict"] == "pass"
    assert report["summary"]["fail"] == 1


def test_only_findings_that_are_not_required_is_no_pass():
    advisory = example.finding("SAMPLE-SIZE-001", "m/b", "pass", message="advisory")
    assert example.build(findings=[advisory])["verdict"] == "incomplete"


def test_summary_has_a_count_for_every_verdict_and_adds_up_to_planned():
    report = of_verdicts(*Verdict, "pass")
    counts = dict(report["summary"])
    assert counts.pop("planned") == len(Verdict) + 1
    assert counts == {**dict.fromkeys(Verdict, 1), "pass": 2}


def test_a_check_with_several_findings_counts_once_under_the_gravest():
    findings = [
        example.finding("SAMPLE-SIZE-001", "m/a", verdict, message=str(number))
        for number, verdict in enumerate(("pass", "fail", "undecided", "pass"))
    ]
    for order in itertools.permutations(findings):
        report = example.build(findings=order)
        assert report["summary"]["planned"] == 1
        assert report["summary"]["fail"] == 1
        assert report["verdict"] == "fail"


def test_findings_without_a_test_are_told_apart_by_subject():
    entries = [{**PASS.to_json(), "test": "", "subject": subject} for subject in ("a", "b")]
    assert check_verdicts(entries) == [Verdict.PASS, Verdict.PASS]


def test_severity_ranks_every_verdict():
    assert sorted(SEVERITY) == sorted(Verdict)


def test_findings_stand_in_catalogue_order_then_by_subject():
    findings = [
        example.finding("ZEBRA-001", "m/a"),
        example.finding("ANT-001", "m/a"),
        example.finding("SAMPLE-SIZE-001", "m/b"),
        example.finding("SAMPLE-SIZE-001", "m/a"),
        example.finding("SUBMISSION-SCHEMA-001", "s"),
    ]
    report = example.build(findings=findings)
    assert [(entry["check"], entry["subject"]) for entry in report["findings"]] == [
        ("SUBMISSION-SCHEMA-001", "s"),
        ("SAMPLE-SIZE-001", "m/a"),
        ("SAMPLE-SIZE-001", "m/b"),
        ("ANT-001", "m/a"),
        ("ZEBRA-001", "m/a"),
    ]


def test_the_same_findings_in_any_order_give_the_same_bytes():
    findings = example.findings()
    findings += [
        example.finding("SAMPLE-SIZE-001", "m/a", "fail", message=f"reason {number}")
        for number in range(5)
    ]
    expected = json_text(example.build(findings=findings))
    for seed in range(5):
        shuffled = findings.copy()
        random.Random(seed).shuffle(shuffled)
        assert json_text(example.build(findings=shuffled)) == expected


def test_only_environment_and_timing_differ_between_runs():
    one = example.build()
    other = example.build(environment={"python": "3.12"}, timing={"seconds": 1.0})
    differing = {key for key in one if json_text(one[key]) != json_text(other[key])}
    assert differing == {"environment", "timing"}


def test_unknown_submission_fields_are_null():
    report = example.build(submission_block={"id": None})
    assert set(report["submission"].values()) == {None}
    assert "metadata_sha256" in report["submission"]


def test_every_finding_keeps_all_it_says():
    made = next(f for f in example.findings() if f.finding.verdict == "malformed")
    entry = next(e for e in example.build()["findings"] if e["verdict"] == "malformed")
    assert entry == made.to_json()
    assert entry["where"]["byte_offset"] == 10_312
    assert entry["test"].startswith("conformance.test_decoding::")
    assert entry["required"] is True


def test_the_report_shares_nothing_with_its_arguments():
    environment = {"limits": [1, 2]}
    report = example.build(environment=environment)
    environment["limits"].append(3)
    assert report["environment"] == {"limits": [1, 2]}


def test_arguments_are_named():
    with pytest.raises(TypeError):
        build_report({}, "call-2018")


def test_what_was_ignored_is_named_in_every_page() -> None:
    from conformance.report import render_html, render_markdown, validate_report

    plain = example.build()
    assert "ignored" not in plain["submission"]
    report = {**plain, "submission": {**plain["submission"], "ignored": [".git", ".gitignore"]}}
    validate_report(report)
    assert ".git, .gitignore" in render_html(report)
    assert "Ignored" in render_markdown(report)
