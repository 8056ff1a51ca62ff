"""Differences joined to parameters: one rounding, in the parameter's own type, or a refusal."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conformance.jobs.chain_state import altered, joined, misfits
from conformance.plan.results import TensorProblem
from conformance.tensorfiles import tensor_digest
from conformance.verdicts import ConformanceError

FLOATS = [np.float16, np.float32, np.float64, ml_dtypes.bfloat16]
INTEGERS = [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64]


def only(before: np.ndarray, difference: np.ndarray, mode: str = "add") -> np.ndarray:
    held = {"w": before, "kept": before}
    assert list(misfits(held, {"w": difference}, "file")) == []
    after = joined(held, {"w": difference}, mode, "file")  # type: ignore[arg-type]
    assert after["kept"] is before
    return after["w"]


def refused(before: np.ndarray, difference: np.ndarray, name: str = "w") -> TensorProblem:
    (problem,) = misfits({"w": before}, {name: difference}, "file")
    assert problem.fix
    return problem


# --- Sums


@pytest.mark.parametrize("kind", FLOATS, ids=lambda kind: np.dtype(kind).name)
def test_a_sum_is_rounded_once_to_the_type_of_the_parameter(kind: type) -> None:
    random = np.random.default_rng(1)
    before, difference = (random.normal(size=(40, 5)).astype(kind) for _ in range(2))
    after = only(before, difference)
    exact = before.astype(np.longdouble) + difference.astype(np.longdouble)
    assert after.dtype == before.dtype
    # A sum of two such numbers is exact in long double, so that this rounds once as well.
    np.testing.assert_array_equal(after, exact.astype(np.float64).astype(kind))


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
def test_narrower_differences_are_added_in_the_wider_type(kind: type) -> None:
    random = np.random.default_rng(2)
    before = random.normal(size=30).astype(np.float32)
    difference = random.normal(size=30).astype(kind)
    after = only(before, difference)
    np.testing.assert_array_equal(after, before + difference.astype(np.float32))
    assert after.dtype == np.float32


def test_float64_of_a_codebook_is_added_if_it_holds_float32_values() -> None:
    before = np.ones(3, np.float32)
    values = np.array([0.1, 0.2, 0.3], np.float32)
    np.testing.assert_array_equal(only(before, values.astype(np.float64)), before + values)


def test_float64_that_float32_does_not_hold_is_refused() -> None:
    told = refused(np.ones(3, np.float32), np.array([0.1, 0.2, 0.3]))
    assert "cannot be added in the type of its base" in told.message
    assert (told.expected, told.found) == (
        "float32, or a narrower type",
        "float64 for float32",
    )
    assert "to the type of the parameter" in told.fix


@given(
    arrays(np.float32, 12, elements=st.floats(width=32)),
    arrays(np.float32, 12, elements=st.floats(width=32)),
)
def test_any_floats_are_added_as_ieee_754_does(before: np.ndarray, difference: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        expected = before + difference
    assert only(before, difference).tobytes() == expected.tobytes()


def test_an_overflow_of_floats_is_infinite_and_no_crash() -> None:
    largest = np.full(1, np.finfo(np.float32).max, np.float32)
    assert np.isinf(only(largest, largest))


@pytest.mark.parametrize("mode", ["add", "replace"])
def test_scalars_and_empty_tensors_stay_what_they_are(mode: str) -> None:
    for shape in ((), (0, 3), (1,)):
        before = np.ones(shape, np.float32)
        assert only(before, np.ones(shape, np.float32), mode).shape == shape


def test_arrays_that_are_not_contiguous_are_added_element_by_element() -> None:
    before = np.arange(6, dtype=np.float32).reshape(2, 3)
    turned = np.arange(6, dtype=np.float32).reshape(3, 2).T
    np.testing.assert_array_equal(only(before, turned), before + turned)


def test_the_base_is_never_written_to() -> None:
    before = np.ones(4, np.float32)
    before.flags.writeable = False
    difference = np.ones(4, np.float32)
    only(before, difference)
    np.testing.assert_array_equal(before, 1)
    np.testing.assert_array_equal(difference, 1)


def test_replaced_values_are_in_the_type_of_the_parameter() -> None:
    after = only(np.zeros(3, np.float32), np.array([1, 2, 3], np.float16), "replace")
    assert (after.dtype, after.tolist()) == (np.float32, [1.0, 2.0, 3.0])


# --- Whole numbers


@given(st.data(), st.sampled_from(INTEGERS))
def test_whole_numbers_are_added_exactly_or_refused(data: st.DataObject, kind: type) -> None:
    ends = np.iinfo(kind)
    numbers = st.lists(st.integers(int(ends.min), int(ends.max)), min_size=3, max_size=3)
    one, other = data.draw(numbers), data.draw(numbers)
    before, difference = np.array(one, kind), np.array(other, kind)
    sums = [a + b for a, b in zip(one, other, strict=True)]
    if all(ends.min <= each <= ends.max for each in sums):
        assert only(before, difference).tolist() == sums
    else:
        with pytest.raises(ConformanceError, match="leaves the type"):
            only(before, difference)


@pytest.mark.parametrize(
    ("kind", "start", "step"), [(np.int8, 127, 1), (np.int8, -128, -1), (np.uint8, 255, 1)]
)
def test_an_overflow_is_told_with_tensor_and_file(kind: type, start: int, step: int) -> None:
    with pytest.raises(ConformanceError) as caught:
        only(np.array([start], kind), np.array([step], kind))
    error = caught.value
    assert "the sum for 'w' leaves the type of the parameter" in error.message
    assert error.where is not None
    assert (error.where.file, error.where.element) == ("file", "w")
    assert error.expected == f"values that {np.dtype(kind).name} holds"
    assert error.found == "an overflow"
    assert "made for" in error.fix


def test_narrower_whole_numbers_fit() -> None:
    after = only(np.array([1000], np.int64), np.array([-3], np.int32))
    assert (after.dtype, after.tolist()) == (np.int64, [997])


# --- What does not fit


def test_a_tensor_that_the_base_lacks_is_refused() -> None:
    told = refused(np.ones(3, np.float32), np.ones((2, 1), np.float16), "v")
    assert told.message == "the update holds a tensor 'v' that its base lacks"
    assert (told.expected, told.found) == ("parameters named w", "float16[2, 1]")
    assert "name_map" in told.fix
    assert (told.tensor, told.file) == ("v", "file")


@pytest.mark.parametrize("shape", [(), (3, 1), (4,), (0,)])
def test_another_shape_is_refused_also_if_it_could_be_broadcast(shape: tuple[int, ...]) -> None:
    told = refused(np.ones(3, np.float32), np.ones(shape, np.float32))
    assert told.message == "tensor 'w' of the update has another shape than in its base"
    assert (told.expected, told.found) == ("[3]", str(list(shape)))


@pytest.mark.parametrize(
    ("before", "difference"),
    [
        (np.int8, np.int32),
        (np.uint8, np.int8),
        (np.float32, np.int32),
        (np.int32, np.float32),
        (np.float16, np.float32),
        (np.float16, ml_dtypes.bfloat16),
    ],
    ids=lambda kind: np.dtype(kind).name,
)
def test_values_that_the_type_does_not_hold_are_refused(before: type, difference: type) -> None:
    value = 2**24 + 1 if difference is np.int32 else 2.0**-60 if difference is not np.int8 else 1
    told = refused(np.ones(3, before), np.full(3, value, difference))
    assert told.found == f"{np.dtype(difference).name} for {np.dtype(before).name}"


def test_truth_values_and_texts_have_no_differences() -> None:
    assert refused(np.ones(2, bool), np.ones(2, bool)).expected == "numbers"
    assert refused(np.array(["a"]), np.array(["a"])).expected == "numbers"


def test_every_tensor_that_does_not_fit_is_told_in_order() -> None:
    before = {"w": np.ones(3, np.float32), "b": np.ones(3, np.float32)}
    tensors = {"z": np.ones(1), "w": np.ones(4, np.float32), "b": np.ones(3, np.complex64)}
    assert [each.tensor for each in misfits(before, tensors, "file")] == ["b", "w", "z"]


# --- A base that was altered


def test_arrays_that_are_what_they_were_are_not_named() -> None:
    held = {"w": np.ones(3, np.float32), "b": np.zeros(2, np.float16)}
    digests = {name: tensor_digest(array) for name, array in held.items()}
    assert altered(held, digests) == []
    held["b"][1] = 5e-8
    assert altered(held, digests) == ["b"]
