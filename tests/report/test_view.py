import pytest

from conformance.report.view import REPEATED, view_of
from tests.report import example


def view(*findings, **changes):
    return view_of(example.build(findings=findings, **changes))


def not_run(check, subject, message="Interrupted.", **fields):
    return example.finding(check, subject, "not-run", message=message, **fields)


def test_groups_stand_by_severity():
    verdicts = ["waived", "not-run", "unsupported", "undecided", "timeout", "error"]
    verdicts += ["malformed", "fail", "pass"]
    groups = view(*(example.finding("SAMPLE-SIZE-001", f"m/{v}", v) for v in verdicts)).groups
    assert [group.verdict for group in groups] == list(reversed(verdicts[:-1]))


def test_findings_not_run_for_one_reason_are_one_card_across_checks():
    (group,) = view(
        not_run("SAMPLE-SIZE-001", "m/a"),
        not_run("SAMPLE-DIGEST-001", "m/b"),
        not_run("SAMPLE-DIGEST-001", "m/b", message="Another reason."),
    ).groups
    assert group.size == 3
    folded = next(card for card in group.cards if card.entry["message"] == "Interrupted.")
    assert len(group.cards) == 2
    assert folded.checks == ("SAMPLE-DIGEST-001", "SAMPLE-SIZE-001")
    assert folded.subjects == ("m/b", "m/a")


def test_equal_failures_of_one_check_are_one_card():
    (group,) = view(
        *(example.finding("SAMPLE-SIZE-001", f"m/{n}", "fail", message="Same.") for n in range(9))
    ).groups
    assert [len(card.entries) for card in group.cards] == [9]


@pytest.mark.parametrize(("findings", "named"), [(1, 1), (REPEATED, REPEATED), (REPEATED + 1, 0)])
def test_a_card_of_many_findings_is_repeated_by_running_all(findings, named):
    same = [not_run("SAMPLE-SIZE-001", f"m/{n}") for n in range(findings)]
    (group,) = view(
        *same, environment={**example.build()["environment"], "submission": "/s"}
    ).groups
    (card,) = group.cards
    assert card.command.startswith("nnr-conformance run /s")
    assert card.command.count(" --only ") == named


def test_failures_that_differ_in_anything_stay_apart():
    (group,) = view(
        example.finding("SAMPLE-SIZE-001", "m/a", "fail", found="1"),
        example.finding("SAMPLE-SIZE-001", "m/b", "fail", found="2"),
        example.finding("SAMPLE-DIGEST-001", "m/c", "fail", found="1"),
    ).groups
    assert [len(card.entries) for card in group.cards] == [1, 1, 1]


def test_each_waived_finding_has_its_own_waiver():
    waivers = [{**example.WAIVER, "subject": f"m/{n}", "reason": f"reason {n}"} for n in range(2)]
    (group,) = view(
        *(
            example.finding("SAMPLE-SIZE-001", each["subject"], "waived", evidence={"waiver": each})
            for each in waivers
        ),
        waivers=waivers,
    ).groups
    assert [card.waiver["reason"] for card in group.cards] == ["reason 0", "reason 1"]


def test_passes_are_listed_by_check():
    passed = view(
        example.finding("SAMPLE-SIZE-001", "m/b"),
        example.finding("SAMPLE-SIZE-001", "m/a"),
        example.finding("SAMPLE-SIZE-001", "m/c", "fail"),
    ).passed
    assert [(row.check, row.subjects) for row in passed] == [("SAMPLE-SIZE-001", ("m/a", "m/b"))]


def test_a_sample_has_the_gravest_required_verdict_about_it_and_its_metrics():
    verdicts = view(
        example.finding("SAMPLE-SIZE-001", "s/a"),
        example.finding("SAMPLE-RUN-001", "s/a@test", "not-run"),
        example.finding("METRIC-DELTA-001", "s/a/top1", "undecided"),
        example.finding("METRIC-DELTA-001", "s/ab/top1", "fail"),
        example.finding("SAMPLE-FEATURES-001", "s/a", "fail", message="advisory"),
        example.finding("MODEL-METRIC-001", "s/a/top1", "malformed"),
    ).sample_verdicts
    assert verdicts == {"a": "undecided", "ab": "fail"}


def test_environment_is_flattened_and_bounded():
    rows = dict(view(environment={"a": {"b": {"c": {"d": 1}}}, "x": [1, "y"], "z": {}}).environment)
    assert rows == {"a.b.c": '{"d": 1}', "x": '[1, "y"]', "z": "{}"}


def test_evidence_is_shown_as_json_and_absent_if_empty():
    (group,) = view(
        example.finding("SAMPLE-SIZE-001", "m/a", "fail", evidence={"größe": 1}),
        example.finding("SAMPLE-SIZE-001", "m/b", "fail"),
    ).groups
    assert sorted(card.evidence for card in group.cards) == ["", '{\n  "größe": 1\n}']
