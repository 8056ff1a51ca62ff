"""The suite of updates: each check on evidence just inside and just outside of what it accepts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.plan.misapplications import Misapplication
from conformance.plan.subjects import (
    DerivedSubject,
    EqualSubject,
    MisappliedSubject,
    PartSubject,
    Subject,
)
from conformance.submission.values import Branch, Claims
from conformance.verdicts import Location
from tests.judged import assert_found, case, concluded, judge_of, only
from tests.judging.found import merge, sample, sample_subject, update

JSON = "submission.json"
CLAIMED = Claims(100, None, None, (), {"a": "aa"}, cumulative_size=900)
NEXT = update("next", "base", claims=CLAIMED)
WHOLE = sample_subject(NEXT, pointer="/samples/1")
STEP = WHOLE.narrowed(PartSubject, id="s/next/file-1", part=0)
DERIVED = WHOLE.narrowed(DerivedSubject, leading_bytes=900)
FILE = Location("next.bin")
WRONG = {
    "tensor": "a",
    "expected": "depth 0",
    "found": "depth 1",
    "where": {"file": "next.bin", "byte_offset": 8},
}
STATE = {
    "identity": {"wrong": [], "named": {"sha256": 1, "depth": 2}, "places": 4},
    "coverage": [],
    "altered": [],
    "changed": ["a"],
    "base_tensors": 3,
}
MISFIT = {
    "tensor": "a",
    "file": "next.bin",
    "message": "tensor 'a' has a different shape",
    "expected": "[3]",
    "found": "[4]",
    "fix": "transpose it",
}


def state(**facts: Any) -> dict[str, Any]:
    return {"state": {**STATE, **facts}}


def wrong(**facts: Any) -> dict[str, Any]:
    return state(identity={**STATE["identity"], "wrong": [{**WRONG, **facts}]})


MERGE = merge("m", "a", "b")
MERGED = sample_subject(
    replace(MERGE, merge_of=(Branch("a", 1.0), Branch("b", 3.0))), pointer="/samples/1"
)
DIRECT = sample_subject(sample("direct"), pointer="/samples/2")
EQUAL = WHOLE.narrowed(EqualSubject, other=DIRECT)


def both(ours: str, theirs: str) -> dict[str, Any]:
    """Return evidence of two samples of one tensor, with its digest in each."""

    def decoded(digest: str) -> dict[str, Any]:
        return {"fitted": {"a": {"dtype": "float32", "shape": [3], "sha256": digest}}}

    return {"decode": decoded(ours), "decode direct": decoded(theirs)}


def misapplied(
    *steps: tuple[str, int], digests: Any = None, same: bool = False, by: str | None = None
) -> tuple[Subject, dict[str, Any]]:
    """Return a subject and evidence: the steps taken instead, and what noticed them."""
    misapplication = Misapplication("dropped", "next", 0, None, steps, ("next", 0), "next left out")
    claims = replace(CLAIMED, tensor_digests=digests or {})
    subject = WHOLE.narrowed(
        MisappliedSubject, misapplication=misapplication, sample=replace(NEXT, claims=claims)
    )
    measured: dict[str, Any] = {"same_tensors": same, "detected_by": by}
    if by is not None:
        measured |= {"step": "next#0", "message": "no parent", "expected": "0", "found": "1"}
    return subject, {"misapplication": measured}


DIGESTS = {"a": "aa"}
DECLARED, UNNOTICED = "declared digests", {"misapplication": "dropped", "detected_by": None}
MUTATION = "UPDATE-MUTATION-001"


@pytest.mark.parametrize(
    ("check", "subject", "found", "verdict", "fields"),
    [
        case(
            "named",
            "UPDATE-PARENT-001",
            STEP,
            state(),
            message="3 of 4 places",
            found="2 by depth, 1 by sha256",
            evidence={"places": 4, "named": {"sha256": 1, "depth": 2}},
        ),
        case(
            "none-named",
            "UPDATE-PARENT-001",
            STEP,
            state(identity={**STATE["identity"], "named": {}}),
            message="0 of 4 places",
        ),
        case(
            "another-named-for-a-tensor",
            "UPDATE-PARENT-001",
            STEP,
            wrong(),
            "fail",
            message="parent for 'a'",
            expected="depth 0",
            found="depth 1",
            where=Location("next.bin", byte_offset=8),
            evidence={"wrong": 1},
        ),
        case("another-named", "UPDATE-PARENT-001", STEP, wrong(tensor=None), "fail"),
        case(
            "applies",
            "UPDATE-STEP-001",
            STEP,
            state(),
            message="1 of 3 tensors",
            evidence={"updated": 1, "tensors": 3},
        ),
        case("is-not-applied-to-another", "UPDATE-STEP-001", STEP, wrong(), "not-run"),
        case(
            "does-not-fit",
            "UPDATE-STEP-001",
            STEP,
            state(coverage=[MISFIT]),
            "fail",
            where=replace(FILE, element="a"),
        ),
        case("unaltered", "UPDATE-BASE-001", STEP, state(), message="3 tensors"),
        case("base-of-another", "UPDATE-BASE-001", STEP, wrong(), "not-run"),
        case(
            "altered",
            "UPDATE-BASE-001",
            STEP,
            state(altered=["a", "b"]),
            "fail",
            found="a, b",
            where=FILE,
        ),
        case(
            "merged",
            "UPDATE-MERGE-001",
            MERGED,
            state(),
            message="2 branches",
            evidence={"shares": {"a": 0.25, "b": 0.75}},
        ),
        case(
            "branches-do-not-fit",
            "UPDATE-MERGE-001",
            MERGED,
            state(coverage=[MISFIT]),
            "fail",
            message="'a' has a different shape",
            where=Location(JSON, "/samples/1/merge_of", element="a"),
        ),
        case(
            "size",
            "UPDATE-SIZE-001",
            DERIVED,
            {},
            evidence={"step": 100, "cumulative": 900},
        ),
        case(
            "one-byte-less",
            "UPDATE-SIZE-001",
            replace(DERIVED, leading_bytes=899),
            {},
            "fail",
            expected="900, as claimed",
            found="899 bytes",
            where=Location(JSON, "/samples/1/claims/cumulative_size"),
            fix="claim 899",
        ),
        case("equal", "UPDATE-EQUAL-001", EQUAL, both("aa", "aa"), message="'direct'"),
        case(
            "one-bit-differs",
            "UPDATE-EQUAL-001",
            EQUAL,
            both("aa", "ab"),
            "fail",
            message="tensor 'a' is not that of 'direct'",
            expected="float32[3], sha256 ab",
            found="float32[3], sha256 aa",
            where=Location(JSON, "/samples/1/same_tensors_as", element="a"),
        ),
        case(
            "noticed-by-the-bitstream",
            MUTATION,
            *misapplied(("next", 0), by="digest"),
            message="next left out: noticed (next#0: no parent)",
            expected="0",
            found="1",
            evidence={"misapplication": "dropped", "detected_by": "digest", "same_tensors": False},
        ),
        case(
            "noticed-by-declared-digests",
            MUTATION,
            *misapplied(digests=DIGESTS),
            message="digests declared",
            evidence={"misapplication": "dropped", "detected_by": DECLARED, "same_tensors": False},
        ),
        case(
            "unnoticed",
            MUTATION,
            *misapplied(("next", 0)),
            "fail",
            message="next left out, and nothing in the bitstreams notices; other tensors come out",
            where=FILE,
            evidence={**UNNOTICED, "same_tensors": False},
        ),
        case(
            "unnoticed-without-digests",
            MUTATION,
            *misapplied(),
            "fail",
            evidence={**UNNOTICED, "same_tensors": False},
        ),
        case(
            "unnoticed-by-digests-of-another-state",
            MUTATION,
            *misapplied(("next", 0), digests=DIGESTS),
            "fail",
            evidence={**UNNOTICED, "same_tensors": False},
        ),
        case(
            "unnoticed-with-the-same-tensors",
            MUTATION,
            *misapplied(digests=DIGESTS, same=True),
            "fail",
            message="the outcome is the same",
            evidence={**UNNOTICED, "same_tensors": True},
        ),
    ],
)
def test_a_check_accepts_what_lies_just_inside(
    check: str, subject: Subject, found: Any, verdict: str, fields: dict[str, Any]
) -> None:
    assert_found(only(check, subject, found), verdict, fields)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("a", "the update names a different parent for 'a'"),
        (None, "the update names a different parent"),
    ],
)
def test_a_wrong_parent_of_the_whole_names_no_tensor(named: str | None, message: str) -> None:
    assert only("UPDATE-PARENT-001", STEP, wrong(tensor=named)).message == message


def test_twenty_places_are_shown_of_those_with_a_wrong_parent() -> None:
    identity = {**STATE["identity"], "wrong": [WRONG] * 21}
    findings = concluded(judge_of("UPDATE-PARENT-001", STEP, state(identity=identity)))
    assert len(findings) == 20
    assert {each.evidence["wrong"] for each in findings} == {21}
