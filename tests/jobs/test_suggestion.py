"""The name map entry that a finding suggests."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.jobs.layout import arranged
from conformance.jobs.suggestion import entry_that_fits, tensor_that_fits
from conformance.submission.building import name_mapping


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
