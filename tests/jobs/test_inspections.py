"""What is said of bitstreams, of one and of several together."""

from __future__ import annotations

from typing import Any

from conformance.codecs import Inspection, RuleViolation
from conformance.jobs.decoding import MOST_VIOLATIONS, inspected, together
from conformance.verdicts import Location


def violation(number: int, *, warning: bool = False) -> RuleViolation:
    where = Location("file")
    said = {"message": "broken", "expected": "e", "found": "f", "where": where, "fix": "m"}
    return RuleViolation(rule=f"R-{number}", text="rule", is_warning=warning, command="c", **said)


def looked_at(failures: int, warnings: int, **claims: Any) -> Any:
    found = [violation(n) for n in range(failures)]
    found += [violation(n, warning=True) for n in range(warnings)]
    return inspected(lambda: Inspection(claims, tuple(found)))


def test_failures_and_warnings_are_told_apart() -> None:
    found = looked_at(2, 1, title="x")
    assert [each.rule for each in found.violations] == ["R-0", "R-1"]
    assert [each.is_warning for each in found.warnings] == [True]
    assert (found.claims, found.unlisted) == ({"title": "x"}, 0)


def test_what_is_too_much_is_counted() -> None:
    found = looked_at(MOST_VIOLATIONS + 3, MOST_VIOLATIONS + 4)
    assert (len(found.violations), len(found.warnings)) == (MOST_VIOLATIONS,) * 2
    assert found.unlisted == 7


def test_nothing_together_is_none() -> None:
    assert together([]) is None


def test_several_streams_have_the_claims_of_the_last() -> None:
    found = together([looked_at(1, 0, n=1), looked_at(0, 2, n=2)])
    assert found is not None
    assert found.claims == {"n": 2}
    assert (len(found.violations), len(found.warnings), found.unlisted) == (1, 2, 0)


def test_what_is_too_much_together_is_counted_as_well() -> None:
    found = together([looked_at(MOST_VIOLATIONS + 1, 0), looked_at(5, 0)])
    assert found is not None
    assert len(found.violations) == MOST_VIOLATIONS
    assert found.unlisted == 6
