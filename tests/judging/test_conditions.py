"""How runs are put into words."""

from __future__ import annotations

import pytest

from conformance.judging.conditions import conditions_of, in_words, in_words_together


def test_runs_are_told_together_if_they_are_alike():
    settings = {"execution_provider": "CPU", "graph_optimization_level": "basic", "other": "1"}
    many, one = ({"batch_size": size, "settings": settings} for size in (256, 1))
    assert in_words_together({"original": many, "sample": many}) == (
        "both in batches of 256, provider CPU, optimisation basic"
    )
    assert in_words_together({"original": many, "sample": one}) == (
        "original in batches of 256, provider CPU, optimisation basic; "
        "sample in batches of 1, provider CPU, optimisation basic"
    )
    assert in_words({"batch_size": None, "settings": {}}) == "one run for each shard"


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
    run = {"batch_size": 8, "settings": settings}
    assert conditions_of(run) == {"batch_size": 8, **shown}
    assert in_words(run) == ", ".join(["batches of 8", *(f"{k} {v}" for k, v in shown.items())])
