"""A name map arranges what is in a sample's files; it does not hold parameters itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.jobs.uses import overused
from conformance.submission.building import name_mapping
from conformance.verdicts import ConformanceError
from tests import tiny_submission
from tests.jobs.bench import Bench, add_sample

SIGNS = {"minus": np.array([-1], np.float32), "plus": np.array([1], np.float32)}


def entries(*given: dict) -> list:
    return [name_mapping({"model": str(index), **entry}) for index, entry in enumerate(given)]


def cut(axis: int, begin: int, end: int) -> dict:
    return {"sample": "t", "slice": {"axis": axis, "begin": begin, "end": end}}


def test_parameters_that_are_written_into_the_name_map_are_refused(tiny: Path) -> None:
    weight = tiny_submission.weights()["fc.weight"]
    signs = ["plus" if value > 0 else "minus" for value in weight.reshape(-1)]
    lists = [
        {
            "sample": signs,
            "model": "fc.weight",
            "reshape": [1, 1],
            "combine": {"how": "concatenate"},
        },
        {"sample": ["plus", "minus"], "model": "fc.bias", "combine": {"how": "concatenate"}},
    ]
    add_sample(tiny, "odd", SIGNS, name_map=lists)
    with pytest.raises(ConformanceError, match="again and again") as caught:
        Bench(tiny).evaluate("decode", sample="odd")
    error = caught.value
    assert error.where.pointer == "/samples/3/name_map"
    assert "at most 4 times" in error.expected
    assert "times" in error.found
    assert "store the parameters in the sample" in error.fix


@pytest.mark.parametrize(
    "given",
    [
        [{"sample": "t"}] * 4,
        [cut(0, begin, begin + 64) for begin in (0, 64, 128, 192)] * 4,
        [cut(0, 0, 8)] * 2 + [cut(1, 0, 8), {"sample": "t"}],
    ],
    ids=["whole", "gates", "several axes"],
)
def test_tied_and_divided_parameters_are_no_overuse(given: list[dict]) -> None:
    assert overused(entries(*given)) is None


@pytest.mark.parametrize(
    "given",
    [
        [{"sample": "t"}] * 5,
        [{"sample": ["t"] * 5}],
        [cut(0, begin, begin + 16) for begin in range(64)],
        [cut(axis, 0, 1) for axis in range(5)],
    ],
    ids=["whole", "in one list", "windows", "axes of one value"],
)
def test_values_that_are_taken_again_and_again_are_overused(given: list[dict]) -> None:
    name, times = overused(entries(*given))
    assert name == "t"
    assert times > 4
