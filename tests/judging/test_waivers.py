from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.judging.waivers import (
    WAIVER,
    Waiver,
    apply_waivers,
    read_waivers,
    unused_waivers,
    why_unused,
)
from conformance.verdicts import ConformanceError, Finding, Verdict

ENTRY = {
    "check": "METRIC-DELTA-001",
    "subject": "tiny/half/top1",
    "value": 0.9,
    "reason": "agreed",
    "link": "https://example.org",
}
WAIVERS = (Waiver(**ENTRY),)
FAILED = Finding(
    "METRIC-DELTA-001",
    "tiny/half/top1",
    Verdict.FAIL,
    message="too far",
    found="original 1, sample 0.9",
    evidence={"value": 0.9, "reference": 1.0},
)


def accepted(finding: Finding, value: float | str) -> bool:
    """Whether a waiver that names `value` accepts the finding, and counts as used if it does."""
    waiver = Waiver(**{**ENTRY, "value": value})
    (applied,) = apply_waivers([finding], [waiver])
    waived = applied.verdict is Verdict.WAIVED
    assert unused_waivers([waiver], [applied]) == (() if waived else (waiver,))
    assert waived or applied is finding
    return waived


def test_waived_finding_keeps_what_was_found() -> None:
    (finding,) = apply_waivers([FAILED], WAIVERS)
    assert finding.verdict is Verdict.WAIVED
    assert finding.found == "original 1, sample 0.9"
    assert finding.message == "too far"
    assert finding.evidence == {**FAILED.evidence, WAIVER: {**ENTRY, "verdict": "fail"}}


@pytest.mark.parametrize("verdict", ["fail", "undecided", "malformed", "unsupported"])
def test_what_was_seen_can_be_waived(verdict: str) -> None:
    (finding,) = apply_waivers([replace(FAILED, verdict=Verdict(verdict))], WAIVERS)
    assert finding.evidence[WAIVER]["verdict"] == verdict


@pytest.mark.parametrize("verdict", ["pass", "not-run", "error", "timeout"])
def test_what_passed_or_was_never_seen_cannot_be_waived(verdict: str) -> None:
    finding = replace(FAILED, verdict=Verdict(verdict))
    assert apply_waivers([finding], WAIVERS) == [finding]
    assert why_unused(WAIVERS[0], [finding]).endswith("tiny/half/top1 matches no finding")


@pytest.mark.parametrize(
    "change",
    [
        {"check": "METRIC-CLAIM-001"},
        {"check": "MODEL-METRIC-001"},
        {"subject": "tiny/exact/top1"},
        {"subject": "tiny/half/top1@test"},
    ],
)
def test_other_findings_are_left_alone(change: dict[str, str]) -> None:
    finding = replace(FAILED, **change)
    assert apply_waivers([finding], WAIVERS) == [finding]
    assert unused_waivers(WAIVERS, [finding]) == WAIVERS
    assert not WAIVERS[0].is_about(finding)
    assert why_unused(WAIVERS[0], [finding]).endswith("matches no finding")


@pytest.mark.parametrize(
    ("value", "accepts"),
    [
        (0.9, True),
        (0.9 * (1 + 0.9e-6), True),
        (0.9 * (1 - 0.9e-6), True),
        (0.9 * (1 + 1.1e-6), False),
        (0.9 * (1 - 1.1e-6), False),
        (1.0, False),
        (0, False),
        (-0.9, False),
        ("original 1, sample 0.9", True),
        ("original 1, sample 0.9 ", False),
        ("too far", False),
        ("0.9", False),
    ],
)
def test_a_waiver_accepts_the_value_that_it_names_and_no_other(
    value: float | str, accepts: bool
) -> None:
    assert accepted(FAILED, value) is accepts


@pytest.mark.parametrize("key", ["value", "measured"])
def test_number_is_compared_with_what_was_measured(key: str) -> None:
    finding = replace(FAILED, evidence={"reference": 0.1, "declared": 0.2, key: 0.9})
    assert accepted(finding, 0.9)
    assert not accepted(finding, 0.1)
    assert not accepted(finding, 0.2)


