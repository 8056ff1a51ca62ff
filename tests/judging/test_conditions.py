"""How runs are put into words."""

from __future__ import annotations

import pytest

from conformance.judging.conditions import conditions_of, in_words, in_words_together
from conformance.plan.results import RunConditions
from tests.results import made


def run(size: int | None, settings: dict) -> RunConditions:
    return made(RunConditions, {"batch_size": size, "settings": settings})


def test_runs_are_told_together_if_they_are_alike():
    settings = {"execution_provider": "CPU", "graph_optimization_level": "basic", "other": "1"}
    many, one = (run(size, settings) for size in (256, 1))
    assert in_words_together({"original": many, "sample": many}) == (
        "both in batches of 256, provider CPU, optimisation basic"
    )
    assert in_words_together({"original": many, "sample": one}) == (
        "original in batches of 256, provider CPU, optimisation basic; "
        "sample in batches of 1, provider CPU, optimisation basic"
    )
    assert in_words(run(None, {})) == "one run for each shard"


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        (
            {"engine": "tflite", "op_resolver_type": "AUTO"},
            {"engine": "tflite", "operators": "AUTO"},
        ),
        ({"device": "cpu", "graph_optimisation": False}, {"device": "cpu", "optimisation": False}),
        ({"threads": 1}, {}),
    ],
)
def test_settings_that_say_where_and_how_it_runs_are_shown(settings: dict, shown: dict) -> None:
    ran = run(8, settings)
    assert conditions_of(ran) == {"batch_size": 8, **shown}
    assert in_words(ran) == ", ".join(["batches of 8", *(f"{k} {v}" for k, v in shown.items())])
