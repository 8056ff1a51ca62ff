from __future__ import annotations

import time

from conformance.judging.grouped import Grouped
from conformance.verdicts import Verdict
from tests.judging.found import about, opened, sample

A, B = sample("a"), sample("b")


def test_evidence_is_that_of_the_check_and_the_sample() -> None:
    grouped = Grouped(
        [
            about("METRIC-DELTA-001", A, {"value": 1}),
            about("METRIC-DELTA-001", B, {"value": 2}),
            about("METRIC-NOISE-001", A, {"value": 3}),
            about("METRIC-DELTA-001", A, {"value": 4}),
        ]
    )
    assert grouped.evidence("METRIC-DELTA-001", "a") == [{"value": 1}, {"value": 4}]
    assert grouped.evidence("METRIC-DELTA-001", "c") == []
    assert len(grouped.of_check("METRIC-DELTA-001")) == 3


def test_a_waiver_is_no_evidence() -> None:
    waived = about("METRIC-DELTA-001", A, {"waiver": {"reason": "x"}, "value": 1}, "waived")
    alone = about("METRIC-DELTA-001", B, {"waiver": {"reason": "x"}}, "waived")
    grouped = Grouped([waived, alone])
    assert grouped.evidence("METRIC-DELTA-001", "a") == [{"value": 1}]
    assert grouped.evidence("METRIC-DELTA-001", "b") == []


def test_only_required_checks_count_for_a_sample() -> None:
    grouped = Grouped(
        [
            about("SAMPLE-SIZE-001", A, verdict="pass"),
            about("UPDATE-MUTATION-001", A, verdict="fail", required=False),
        ]
    )
    assert grouped.required_verdicts("a") == [Verdict.PASS]
    assert not grouped.required_verdicts("b")


def test_used_bytes_are_those_of_the_model_with_this_id() -> None:
    grouped = Grouped([opened(3000, "m"), opened(5000, "n")])
    assert [grouped.used_parameter_bytes(model) for model in "mno"] == [3000, 5000, None]


def test_looking_up_does_not_slow_down_with_the_number_of_findings() -> None:
    def seconds(amount: int) -> float:
        samples = [sample(f"s{i}") for i in range(amount)]
        found = [about("METRIC-DELTA-001", each, {"value": 1}) for each in samples]
        started = time.process_time()
        grouped = Grouped(found)
        assert all(grouped.evidence("METRIC-DELTA-001", each.id) for each in samples)
        return time.process_time() - started

    assert min(seconds(4000) for _ in range(3)) < 12 * max(
        min(seconds(1000) for _ in range(3)), 0.01
    )
