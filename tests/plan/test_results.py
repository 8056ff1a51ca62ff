"""Results of jobs, made of the JSON that workers answer."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.plan.jobs import Measuring
from conformance.plan.results import (
    ControlResult,
    DecodeResult,
    LayeringResult,
    ModelResult,
    OriginalResult,
    ReconstructionResult,
    Result,
    StateResult,
    result_from_json,
)
from conformance.verdicts import EvaluationError, Location, UnsupportedError
from tests.results import made

LAYERING = {
    "layers": 2,
    "tensors": 4,
    "differing": [],
    "altered": ["w"],
    "behind": None,
    "size": 10,
    "units": 0,
}


def test_each_kind_of_job_has_a_result_of_its_own() -> None:
    jobs = {job.kind: job.Result for job in Measuring.__subclasses__()}
    assert len(jobs) == len(set(jobs.values()))


def test_a_result_is_made_of_json_and_gives_it_back() -> None:
    result = result_from_json(LayeringResult, LAYERING)
    assert result.altered == ("w",)
    assert result.to_json() == LAYERING


@pytest.mark.parametrize(
    "changed",
    [{"more": 1}, {"size": "10"}, {"size": 1.5}, {"behind": 0}, {"altered": "w"}, {"altered": [1]}],
    ids=str,
)
def test_anything_else_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"LayeringResult|Expected"):
        result_from_json(LayeringResult, {**LAYERING, **changed})


def test_what_is_missing_is_refused() -> None:
    without = {name: value for name, value in LAYERING.items() if name != "size"}
    with pytest.raises(ValueError, match="size"):
        result_from_json(LayeringResult, without)


@pytest.mark.parametrize("data", [None, [], "text", 1])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="Expected"):
        result_from_json(LayeringResult, data)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", 0.5, 2])
def test_numbers_may_be_none_that_are_finite(number: Any) -> None:
    result = made(OriginalResult, {"metrics": {"top1": {"value": number}}})
    assert str(float(result.metrics["top1"].row.value)) == str(float(number))


@pytest.mark.parametrize("number", ["infinity", "0.5", None, True])
def test_no_other_string_is_a_number(number: Any) -> None:
    with pytest.raises(ValueError, match="value"):
        made(OriginalResult, {"metrics": {"top1": {"value": number}}})


def test_an_error_stands_in_the_place_of_a_row() -> None:
    error = EvaluationError("broke", where=Location("a.npz"), fix="mend it")
    result = made(ReconstructionResult, {"metrics": {"top1": {"error": error}}})
    for _ in range(2):
        with pytest.raises(EvaluationError) as caught:
            _ = result.metrics["top1"].row
        assert caught.value.to_json() == error.to_json()
        caught.value.where = None  # A copy each time: what one caller does to it, no other sees.
    assert result.to_json()["metrics"] == {"top1": {"error": error.to_json()}}


@pytest.mark.parametrize("row", [{"error": {}}, {"error": None}, {"error": {"verdict": "odd"}}])
def test_an_error_that_is_none_is_refused(row: Any) -> None:
    cells = {"items": 1, "metrics": {"top1": {"zeros": row, "shuffled": []}}}
    with pytest.raises(ValueError, match="zeros"):
        result_from_json(ControlResult, cells)


def test_errors_of_a_model_are_errors() -> None:
    error = UnsupportedError("a table", where=Location("m.onnx", element="w"))
    result = made(ModelResult, {"unreplaceable": error})
    assert isinstance(result.unreplaceable, UnsupportedError)
    assert result.to_json()["unreplaceable"] == error.to_json()


@pytest.mark.parametrize(
    ("result", "obstacle"),
    [
        (made(DecodeResult, {}), ""),
        (made(DecodeResult, {"usable": False}), "tensors that are missing"),
        (made(StateResult, {}), ""),
        (made(StateResult, {"usable": False}), "tensors that are missing"),
        (made(StateResult, {"usable": False, "identity": {"wrong": [{}]}}), "a different parent"),
        (made(LayeringResult, {}), ""),
    ],
)
def test_nothing_is_built_upon_what_is_not_usable(result: Result, obstacle: str) -> None:
    assert result.obstacle.startswith(obstacle)
    assert bool(result.obstacle) is bool(obstacle)
