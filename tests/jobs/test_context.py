"""Where an error about the means of a case points to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.jobs.context import TaskContext
from conformance.plan.requests import Request
from conformance.verdicts import ConformanceError, Location, MalformedError, UnsupportedError
from tests.jobs.bench import edit
from tests.jobs.in_process import Evaluation
from tests.jobs.made import a_task

TASK: TaskContext[Request] = a_task(Request())


def test_an_unknown_codec_is_found_in_the_metadata(tiny: Path) -> None:
    edit(tiny, lambda metadata: metadata["samples"][1]["codec"].update(id="zip-of-weights"))
    sample = _ids(tiny, "samples")[1]
    with pytest.raises(UnsupportedError, match="zip-of-weights") as caught:
        Evaluation(tiny).result("decode", sample=sample)
    assert caught.value.where == Location("submission.json", pointer="/samples/1/codec/id")


def test_an_unknown_model_format_is_found_in_the_metadata(tiny: Path) -> None:
    edit(tiny, lambda metadata: metadata["models"][0].update(format="unheard-of"))
    with pytest.raises(UnsupportedError, match="unheard-of") as caught:
        Evaluation(tiny).result("model")
    assert caught.value.where == Location("submission.json", pointer="/models/0/format")


def test_an_error_keeps_the_place_it_names() -> None:
    place = Location("model.onnx", element="node")
    with (
        pytest.raises(UnsupportedError) as caught,
        TASK.declared_at("/models/0/format"),
    ):
        raise UnsupportedError("an operator is not known", where=place)
    assert caught.value.where is place


def test_other_errors_are_given_no_place() -> None:
    with (
        pytest.raises(ConformanceError) as caught,
        TASK.declared_at("/models/0/format"),
    ):
        raise MalformedError("the file is damaged")
    assert caught.value.where is None


def _ids(root: Path, section: str) -> list[str]:
    return [each["id"] for each in json.loads((root / "submission.json").read_bytes())[section]]
