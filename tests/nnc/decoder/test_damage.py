"""Every error of a payload says where it is, what was expected and found, and how to fix it."""

import numpy as np
import pytest

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.decoder import decode
from conformance.nnc.encoder import EncoderSettings, PayloadEncoder, Quantization, encode
from conformance.nnc.errors import NncMalformedError
from conformance.nnc.options import Interpretation, Options
from conformance.nnc.parser import parse_stream

from .making import FLOAT, INT, header, started
from .test_planning import CODEBOOK


def refused(data, options=None):
    with pytest.raises(NncMalformedError) as caught:
        decode(data, options or Options())
    assert caught.value.expected
    return caught.value


def stream(payload, values, profile=1, **parameters):
    writer = started(profile, **parameters)
    writer.add("NDU", values, payload)
    return writer.getvalue()


def payload_of(levels, qp=None, coding=None):
    encoder = PayloadEncoder()
    if qp is not None:
        encoder.write_iae(8, qp)
    levels = np.array(levels, np.int32)
    plain = LevelCoding(levels.size, 1, 0, dependent=False, unary_length=10)
    encoder.write_levels(coding or plain, levels)
    return encoder.finish().data


def payload_start(data):
    return 8 * parse_stream(data).units[-1].payload_byte


@pytest.mark.parametrize("size", [0, 1])
def test_a_payload_too_short_for_its_first_bits(size):
    error = refused(stream(bytes(size), header(INT, shape=(size,))))
    assert error.position.field == "the start of the payload"
    assert error.position.unit_name == "NDU"
    assert "first bin" in error.found


def test_a_payload_that_ends_in_its_levels():
    levels = np.random.default_rng(1).integers(-500, 500, 100)
    whole = payload_of(levels)
    data = stream(whole[: len(whole) // 2], header(INT, "conv", (100,)))
    error = refused(data)
    assert error.position.field == "levels of 'conv'"
    assert error.position.unit == 2
    assert payload_start(data) < error.position.bit <= 8 * len(data)
    assert "ends before" in error.found
    assert "again" in error.fix


def test_a_payload_that_goes_on_after_its_levels():
    whole = payload_of(range(40))
    data = stream(whole + b"\0\0\0", header(INT, "conv", (40,)))
    error = refused(data)
    assert error.position.bit == payload_start(data) + 8 * len(whole)
    assert error.expected == f"{len(whole)} bytes of payload, as the codeword takes"
    assert error.found == f"{len(whole) + 3} bytes"


def test_a_payload_of_a_longer_tensor():
    error = refused(stream(payload_of([9] * 40), header(INT, "conv", (39,))))
    assert error.position.field in {"the end of the payload", "levels of 'conv'"}


def test_a_level_outside_its_codebook():
    values = header(FLOAT, "w", (3,), codebook_present_flag=1, codebook=CODEBOOK)
    error = refused(stream(payload_of([0, 1, 2], qp=-4), values, profile=0))
    assert error.position.field == "levels of 'w'"
    assert (error.expected, error.found) == ("levels from -1 to 1", "level 2")


def test_a_step_without_a_number():
    payload = payload_of([1, 2], qp=0)
    data = stream(payload, header(FLOAT, "w", (2,)), mps_quantization_parameter=4095)
    assert np.isinf(decode(data)["w"]).all()
    data = stream(
        payload, header(FLOAT, "w", (2,)), mps_quantization_parameter=4095, mps_qp_density=1
    )
    error = refused(data)
    assert error.position.field == "qp of 'w'"
    assert error.position.bit >= payload_start(data)
    assert "density 1" in error.found


@pytest.mark.parametrize(
    ("dialect", "other"), [("nncodec-2", "nncodec-1.0"), ("nncodec-1.0", "nncodec-2")]
)
def test_a_first_edition_may_be_of_the_other_dialect(dialect, other):
    settings = EncoderSettings(
        profile=0,
        interpretation=Interpretation(other),
        quantization=Quantization(qp=-20),
    )
    tensor = np.random.default_rng(1).normal(0, 1, (9, 9)).astype(np.float32)
    error = refused(encode({"w": tensor}, settings), Options(Interpretation(dialect)))
    assert f'Interpretation(dialect="{other}")' in error.fix


def test_the_second_edition_has_no_dialects():
    error = refused(stream(bytes(1), header(INT, shape=(1,))))
    assert "dialect" not in error.fix


def test_an_error_reads_as_a_paragraph():
    text = str(refused(stream(bytes(1), header(INT, "conv", (1,)))))
    assert text.startswith("The payload of 'conv' cannot be decoded\n")
    for word in ("where", "expected", "found", "fix", "unit 2 NDU"):
        assert word in text
