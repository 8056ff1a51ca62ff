from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.session.waivers import (
    WAIVER,
    Waiver,
    apply_waivers,
    read_waivers,
    unused_waivers,
)
from conformance.verdicts import ConformanceError, Finding, Verdict

ENTRY = {
    "check": "METRIC-DELTA-001",
    "subject": "tiny/half/top1",
    "reason": "agreed",
    "link": "https://example.org",
}
WAIVERS = (Waiver(**ENTRY),)
FAILED = Finding("METRIC-DELTA-001", "tiny/half/top1", Verdict.FAIL, message="too far", found="1")


def test_waived_finding_keeps_what_was_found() -> None:
    (finding,) = apply_waivers([FAILED], WAIVERS)
    assert finding.verdict is Verdict.WAIVED
    assert finding.found == "1"
    assert finding.message == "too far"
    assert finding.evidence[WAIVER] == {**ENTRY, "verdict": "fail"}


def test_passes_and_other_findings_are_left_alone() -> None:
    passed = Finding("METRIC-DELTA-001", "tiny/half/top1", Verdict.PASS)
    other = Finding("METRIC-DELTA-001", "tiny/exact/top1", Verdict.FAIL)
    assert apply_waivers([passed, other], WAIVERS) == [passed, other]


@pytest.mark.parametrize("verdict", ["not-run", "error", "timeout"])
def test_what_was_never_seen_cannot_be_waived(verdict: str) -> None:
    finding = Finding("METRIC-DELTA-001", "tiny/half/top1", Verdict(verdict))
    assert apply_waivers([finding], WAIVERS) == [finding]


def test_waivers_that_match_nothing_are_told() -> None:
    assert unused_waivers(WAIVERS, []) == WAIVERS
    assert unused_waivers(WAIVERS, apply_waivers([FAILED], WAIVERS)) == ()


def test_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "waivers.json"
    path.write_text(json.dumps([ENTRY]), encoding="utf-8")
    assert read_waivers(path) == WAIVERS


@pytest.mark.parametrize(
    ("text", "pointer", "found"),
    [
        ("not json", None, "JSONDecodeError"),
        ("{}", None, "dict"),
        (json.dumps([{**ENTRY, "reason": ""}]), "/0", '"reason": ""'),
        (json.dumps([ENTRY, {**ENTRY, "extra": "x"}]), "/1", '"extra"'),
        (json.dumps([{**ENTRY, "check": "METRIC-DELTA-999"}]), "/0/check", "no check"),
        (json.dumps(["x"]), "/0", '"x"'),
    ],
    ids=["syntax", "no-list", "no-reason", "unknown-key", "unknown-check", "no-object"],
)
def test_unusable_file_says_where(
    tmp_path: Path, text: str, pointer: str | None, found: str
) -> None:
    path = tmp_path / "waivers.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConformanceError) as caught:
        read_waivers(path)
    assert caught.value.where is not None
    assert caught.value.where.pointer == pointer
    assert found in caught.value.found


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError, match="waivers file"):
        read_waivers(tmp_path / "nowhere.json")
