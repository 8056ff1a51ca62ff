"""Statistics of levels, against a plain count."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.nnc.inspection.statistics import SMALL, level_statistics

LEVELS = st.lists(st.one_of(st.integers(-12, 12), st.integers(-(1 << 31), (1 << 31) - 1)))


@settings(deadline=None, max_examples=100)
@given(LEVELS)
def test_statistics_count_every_level(levels: list[int]) -> None:
    found = level_statistics(np.array(levels, np.int32))
    counts = Counter(levels)
    assert found.count == len(levels)
    assert found.minimum == min(levels, default=None)
    assert found.maximum == max(levels, default=None)
    assert found.zeros == counts[0]
    assert found.nonzero == len(levels) - counts[0]
    assert list(found.small) == [counts[level] for level in range(-SMALL, SMALL + 1)]
    assert found.below == sum(level < -SMALL for level in levels)
    assert found.above == sum(level > SMALL for level in levels)


@settings(deadline=None, max_examples=50)
@given(LEVELS)
def test_the_histogram_has_every_level_once(levels: list[int]) -> None:
    histogram = dict(level_statistics(np.array(levels, np.int32)).histogram())
    assert sum(histogram.values()) == len(levels)
    assert all(histogram.values())


def test_the_histogram_rises_and_names_what_is_beyond() -> None:
    found = level_statistics(np.array([-100, -9, -1, 0, 0, 3, 9], np.int32))
    assert list(found.histogram()) == [("<= -9", 2), ("-1", 1), ("0", 2), ("3", 1), (">= 9", 1)]


def test_arrays_of_any_shape_and_larger_than_a_chunk() -> None:
    found = level_statistics(np.ones((3, 100_000), np.int32))
    assert (found.count, found.small[SMALL + 1], found.zeros) == (300_000, 300_000, 0)
