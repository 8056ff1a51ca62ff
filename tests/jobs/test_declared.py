"""What a model file does not tell of its inputs and outputs is held against the arrays."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.jobs.vectors import check_untold
from conformance.runtimes import ANY_DTYPE, ANY_SHAPE, PortInfo
from conformance.submission.values import Port
from conformance.verdicts import ConformanceError

UNTOLD = PortInfo("x", ANY_DTYPE, ANY_SHAPE)
DECLARED = Port("x", "float32", ("N", 4))


def check(array: np.ndarray, port: PortInfo = UNTOLD) -> None:
    check_untold([port], [DECLARED], {"x": array}, "inputs")


def test_an_array_as_declared_is_accepted() -> None:
    check(np.zeros((7, 4), np.float32))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((7, 5), np.float32),
        np.zeros((7, 4, 1), np.float32),
        np.zeros((7, 4), np.float64),
    ],
    ids=["another size", "another rank", "another type"],
)
def test_an_array_that_is_not_as_declared_is_refused(array) -> None:
    with pytest.raises(ConformanceError, match="declared otherwise") as caught:
        check(array)
    error = caught.value
    assert error.expected == "float32 of shape [N, 4], as declared"
    assert array.dtype.name in error.found
    assert error.where.element == "inputs of the model: x"


def test_what_the_model_file_tells_is_checked_elsewhere() -> None:
    check(np.zeros(3), PortInfo("x", "float32", (None, 4)))


def test_arrays_that_are_not_declared_are_left_to_other_checks() -> None:
    check_untold([UNTOLD], [], {"x": np.zeros(3)}, "outputs")


SHAPELESS = PortInfo("x", "float32", ())


@pytest.mark.parametrize("shape", [(7, 4), (1, 4)])
def test_shape_that_is_not_told_may_be_any_that_fits(shape: tuple[int, ...]) -> None:
    check(np.zeros(shape, np.float32), SHAPELESS)


@pytest.mark.parametrize("shape", [(7, 5), (7, 4, 1), ()], ids=["size", "rank", "scalar"])
def test_shape_that_is_not_told_is_held_against_the_array(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConformanceError, match="declared otherwise"):
        check(np.zeros(shape, np.float32), SHAPELESS)
