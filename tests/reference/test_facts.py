"""Facts of reports: their names, what is not a fact, and how two sets of them differ."""

import json

import pytest

from tests.reference import facts as of
from tests.reference.__main__ import BITSTREAMS, HERE, REJECTED, SUBMISSIONS, main


def report(**changed):
    finding = {
        "check": "SAMPLE-SIZE-001",
        "subject": "net/a",
        "verdict": "pass",
        "message": "it is",
        "evidence": {"size": 3},
    }
    return {"verdict": "pass", "findings": [finding], "timing": {"seconds": 1.5}, **changed}


def test_findings_are_named_by_check_and_subject_without_the_submission():
    assert of.facts(report()) == {
        "verdict": "pass",
        "finding SAMPLE-SIZE-001 a": "pass",
        "evidence SAMPLE-SIZE-001 a size": 3,
    }


def test_a_finding_about_the_submission_has_a_name_too():
    whole = {"check": "SUBMISSION-READ-001", "subject": "net", "verdict": "fail", "evidence": {}}
    assert of.facts(report(findings=[whole]))["finding SUBMISSION-READ-001 ."] == "fail"


def test_two_findings_of_one_name_are_both_kept():
    twice = [
        {"check": "A-001", "subject": "net", "verdict": verdict, "evidence": {}}
        for verdict in ("pass", "fail")
    ]
    assert of.facts(report(findings=twice))["finding A-001 ."] == "pass, fail"


def test_what_a_later_report_adds_is_a_fact():
    later = of.facts(report(new={"kinds": [{"id": "x", "count": 2}], "plain": [1, 2]}))
    assert later["new kinds x count"] == 2
    assert later["new plain"] == [1, 2]
    before = of.facts(report())
    assert of.lines(before, later) == [
        "new kinds x count: (none) -> 2",
        "new plain: (none) -> [1, 2]",
    ]


def test_an_entry_of_a_list_is_named_by_what_identifies_it_and_moves_no_other():
    two = [{"metric": "top1", "vectors": "test", "value": 1}, {"metric": "kl", "value": 2}]
    named = {"metrics top1@test value": 1, "metrics kl value": 2}
    assert of.leaves({"metrics": two}) == of.leaves({"metrics": two[::-1]}) == named


def test_entries_that_nothing_tells_apart_are_numbered():
    assert of.leaves([{"value": 1}, {"value": 2}, 3]) == {
        "#0 value": 1,
        "#1 value": 2,
        "#2": 3,
    }


def test_numbers_are_compared_to_the_last_digit(tmp_path):
    one, other = {"loss": 0.1 + 0.2}, {"loss": 0.3}
    of.write(tmp_path / "facts.json", one)
    assert of.lines(of.read(tmp_path / "facts.json"), one) == []
    assert of.lines(one, other) == ["loss: 0.30000000000000004 -> 0.3"]
    assert of.lines({"n": 1}, {"n": 1.0}) == ["n: 1 -> 1.0"]
    assert of.lines({"n": float("nan")}, {"n": float("nan")}) == []


def test_facts_are_stored_sorted_one_a_line(tmp_path):
    of.write(tmp_path / "facts.json", {"b": [1, {"z": 1, "a": 2}], "a": "größe"})
    assert (tmp_path / "facts.json").read_text("utf-8").splitlines() == [
        "{",
        '"a": "größe",',
        '"b": [1, {"a": 2, "z": 1}]',
        "}",
    ]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"a b": 1, "a c": 2}, {}),
        ({"a b": 1}, {"a c": None}),
        ({"a b": 5, "a c": 2}, {"a b": 5}),
        ({"a b": 1, "a c": 2, "d": 3}, {"d": 3}),
        ({"d": 3}, {"a": None, "d": 3}),
        ({"a b c": 1, "a c": 2}, {"a b": None, "a b c": 1}),
    ],
)
def test_of_a_copy_only_what_differs_is_kept(other, expected):
    assert of.difference({"a b": 1, "a c": 2}, other) == expected


def test_there_is_a_reference_for_everything_that_is_bundled():
    stored = {path.relative_to(HERE).with_suffix("").as_posix() for path in HERE.rglob("*.json")}
    assert stored == {
        BITSTREAMS,
        *(f"submissions/{name}" for name in SUBMISSIONS),
        *(f"rejected/{name}" for name in REJECTED),
    }


def test_the_reference_of_a_rejected_case_has_its_finding_and_exit_code():
    for name, case in REJECTED.items():
        known, wanted = of.read(HERE / "rejected" / f"{name}.json"), case["expect"]
        subject = wanted["subject"].partition("/")[2] or "."
        assert known[f"finding {wanted['check']} {subject}"] == wanted["verdict"], name
        assert known["exit_code"] == case["exit_code"], name


def test_a_name_that_is_none_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["digits-cmm"])
    assert ended.value.code == 2
    assert "digits-cmm" in capsys.readouterr().err


def test_bitstreams_are_as_in_the_reference_and_a_difference_is_told(capsys, monkeypatch, tmp_path):
    assert main([BITSTREAMS]) == 0
    known = of.read(HERE / "bitstreams.json")
    first = min(known)
    of.write(tmp_path / "bitstreams.json", {**known, first: "nothing", "more": 1})
    monkeypatch.setattr("tests.reference.__main__.HERE", tmp_path)
    capsys.readouterr()
    assert main([BITSTREAMS]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f'bitstreams: {first}: "nothing" -> {json.dumps(known[first])}',
        "bitstreams: more: 1 -> (none)",
    ]
