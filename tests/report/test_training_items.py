"""The reports say where the number of training items is not known, or nothing was trained."""

from __future__ import annotations

import copy

import pytest

from conformance.report.pages import render_html, render_markdown
from conformance.report.validate import validate_report
from tests.report import example

DATA = {"id": "t", "name": "Texts", "items": 1077}


@pytest.mark.parametrize(
    ("datasets", "said"),
    [
        ([DATA], "1,077"),
        ([{**DATA, "items": None}], "not published"),
        ([DATA, {**DATA, "items": None}], "1,077 + not published"),
    ],
)
def test_training_items_are_shown(datasets: list[dict], said: str) -> None:
    report = copy.deepcopy(example.build())
    report["models"][0]["training_data"] = datasets
    validate_report(report)
    assert said in render_html(report)
    assert f"| {said} |" in render_markdown(report)
