from __future__ import annotations

import time

import pytest

from conformance.judging.grouped import Grouped
from conformance.verdicts import Verdict
from tests.judging.found import about, sample

A, B = sample("a"), sample("b")


def test_only_required_checks_count_for_a_sample() -> None:
    grouped = Grouped(
        [
            about("SAMPLE-SIZE-001", A, verdict="pass"),
            about("UPDATE-MUTATION-001", A, verdict="fail", required=False),
        ]
    )
    assert grouped.required_verdicts("a") == [Verdict.PASS]
    assert not grouped.required_verdicts("b")


@pytest.mark.parametrize(
    ("verdicts", "proven"),
    [([], False), (["pass"], True), (["pass", "fail"], False), (["not-run"], False)],
)
def test_lossless_is_what_was_found_to_be(verdicts: list[str], proven: bool) -> None:
    found = [about("SAMPLE-LOSSLESS-001", A, verdict=verdict) for verdict in verdicts]
    elsewhere = about("SAMPLE-LOSSLESS-001", B, verdict="fail")
    assert Grouped([*found, elsewhere]).is_proven_lossless("a") is proven


def test_misapplications_are_those_of_the_sample() -> None:
    grouped = Grouped(
        [
            about("UPDATE-MUTATION-001", A, verdict="fail"),
            about("UPDATE-MUTATION-001", B, verdict="pass"),
        ]
    )
    assert grouped.misapplications("a") == [Verdict.FAIL]
    assert not grouped.misapplications("c")


def test_looking_up_does_not_slow_down_with_the_number_of_findings() -> None:
    def seconds(amount: int) -> float:
        samples = [sample(f"s{i}") for i in range(amount)]
        found = [about("METRIC-DELTA-001", each) for each in samples]
        started = time.process_time()
        grouped = Grouped(found)
        assert all(grouped.required_verdicts(each.id) for each in samples)
        return time.process_time() - started

    assert min(seconds(4000) for _ in range(3)) < 12 * max(
        min(seconds(1000) for _ in range(3)), 0.01
    )
