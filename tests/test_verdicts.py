"""Verdicts, findings, the errors that become findings, and the verdict of a whole run."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import verdicts
from conformance.verdicts import (
    EXIT_OF_OVERALL,
    OPEN,
    REFUSING,
    CaseTimeoutError,
    ConformanceError,
    EvaluationError,
    ExitCode,
    Finding,
    LimitError,
    Location,
    MalformedError,
    NotRunError,
    Problem,
    UnsupportedError,
    Verdict,
    command_to_repeat,
    error_from_json,
    overall,
)

ERRORS = {
    ConformanceError: Verdict.FAIL,
    MalformedError: Verdict.MALFORMED,
    LimitError: Verdict.MALFORMED,
    UnsupportedError: Verdict.UNSUPPORTED,
    NotRunError: Verdict.NOT_RUN,
    CaseTimeoutError: Verdict.TIMEOUT,
    EvaluationError: Verdict.ERROR,
}

texts = st.text(max_size=30)
counts = st.integers(min_value=0, max_value=2**40)
locations = st.builds(
    Location,
    file=st.none() | texts,
    pointer=st.none() | texts,
    line=st.none() | counts,
    column=st.none() | counts,
    byte_offset=st.none() | counts,
    element=st.none() | texts,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
findings = st.builds(
    Finding,
    check=texts,
    subject=texts,
    verdict=st.sampled_from(Verdict),
    clause=texts,
    message=texts,
    expected=texts,
    found=texts,
    where=st.none() | locations,
    fix=texts,
    evidence=st.dictionaries(texts, json_values, max_size=3),
)


def through_json(value: object) -> object:
    return json.loads(json.dumps(value))


@given(locations)
def test_a_location_survives_json(location: Location) -> None:
    assert Location.from_json(through_json(location.to_json())) == location


@given(locations)
def test_a_location_in_json_holds_only_what_is_set(location: Location) -> None:
    fields = {field.name for field in dataclasses.fields(Location)}
    assert location.to_json().keys() == {
        name for name in fields if getattr(location, name) is not None
    }


@given(findings)
def test_a_finding_survives_json(finding: Finding) -> None:
    again = Finding.from_json(through_json(finding.to_json()))
    assert dataclasses.replace(again, where=None) == dataclasses.replace(finding, where=None)
    # A place of which nothing is known and no place are one and the same.
    assert (again.where or Location()) == (finding.where or Location())


def test_a_finding_in_json_has_every_field_and_plain_values() -> None:
    data = Finding("A-001", "subject", Verdict.NOT_RUN).to_json()
    assert data == {
        "check": "A-001",
        "subject": "subject",
        "verdict": "not-run",
        "clause": "",
        "message": "",
        "expected": "",
        "found": "",
        "where": None,
        "fix": "",
        "evidence": {},
    }
    assert type(data["verdict"]) is str


def test_a_field_that_is_not_known_is_no_finding() -> None:
    data = Finding("A-001", "subject", Verdict.PASS).to_json()
    with pytest.raises(TypeError, match="unheard_of"):
        Finding.from_json({**data, "unheard_of": 1})


def test_a_verdict_that_is_not_known_is_no_finding() -> None:
    data = Finding("A-001", "subject", Verdict.PASS).to_json()
    with pytest.raises(ValueError, match="passed"):
        Finding.from_json({**data, "verdict": "passed"})


def test_values_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Location("a").file = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        Finding("A-001", "subject", Verdict.FAIL).verdict = Verdict.PASS


@pytest.mark.parametrize(
    ("location", "text"),
    [
        (Location(), ""),
        (Location("a.json"), "a.json"),
        (Location("a.json", line=3), "a.json:3"),
        (Location("a.json", line=3, column=7), "a.json:3:7"),
        (Location("a.json", column=7), "a.json"),
        (Location("a.json", pointer="/models/0"), "a.json at /models/0"),
        (Location("a.json", pointer=""), "a.json at / (the whole document)"),
        (Location("a.xz", byte_offset=0), "a.xz byte 0"),
        (Location("a.xz", byte_offset=12, element="magic"), "a.xz byte 12 (magic)"),
        (Location(element="args.k"), "(args.k)"),
        (
            Location("a", pointer="/b", line=1, column=2, byte_offset=3, element="c"),
            "a:1:2 at /b byte 3 (c)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value else None,
)
def test_a_location_is_written_from_file_to_element(location: Location, text: str) -> None:
    assert str(location) == text


def test_a_finding_is_written_with_all_that_helps_to_mend_it() -> None:
    finding = Finding(
        check="SAMPLE-DECODE-001",
        subject="net/int8",
        verdict=Verdict.MALFORMED,
        clause="a clause",
        message="the file ends too soon",
        expected="12 bytes",
        found="7 bytes",
        where=Location("int8.bin", byte_offset=5),
        fix="submit the whole file",
    )
    assert str(finding).splitlines() == [
        "SAMPLE-DECODE-001 malformed: net/int8: the file ends too soon",
        "  where     int8.bin byte 5",
        "  expected  12 bytes",
        "  found     7 bytes",
        "  fix       submit the whole file",
        "  basis     a clause",
    ]


def test_what_a_finding_does_not_know_takes_no_line() -> None:
    finding = Finding("A-001", "net", Verdict.PASS, message="fine", where=Location())
    assert str(finding) == "A-001 pass: net: fine"


def test_an_error_is_written_like_its_finding_without_check_and_clause() -> None:
    error = MalformedError(
        "the file ends too soon",
        where=Location("int8.bin", byte_offset=5),
        expected="12 bytes",
        found="7 bytes",
        fix="submit the whole file",
    )
    finding = error.finding("SAMPLE-DECODE-001", "net/int8")
    assert str(error).splitlines()[0] == "the file ends too soon"
    assert str(error).splitlines()[1:] == str(finding).splitlines()[1:]


def test_an_error_of_one_line_is_its_message() -> None:
    assert str(ConformanceError("it is wrong")) == "it is wrong"


@pytest.mark.parametrize(
    ("kind", "verdict"), ERRORS.items(), ids=lambda each: getattr(each, "__name__", None)
)
def test_an_error_becomes_a_finding_with_its_verdict(
    kind: type[ConformanceError], verdict: Verdict
) -> None:
    where = Location("a.json", pointer="/b")
    error = kind("wrong", where=where, expected="this", found="that", fix="do it")
    assert error.finding("A-001", "net", "clause") == Finding(
        check="A-001",
        subject="net",
        verdict=verdict,
        clause="clause",
        message="wrong",
        expected="this",
        found="that",
        where=where,
        fix="do it",
    )


@given(st.sampled_from(list(ERRORS)), texts, st.none() | locations, st.tuples(texts, texts, texts))
def test_a_problem_survives_as_json_and_as_an_error(
    kind: type[ConformanceError],
    message: str,
    where: Location | None,
    said: tuple[str, str, str],
) -> None:
    expected, found, fix = said
    problem = Problem(message=message, expected=expected, found=found, where=where, fix=fix)
    again = Problem.from_json(through_json(problem.to_json()))
    assert dataclasses.replace(again, where=None) == dataclasses.replace(problem, where=None)
    assert str(again) == str(problem)
    error = problem.error(kind)
    assert (type(error), error.problem, str(error)) == (kind, problem, str(problem))


def test_an_error_can_be_given_its_place_later() -> None:
    error = ConformanceError("wrong", found="that")
    error.where = Location("a.json")
    assert error.problem == Problem(message="wrong", found="that", where=Location("a.json"))


def test_every_kind_of_error_is_known_here() -> None:
    kinds = {
        each
        for each in vars(verdicts).values()
        if isinstance(each, type) and issubclass(each, ConformanceError)
    }
    assert kinds == set(ERRORS)


@given(
    st.sampled_from(list(ERRORS)),
    texts,
    st.none() | locations,
    st.tuples(texts, texts, texts),
)
def test_an_error_survives_json_with_all_it_says(
    kind: type[ConformanceError],
    message: str,
    where: Location | None,
    said: tuple[str, str, str],
) -> None:
    expected, found, fix = said
    error = kind(message, where=where, expected=expected, found=found, fix=fix)
    again = error_from_json(through_json(error.to_json()))
    assert again.verdict is error.verdict
    assert str(again) == str(error)
    assert (again.message, again.expected, again.found, again.fix) == (message, *said)


def test_what_failed_by_a_limit_is_told_from_what_is_malformed() -> None:
    data = LimitError("too large").to_json()
    again = error_from_json(data)
    assert (data["verdict"], data["by_limit"], again.verdict) == ("malformed", True, "malformed")
    assert type(again) is LimitError
    assert type(error_from_json(MalformedError("broken").to_json())) is MalformedError


def test_an_error_can_be_raised_and_caught_as_the_general_one() -> None:
    with pytest.raises(ConformanceError, match="too large"):
        raise LimitError("too large")


def test_every_verdict_passes_refuses_or_leaves_open() -> None:
    passing = {Verdict.PASS, Verdict.WAIVED}
    assert passing | REFUSING | OPEN == set(Verdict)
    assert not passing & REFUSING
    assert not passing & OPEN
    assert not REFUSING & OPEN


@pytest.mark.parametrize("verdict", sorted(REFUSING))
def test_one_refusal_fails_whatever_else_there_is(verdict: Verdict) -> None:
    assert overall([*Verdict, verdict]) == "fail"
    assert overall([Verdict.PASS, verdict]) == "fail"


@pytest.mark.parametrize("verdict", sorted(OPEN))
def test_one_open_check_leaves_a_run_incomplete(verdict: Verdict) -> None:
    assert overall([Verdict.PASS, verdict, Verdict.WAIVED]) == "incomplete"


def test_passed_and_waived_checks_pass() -> None:
    assert overall([Verdict.PASS, Verdict.WAIVED]) == "pass"


def test_no_check_at_all_is_no_pass() -> None:
    assert overall([]) == "incomplete"


@given(st.lists(st.sampled_from(Verdict)))
def test_only_positive_evidence_passes(seen: list[Verdict]) -> None:
    passes = bool(seen) and set(seen) <= {Verdict.PASS, Verdict.WAIVED}
    assert (overall(iter(seen)) == "pass") is passes


@given(st.lists(st.sampled_from(Verdict)), st.sampled_from(sorted(REFUSING | OPEN)))
def test_more_that_did_not_pass_never_makes_a_pass(seen: list[Verdict], more: Verdict) -> None:
    assert overall([*seen, more]) != "pass"


@given(st.permutations(list(Verdict)), st.integers(min_value=0, max_value=len(Verdict)))
def test_the_order_of_checks_does_not_matter(seen: list[Verdict], count: int) -> None:
    assert overall(seen[:count]) == overall(reversed(seen[:count]))


def test_exit_codes_are_the_promised_ones() -> None:
    codes = (ExitCode.PASS, ExitCode.FAIL, ExitCode.USAGE, ExitCode.INCOMPLETE, ExitCode.INTERNAL)
    assert codes == (0, 1, 2, 3, 4)
    assert EXIT_OF_OVERALL == {"pass": 0, "fail": 1, "incomplete": 3}


@pytest.mark.parametrize(
    ("folder", "named"), [("-dash", "./-dash"), ("/a b/-dash", "'/a b/-dash'"), ("sub", "sub")]
)
def test_a_folder_is_no_option_of_the_command_to_repeat(folder: str, named: str) -> None:
    only = command_to_repeat(folder, [("SAMPLE-SIZE-001", "net/half")])
    assert only == f"nnr-conformance run {named} --only SAMPLE-SIZE-001:net/half"
