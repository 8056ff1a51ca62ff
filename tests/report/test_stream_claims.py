"""Claims in a bitstream stand next to the values that were measured."""

from __future__ import annotations

import pytest

from conformance.report.stream_claims import beside_measured

ROW = {
    "metric": "top1",
    "kind": "top-k-accuracy",
    "vectors": "test",
    "reference": 0.98,
    "value": 0.97,
    "verdict": "pass",
}


def claims(metric_type: str | None) -> dict:
    return {"performance_metric_type": metric_type, "validation_set_performance": 0.75}


@pytest.mark.parametrize("named", ["top1", "Top-1", "top-k-accuracy", "Top K accuracy"])
def test_metric_is_found_by_its_id_or_kind(named: str) -> None:
    shown = beside_measured(claims(named), [ROW, {**ROW, "metric": "loss", "kind": "mse"}])
    assert shown == {
        **claims(named),
        "measured": [{"metric": "top1", "vectors": "test", "reference": 0.98, "value": 0.97}],
    }


@pytest.mark.parametrize("named", [None, "", "—", "top5", "accuracy"])
def test_metric_of_another_name_is_not_guessed(named: str | None) -> None:
    unnamed = {**ROW, "metric": "-", "kind": ""}
    assert beside_measured(claims(named), [ROW, unnamed]) == {**claims(named), "measured": []}


def test_every_vector_set_is_shown() -> None:
    shown = beside_measured(claims("top1"), [ROW, {**ROW, "vectors": "night"}])
    assert shown is not None
    assert [row["vectors"] for row in shown["measured"]] == ["test", "night"]


def test_sample_that_is_no_bitstream_claims_nothing() -> None:
    assert beside_measured(None, [ROW]) is None
