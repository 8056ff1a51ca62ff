"""The kernels decode what the plain reference decodes, whatever the bytes are."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.nnc.cabac.coding import LevelCoding
from tests.nnc.cabac.codings import level_codings, payloads
from tests.nnc.cabac.comparison import compare

modest = settings(deadline=None, max_examples=150)


@modest
@given(payloads(), st.lists(level_codings(tools=False), min_size=1, max_size=3))
def test_plain_levels_of_random_payloads(payload: bytes, codings: Sequence[LevelCoding]) -> None:
    compare(payload, codings)


@modest
@given(payloads(), st.lists(level_codings(), min_size=1, max_size=3), st.booleans())
def test_levels_with_all_tools_of_random_payloads(
    payload: bytes, codings: Sequence[LevelCoding], count_bits: bool
) -> None:
    compare(payload, codings, count_bits=count_bits)


@modest
@given(st.binary(max_size=40), level_codings())
def test_short_payloads(payload: bytes, coding: LevelCoding) -> None:
    compare(payload, [coding])
