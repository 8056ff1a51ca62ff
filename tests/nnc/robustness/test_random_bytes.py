"""Bytes that were never a stream, alone and where a stream expects them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.nnc.decoder import decode
from conformance.nnc.errors import NncError
from conformance.nnc.options import Interpretation, Limits, Options
from tests.nnc.decoder.making import BLOCK, FLOAT, INT, block, header, started

OPTIONS = [
    Options(Interpretation(dialect), Limits(decoded_bytes=1 << 20), threads=threads)
    for dialect in ("nncodec-2", "nncodec-1.0")
    for threads in (1, 2)
]
BYTES = st.binary(max_size=200)
TRIES = settings(deadline=None, max_examples=150)


def explained(data, options):
    """Decode ``data``; an error has to say what, where and how to fix it."""
    size, said = 0, ()
    try:
        size = sum(tensor.nbytes for tensor in decode(data, options).values())
    except NncError as error:
        said = (error.message, error.expected, error.found, error.fix)
    assert all(said)
    assert size <= options.limits.decoded_bytes


@TRIES
@given(BYTES, st.sampled_from(OPTIONS))
def test_any_bytes(data, options):
    explained(data, options)


@TRIES
@given(st.integers(0, 2), st.integers(0, 63), BYTES, st.sampled_from(OPTIONS))
def test_any_unit_after_the_parameter_set(profile, unit_type, body, options):
    size = len(body) + 3
    unit = size.to_bytes(2, "big") + bytes([unit_type << 2 | 2]) + body
    explained(started(profile).getvalue() + unit, options)


@TRIES
@given(
    st.sampled_from([INT, FLOAT]),
    st.integers(0, 1),
    st.lists(st.integers(0, 40), max_size=3),
    st.fixed_dictionaries(
        {
            "dq_flag": st.integers(0, 1),
            "cabac_unary_length_flag": st.just(1),
            "cabac_unary_length_minus1": st.integers(0, 255),
        }
    ),
    st.integers(0, 4),
    BYTES,
    st.sampled_from(OPTIONS),
)
def test_any_payload_of_a_tensor(kind, profile, shape, values, scan_order, payload, options):
    order = {"scan_order": scan_order} if len(shape) > 1 else {}
    writer = started(profile)
    writer.add("NDU", header(kind, shape=shape, **values, **order), payload)
    explained(writer.getvalue(), options)


@TRIES
@given(st.integers(0, 15), st.integers(0, 9), st.integers(0, 9), BYTES, st.sampled_from(OPTIONS))
def test_any_payload_of_a_block(types, rank, rows, payload, options):
    names = ["w", *(["h"] if types & 1 else []), *(["ls"] if types & 2 else [])]
    names += [*(["a", "b", "c", "d"] if types & 4 else []), *(["bias"] if types & 8 else [])]
    ranks = {"decomposition_rank": rank, "g_number_of_rows": rows} if types & 1 else {}
    if len(names) == 1:
        names.append("surplus")
    writer = started()
    writer.add("NDU", block(names, (6, 3), types, **ranks), payload)
    explained(writer.getvalue(), options)
    assert BLOCK


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4])
def test_a_stream_shorter_than_its_start(size):
    explained(bytes.fromhex("00040201")[:size], OPTIONS[0])
