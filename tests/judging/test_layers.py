"""Sizes of layers, measured and claimed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.judging.sizes import layer_size_claims
from conformance.plan.results import StateResult
from conformance.submission.values import LayerClaims
from tests.results import made


def claims(size, total):
    return LayerClaims(size, total, ())


def states(*sizes):
    return [made(StateResult, {"size": size}) for size in sizes]


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=6))
def test_the_size_is_the_last_and_the_total_is_the_sum(sizes):
    size, total = layer_size_claims(claims(sizes[-1], sum(sizes)), states(*sizes))
    assert (size.name, size.claimed, size.measured, size.holds) == (
        "size",
        sizes[-1],
        sizes[-1],
        True,
    )
    assert (total.name, total.measured, total.holds) == ("cumulative_size", sum(sizes), True)


@pytest.mark.parametrize(
    ("size", "total", "holds"),
    [(7, 12, [True, True]), (8, 12, [False, True]), (7, 11, [True, False]), (0, 0, [False] * 2)],
)
def test_claims_hold_to_the_byte(size, total, holds):
    found = layer_size_claims(claims(size, total), states(5, 7))
    assert [claim.holds for claim in found] == holds
