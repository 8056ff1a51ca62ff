"""What is written is read back, for every unit of the description; damage gives errors only."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.nnc.errors import NncError
from conformance.nnc.options import Limits, Options
from conformance.nnc.parser import parse_stream
from conformance.nnc.syntax.constraints import broken_constraints
from conformance.nnc.writer import StreamWriter
from tests.nnc.syntax.drawing import OUT_OF_BAND, unit_lists
from tests.nnc.syntax.streams import MODEL, NNCODEC, START, TENSOR, write

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
moderate = settings(deadline=None, max_examples=120, suppress_health_check=SLOW)


class AnyName(dict):
    """Dimensions for every name."""

    def get(self, name, default=None):
        return OUT_OF_BAND


def written(units, payload=b""):
    writer = StreamWriter()
    for name, values in units:
        out_of_band = {"tensor_dimensions": OUT_OF_BAND} if name == "NDU" else {}
        given = {key: value for key, value in values.items() if value is not None}
        writer.add(name, {**out_of_band, **given}, payload if name == "NDU" else b"")
    return writer.getvalue()


def parsed(data, options):
    try:
        return parse_stream(data, options)
    except NncError as error:
        return error


def rewritten(stream):
    writer = StreamWriter(stream.interpretation)
    for unit in stream.units:
        end = unit.payload_byte + unit.payload_size
        writer.add(unit.unit_type, unit.values, bytes(stream.data[unit.payload_byte : end]))
    return writer.getvalue()


def without_alignment(value):
    if isinstance(value, dict):
        return {
            name: without_alignment(inner)
            for name, inner in value.items()
            if "align" not in name and not name.startswith("nnr_unit_size")
        }
    return tuple(map(without_alignment, value)) if isinstance(value, tuple) else value


@moderate
@given(unit_lists(), st.binary(max_size=5))
def test_what_is_written_is_read_back(units, payload):
    stream = parse_stream(written(units, payload), Options(dimensions=AnyName()))
    assert [unit.name for unit in stream.units] == [name for name, _ in units]
    for unit, (_, values) in zip(stream.units, units, strict=True):
        assert without_alignment(unit.values) == without_alignment(values)
        assert unit.payload_size == (len(payload) if unit.name == "NDU" else 0)


@moderate
@given(unit_lists(), st.binary(max_size=5))
def test_what_is_read_is_written_back(units, payload):
    data = written(units, payload)
    assert rewritten(parse_stream(data, Options(dimensions=AnyName()))) == data


@moderate
@given(unit_lists())
def test_elements_follow_one_another_without_gaps(units):
    data = written(units)
    bit = 0
    for unit in parse_stream(data, Options(dimensions=AnyName())).units:
        assert 8 * unit.byte == bit
        for element in unit.elements:
            assert element.bit == bit
            assert element.length >= (0 if element.code == "bytes" else 1)
            bit += element.length
    assert bit == 8 * len(data)


@moderate
@given(unit_lists())
def test_constraints_can_be_checked_on_everything_that_can_be_read(units):
    stream = parse_stream(written(units), Options(dimensions=AnyName()))
    for broken in broken_constraints(stream.units, stream.interpretation):
        assert broken.element in broken.unit.elements


RICH = write(
    ("STR", START),
    (
        "MPS",
        {
            **MODEL,
            "mps_sparsification_flag": 1,
            "spm_count_thresholds": 3,
            "mps_unification_flag": 1,
            "upm_count_thresholds": 2,
            "base_model_id_present_flag": 1,
            "base_model_id": "m",
            "mps_parent_signalling_enabled_flag": 1,
        },
    ),
    ("TPL", {"topology_storage_format": 6, "topology_elem_ids": ("a", "b")}),
    ("LPS", {"lps_quantization_method_flags": 1}),
    (
        "NDU",
        {
            **TENSOR,
            "node_id_present_flag": 1,
            "parent_node_id_present_flag": 1,
            "codebook_present_flag": 1,
            "codebook": {"codebook_size": 6},
            "dq_flag": 1,
            "scan_order": 1,
        },
    ),
    payload=b"abc",
)


@pytest.mark.parametrize("data", [NNCODEC, RICH], ids=["nncodec", "rich"])
def test_a_known_stream_is_written_back(data):
    assert rewritten(parse_stream(data)) == data


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from([NNCODEC, RICH]),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 1 << 16),
)
def test_a_damaged_stream_gives_units_or_an_error(data, changes, length):
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(data)] = value
    damaged = damaged[: length % (2 * len(data))]
    stream = parsed(damaged, Options(limits=Limits(elements=4096)))
    if isinstance(stream, NncError):
        assert 0 <= stream.position.bit <= 8 * len(damaged)
        assert str(stream)
        return
    assert sum(unit.size for unit in stream.units) == len(damaged)
    assert rewritten(stream) == damaged
    list(broken_constraints(stream.units, stream.interpretation))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=64))
def test_random_units_give_units_or_an_error(body):
    data = NNCODEC[:18] + (len(body) + 3).to_bytes(2) + b"\x16" + body
    found = parsed(data, Options(dimensions=AnyName()))
    if isinstance(found, NncError):
        assert found.position.unit == 3
        assert found.position.field
