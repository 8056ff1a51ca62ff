"""Taking files apart: whole ones to the end, damaged ones to the damage, and never worse."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.nnc.errors import NncLimitError, NncMalformedError, NncUnsupportedError
from conformance.nnc.inspection.document import document_of
from conformance.nnc.inspection.examination import SMALL, examine, level_statistics
from conformance.nnc.inspection.rules import validate
from conformance.nnc.inspection.text import listing, tree
from conformance.nnc.options import Limits, Options
from conformance.nnc.state import DecoderState
from tests.nnc.inspection.breaches import chained, update
from tests.nnc.inspection.streams import CONST, GOOD, around, data, float_unit, int_unit

TWO = around(data(float_unit("a")), data(float_unit("b")))


def test_a_whole_stream() -> None:
    found = examine(GOOD)
    assert found.error is None
    assert found.broken is None
    assert [unit.name for unit in found.units] == ["STR", "MPS", "TPL", "NDU", "NDU"]
    assert [tensor.record.name for tensor in found.tensors] == ["w", "i"]


def test_a_cut_stream_keeps_what_is_before() -> None:
    found = examine(TWO[:-3])
    assert [tensor.record.name for tensor in found.tensors] == ["a"]
    assert found.broken is not None
    assert (found.broken.index, found.broken.elements[1].name) == (4, "nnr_unit_size")
    assert isinstance(found.error, NncMalformedError)


def test_a_broken_header_keeps_the_elements_before() -> None:
    stream = around(data(float_unit("a")), data(float_unit("b"), scan_order=5))
    found = examine(stream)
    assert found.broken is not None
    assert (found.broken.name, found.broken.elements[-1].name) == ("NDU", "scan_order")
    assert [tensor.record.name for tensor in found.tensors] == ["a"]


def test_a_broken_payload_keeps_the_tensors_before() -> None:
    good = float_unit("b")
    stream = around(data(float_unit("a")), ("NDU", good.values, good.payload[:-2]))
    found = examine(stream)
    assert found.syntax_error is None
    assert [tensor.record.name for tensor in found.tensors] == ["a"]
    assert found.error is not None
    assert found.error.position.unit == 4


def test_an_unknown_tool_keeps_the_tensors_before() -> None:
    part = {"partial_data_counter_present_flag": 1, "partial_data_counter": 1}
    found = examine(around(data(float_unit("a")), data(float_unit("b"), **part)))
    assert [tensor.record.name for tensor in found.tensors] == ["a"]
    assert isinstance(found.error, NncUnsupportedError)


def test_a_limit_keeps_the_tensors_before() -> None:
    options = Options(limits=Limits(decoded_bytes=600))
    found = examine(TWO, options)
    assert [tensor.record.name for tensor in found.tensors] == ["a"]
    assert isinstance(found.error, NncLimitError)


def test_implausible_dimensions_and_a_limit_at_once() -> None:
    huge = data(float_unit("b"), tensor_dimensions=(1 << 15, 1 << 15))
    stream = around(data(float_unit("a")), huge, data(int_unit([[1, 2], [3, 4]])))
    for limit in (1 << 10, 1 << 40):
        found = examine(stream, Options(limits=Limits(decoded_bytes=limit)))
        assert [tensor.record.name for tensor in found.tensors] == ["a"]


def test_the_first_damage_is_the_error() -> None:
    bad = float_unit("a")
    stream = around(("NDU", bad.values, bad.payload[:-2]), data(float_unit("b")))
    found = examine(stream[:-3])
    assert found.error is found.payload_error
    assert found.syntax_error is not None


def test_an_update_needs_the_stream_before() -> None:
    stream = update(put_node_depth=5, temporal_context_modeling_flag=1)
    assert isinstance(examine(stream).error, NncUnsupportedError)


def test_references_are_those_before_the_stream() -> None:
    state = chained()
    found = examine(update(put_node_depth=5), state=state)
    assert found.references["w"].put_node_depth == 4
    assert state.references["w"].put_node_depth == 5


def test_a_failed_stream_leaves_the_state() -> None:
    state = DecoderState()
    examine(TWO[:-3], state=state)
    assert state.references == {}


def test_levels_are_those_decoded() -> None:
    levels = np.array([[3, 0], [0, -2]], np.int32)
    [tensor] = examine(around(data(int_unit(levels)))).tensors
    assert tensor.levels is not None
    assert (tensor.levels.minimum, tensor.levels.maximum, tensor.levels.zeros) == (-2, 3, 2)


@settings(deadline=None, max_examples=150)
@given(
    stream=st.sampled_from([CONST, GOOD, TWO]),
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 30),
)
def test_damage_never_raises_and_is_always_shown(
    stream: bytes, edits: list[tuple[int, int]], cut: int
) -> None:
    damaged = bytearray(stream)
    for place, value in edits:
        damaged[place % len(damaged)] = value
    content = bytes(damaged[: len(damaged) - cut])
    options = Options(limits=Limits(decoded_bytes=1 << 24))
    examination = examine(content, options)
    document = document_of(examination, bits=True)
    text = "\n".join([*listing(document, "f"), *tree(document, "f")])
    violations = validate(content, options)
    if examination.error is not None:
        assert examination.error.message in text
        assert violations


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_can_be_examined(content: bytes) -> None:
    options = Options(limits=Limits(decoded_bytes=1 << 24))
    document = document_of(examine(content, options))
    assert list(listing(document, "f"))
    assert list(tree(document, "f"))
    assert validate(content, options)


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