@pytest.mark.parametrize("evidence", [{}, {"value": None}, {"value": "nan"}, {"rule": 0.9}])
def test_a_number_accepts_nothing_where_none_was_measured(evidence: dict[str, object]) -> None:
    finding = replace(FAILED, evidence=evidence)
    assert not accepted(finding, 0.9)
    assert accepted(finding, "original 1, sample 0.9")


def test_message_stands_for_what_was_found_where_that_is_empty() -> None:
    assert accepted(replace(FAILED, found=""), "too far")
    assert not accepted(replace(FAILED, found=""), "original 1, sample 0.9")


def test_each_of_several_findings_needs_its_own_waiver() -> None:
    findings = [replace(FAILED, found=text, evidence={}) for text in ("a", "b", "c")]
    waivers = [Waiver(**{**ENTRY, "value": text, "reason": f"because {text}"}) for text in "abx"]
    first, second, third = apply_waivers(findings, waivers)
    assert [first.evidence[WAIVER]["reason"], second.evidence[WAIVER]["reason"]] == [
        "because a",
        "because b",
    ]
    assert third.verdict is Verdict.FAIL
    assert unused_waivers(waivers, [first, second, third]) == (waivers[2],)


def test_unused_waiver_says_what_was_found_instead() -> None:
    waiver = Waiver(**{**ENTRY, "value": 0.95})
    about = "the waiver of METRIC-DELTA-001 for tiny/half/top1"
    assert why_unused(waiver, []) == f"{about} matches no finding"
    assert why_unused(waiver, [FAILED]) == f"{about} accepts 0.95, but the finding has 0.9"
    other = replace(FAILED, evidence={}, found="b")
    assert why_unused(waiver, [FAILED, other]).endswith("the finding has 0.9 and 'b'")


def test_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "waivers.json"
    path.write_text(json.dumps([ENTRY]), encoding="utf-8")
    assert read_waivers(path) == WAIVERS


@pytest.mark.parametrize(
    ("text", "pointer", "message", "found"),
    [
        ("not json", None, "cannot be used", "JSONDecodeError"),
        ("{}", None, "cannot be used", "dict"),
        (json.dumps([{**ENTRY, "reason": ""}]), "/0/reason", "reason is not in the right", '""'),
        (json.dumps([{**ENTRY, "reason": " \t"}]), "/0/reason", "right form", '" \\t"'),
        (json.dumps([{**ENTRY, "reason": "\x07"}]), "/0/reason", "right form", '"\\u0007"'),
        (json.dumps([{**ENTRY, "reason": "\u200b"}]), "/0/reason", "right form", '"\u200b"'),
        (json.dumps([{**ENTRY, "subject": "\n"}]), "/0/subject", "right form", '"\\n"'),
        (json.dumps([{**ENTRY, "value": " "}]), "/0/value", "right form", '" "'),
        (json.dumps([{**ENTRY, "value": True}]), "/0/value", "value has the wrong type", "true"),
        (json.dumps([{**ENTRY, "link": "javascript:alert(1)"}]), "/0/link", "link is not", "alert"),
        (json.dumps([{**ENTRY, "link": "https:///minutes"}]), "/0/link", "link is not", "minutes"),
        (
            json.dumps([ENTRY, {k: v for k, v in ENTRY.items() if k != "value"}]),
            "/1",
            "waiver lacks 'value'",
            '"reason"',
        ),
        (json.dumps([ENTRY, {**ENTRY, "extra": "x"}]), "/1/extra", "not a key", '"extra"'),
        (json.dumps([{**ENTRY, "check": "METRIC-DELTA-999"}]), "/0/check", "used", "not a check"),
        (json.dumps(["x"]), "/0", "wrong type", '"x"'),
    ],
)
def test_unusable_file_says_where(
    tmp_path: Path, text: str, pointer: str | None, message: str, found: str
) -> None:
    path = tmp_path / "waivers.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConformanceError) as caught:
        read_waivers(path)
    assert caught.value.where is not None
    assert caught.value.where.pointer == pointer
    assert message in caught.value.message
    assert found in caught.value.found
    assert caught.value.expected
    assert caught.value.fix


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError, match="waivers file"):
        read_waivers(tmp_path / "nowhere.json")
