"""Name maps: what entries do to tensors, how often they use one, which entry is suggested."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.jobs.coverage import entry_that_fits, tensor_that_fits
from conformance.jobs.name_map import MisfitError, arranged, overused
from conformance.submission.building import name_mapping
from conformance.verdicts import ConformanceError
from tests import tiny_submission
from tests.jobs.bench import add_sample
from tests.jobs.in_process import Evaluation

# --- What the entries do to tensors

LIMIT = 1 << 20


def apply(*arrays: np.ndarray, **changes: object) -> np.ndarray:
    names = [f"t{index}" for index in range(len(arrays))]
    sample = names if len(names) > 1 else names[0]
    return arranged(name_mapping({"sample": sample, "model": "p", **changes}), arrays, LIMIT)


def numbers(*shape: int) -> np.ndarray:
    return np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)


def test_an_entry_without_changes_gives_the_tensor_itself() -> None:
    array = numbers(3, 2)
    assert apply(array) is array


def test_slice_keeps_a_part_of_one_axis() -> None:
    cut = apply(numbers(4, 6), slice={"axis": 1, "begin": 2, "end": 5})
    np.testing.assert_array_equal(cut, numbers(4, 6)[:, 2:5])


def test_gates_are_moved_as_whole_blocks() -> None:
    kernel = np.repeat(np.arange(4), 2)  # two rows each for the gates i, f, g and o
    moved = apply(kernel, permute_gates={"axis": 0, "from": "ifgo", "to": "iofg"})
    assert moved.tolist() == [0, 0, 3, 3, 1, 1, 2, 2]


def test_transpose_turns_hwio_into_oihw() -> None:
    kernel = numbers(3, 2, 5, 7)
    turned = apply(kernel, transpose=[3, 2, 0, 1])
    assert turned.shape == (7, 5, 3, 2)
    assert turned[6, 4, 2, 1] == kernel[2, 1, 4, 6]


def test_reshape_comes_after_transpose() -> None:
    wanted = numbers(2, 3).T.reshape(1, 6)
    np.testing.assert_array_equal(apply(numbers(2, 3), reshape=[1, 6], transpose=[1, 0]), wanted)


def test_concatenation_puts_tensors_side_by_side() -> None:
    whole = apply(numbers(2, 2), numbers(2, 1), combine={"how": "concatenate", "axis": 1})
    assert whole.tolist() == [[0, 1, 0], [2, 3, 1]]


def test_addition_keeps_the_element_type() -> None:
    halves = numbers(3).astype(np.float16), numbers(3).astype(np.float16)
    total = apply(*halves, combine={"how": "add"})
    assert (total.dtype, total.tolist()) == (np.float16, [0, 2, 4])


def test_padding_puts_zeros_around() -> None:
    padded = apply(numbers(2, 2) + 1, pad={"axis": 0, "before": 1, "after": 2})
    assert padded.tolist() == [[0, 0], [1, 2], [3, 4], [0, 0], [0, 0]]


def test_two_biases_of_pytorch_become_the_one_of_onnx() -> None:
    input_bias, hidden_bias = numbers(8), numbers(8) + 100
    whole = apply(
        input_bias,
        hidden_bias,
        permute_gates={"axis": 0, "from": "ifgo", "to": "iofg"},
        reshape=[1, 8],
        combine={"how": "concatenate", "axis": 1},
    )
    order = [0, 1, 6, 7, 2, 3, 4, 5]
    assert whole.tolist() == [[*order, *(100 + each for each in order)]]


@given(st.permutations("ifgo"), st.permutations("ifgo"), st.integers(1, 4))
def test_gates_moved_there_and_back_are_where_they_were(source, target, size) -> None:
    array = numbers(4 * size, 3)
    there = {"axis": 0, "from": "".join(source), "to": "".join(target)}
    back = {"axis": 0, "from": "".join(target), "to": "".join(source)}
    moved = apply(array, permute_gates=there)
    np.testing.assert_array_equal(apply(moved, permute_gates=back), array)


@given(st.permutations(range(4)))
def test_a_transpose_is_what_numpy_makes_of_it(order) -> None:
    array = numbers(2, 3, 4, 5)
    np.testing.assert_array_equal(apply(array, transpose=list(order)), array.transpose(order))


IMPOSSIBLE = {
    "slice beyond the axis": ({"slice": {"axis": 0, "begin": 0, "end": 9}}, "slice from 0 to 9"),
    "slice of nothing": ({"slice": {"axis": 0, "begin": 1, "end": 1}}, "slice from 1 to 1"),
    "slice of no axis": ({"slice": {"axis": 7, "begin": 0, "end": 1}}, "of axis 7"),
    "gates that do not divide": (
        {"permute_gates": {"axis": 1, "from": "ifgo", "to": "iofg"}},
        "along axis 1",
    ),
    "gates with other letters": (
        {"permute_gates": {"axis": 0, "from": "ifgo", "to": "abcd"}},
        "'ifgo' to 'abcd'",
    ),
    "gates named twice": (
        {"permute_gates": {"axis": 0, "from": "ii", "to": "ii"}},
        "'ii' to 'ii'",
    ),
    "transpose of another rank": ({"transpose": [2, 0, 1]}, "transpose [2, 0, 1]"),
    "transpose with an axis twice": ({"transpose": [0, 0]}, "transpose [0, 0]"),
    "reshape to another size": ({"reshape": [5, 5]}, "reshape [5, 5] of shape [4, 3]"),
    "padding of no axis": ({"pad": {"axis": 3, "before": 0, "after": 1}}, "pad of axis 3"),
    "padding beyond the limit": (
        {"pad": {"axis": 0, "before": 0, "after": 1 << 60}},
        "more than 1048576 bytes",
    ),
}


@pytest.mark.parametrize(("changes", "text"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_what_the_shape_does_not_allow_is_refused(changes, text) -> None:
    with pytest.raises(MisfitError) as caught:
        apply(numbers(4, 3), **changes)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "changes", "text"),
    [
        ((numbers(2), numbers(2)), {}, "2 tensors, and no combine"),
        ((numbers(2), numbers(3)), {"combine": {"how": "add"}}, "add of shapes"),
        (
            (numbers(2, 2), numbers(3, 3)),
            {"combine": {"how": "concatenate", "axis": 0}},
            "concatenate of shapes",
        ),
        (
            (numbers(2), numbers(2).astype(np.float64)),
            {"combine": {"how": "concatenate"}},
            "float32, float64",
        ),
        (
            (numbers(1 << 18), numbers(1)),
            {"combine": {"how": "concatenate"}},
            "more than 1048576 bytes",
        ),
    ],
    ids=["not combined", "added", "concatenated", "of two types", "beyond the limit"],
)
def test_tensors_that_do_not_go_together_are_refused(arrays, changes, text) -> None:
    with pytest.raises(MisfitError) as caught:
        apply(*arrays, **changes)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("array", "changes"),
    [
        (numbers(0), {"reshape": [0, 2**62, 4]}),
        (numbers(1), {"reshape": [1] * 100}),
        (numbers(0), {"reshape": [0, 2**70]}),
        (numbers(0, 1), {"pad": {"axis": 1, "before": 2**62, "after": 0}}),
        (numbers(0, 1), {"pad": {"axis": 1, "before": 1e300, "after": 0}}),
    ],
    ids=["bytes", "axes", "size", "padding", "padding beyond integers"],
)
def test_shapes_that_no_array_can_have_are_misfits(array: np.ndarray, changes: dict) -> None:
    with pytest.raises(MisfitError, match="shapes"):
        apply(array, **changes)


def test_texts_cannot_be_added() -> None:
    word = np.array(["a"])
    with pytest.raises(MisfitError):
        apply(word, word, combine={"how": "add"})


# --- A name map does not hold parameters itself

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
        Evaluation(tiny).result("decode", sample="odd")
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


# --- The entry that a finding suggests


@pytest.mark.parametrize(
    ("given_shape", "wanted", "change"),
    [
        ((4, 3), (3, 4), {"transpose": [1, 0]}),
        ((3, 3, 1, 16), (16, 1, 3, 3), {"transpose": [3, 2, 0, 1]}),
        ((2, 8, 9, 3), (2, 3, 8, 9), {"transpose": [0, 3, 1, 2]}),
        ((12,), (3, 4), {"reshape": [3, 4]}),
        ((5,), (5,), {}),
    ],
    ids=["matrix", "hwio to oihw", "nhwc to nchw", "flat", "only the name"],
)
def test_the_entry_for_shapes_that_go_together(given_shape, wanted, change) -> None:
    entry = json.loads(entry_that_fits("a", "b", given_shape, wanted) or "")
    assert entry == {"sample": "a", "model": "b", **change}


def test_there_is_no_entry_for_another_number_of_values() -> None:
    assert entry_that_fits("a", "b", (3, 4), (3, 5)) is None


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.randoms())
def test_every_suggested_entry_gives_the_wanted_shape(shape, random) -> None:
    wanted = random.sample(shape, len(shape))
    entry = name_mapping(json.loads(entry_that_fits("a", "b", shape, wanted) or ""))
    assert list(arranged(entry, [np.zeros(shape)], 1 << 20).shape) == wanted


def test_the_only_spare_tensor_of_a_size_is_named() -> None:
    spare = {"kernel": (3, 4), "bias": (4,)}
    entry = json.loads(tensor_that_fits("weight", (4, 3), spare, ()) or "")
    assert entry == {"sample": "kernel", "model": "weight", "transpose": [1, 0]}


@pytest.mark.parametrize("spare", [{}, {"a": (4, 3), "b": (3, 4)}], ids=["none", "two"])
def test_nothing_is_named_where_it_would_be_a_guess(spare) -> None:
    assert tensor_that_fits("weight", (4, 3), spare, ()) is None


def test_topology_constants_are_no_candidates() -> None:
    assert tensor_that_fits("weight", (4, 3), {"axes": (12,)}, ("axes",)) is None
