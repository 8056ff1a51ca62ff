import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance.nnc import decoder, payload
from conformance.nnc.decoder import decode, decode_observed, decode_stream, read_source
from conformance.nnc.encoder import (
    Block,
    EncoderSettings,
    LayerParameters,
    LevelSettings,
    Quantization,
    UpdateSettings,
    encode,
)
from conformance.nnc.errors import NncError, NncLimitError, NncMalformedError, NncUnsupportedError
from conformance.nnc.options import Interpretation, Limits, Options
from conformance.nnc.parser import parse_stream
from conformance.nnc.quantization import step_size
from conformance.nnc.state import DecoderState

from .making import RAW_FLOAT, header, started

STEP = np.float32(step_size(-20, 2))
UNIFORM = EncoderSettings(quantization=Quantization(qp=-20))


def weights(seed, *shape, scale=0.4):
    return np.random.default_rng(seed).laplace(0, scale, shape).astype(np.float32)


def on_the_grid(tensor):
    """Return what a tensor is after uniform quantization at qp -20."""
    return np.round(tensor / STEP).astype(np.float32) * STEP


def model():
    return {"conv.weight": weights(1, 20, 3, 3), "conv.bias": weights(2, 20), "one": weights(3, 1)}


def same(first, second):
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype and np.array_equal(first[name], second[name])
        for name in first
    )


def test_float_tensors_come_back_on_the_grid_of_the_step():
    decoded = decode(encode(model(), UNIFORM))
    assert list(decoded) == list(model())
    for name, tensor in model().items():
        assert decoded[name].dtype == np.float32
        assert decoded[name].shape == tensor.shape
        assert np.array_equal(decoded[name], on_the_grid(tensor))


def test_integers_come_back_as_they_are():
    extremes = np.array([[0, 1, -1], [2**31 - 1, -(2**31) + 1, 77]], np.int32)
    decoded = decode(encode({"i": extremes}))
    assert decoded["i"].dtype == np.int32
    assert np.array_equal(decoded["i"], extremes)


def test_raw_values_come_back_bit_by_bit():
    values = np.array([[0.1, -0.0, np.inf], [np.nan, 1e-42, -7]], np.float32)
    writer = started()
    writer.add("NDU", header(RAW_FLOAT, "r", (2, 3)), values.tobytes())
    decoded = decode(writer.getvalue())["r"]
    assert decoded.dtype == np.float32
    assert decoded.flags.writeable
    assert decoded.tobytes() == values.tobytes()


def test_values_of_a_codebook_are_float64():
    settings = EncoderSettings(quantization=Quantization(qp=-20, codebook_size=4))
    decoded = decode(encode({"w": weights(4, 12, 12)}, settings))["w"]
    assert decoded.dtype == np.float64
    assert len(np.unique(decoded)) <= 4
    assert np.array_equal(decoded / float(STEP), np.round(decoded / float(STEP)))


def test_dependent_quantization_takes_every_multiple_of_half_the_levels():
    settings = EncoderSettings(quantization=Quantization(qp=-20, dependent=True, lagrangian=0))
    tensor = weights(5, 30, 30)
    decoded = decode(encode({"w": tensor}, settings))["w"]
    assert np.abs(decoded - tensor).max() < 2 * STEP
    assert np.array_equal(decoded, on_the_grid(decoded))


def test_every_tensor_may_have_a_parameter_of_its_own():
    quantization = Quantization(qp=-20, qps={"conv.bias": -60}, base_qp=-7)
    decoded = decode(encode(model(), EncoderSettings(quantization=quantization)))
    fine = np.float32(step_size(-60, 2))
    assert np.array_equal(decoded["conv.weight"], on_the_grid(model()["conv.weight"]))
    assert np.abs(decoded["conv.bias"] - model()["conv.bias"]).max() <= fine / 2


def test_a_layer_parameter_set_changes_the_step_of_what_follows():
    settings = replace(UNIFORM, layers={"conv.bias": LayerParameters(4, -3)})
    decoded = decode(encode(model(), settings))
    assert np.array_equal(decoded["conv.weight"], on_the_grid(model()["conv.weight"]))
    step = np.float32(step_size(-20, 4))
    assert np.array_equal(
        decoded["conv.bias"],
        np.round(model()["conv.bias"] / step).astype(np.float32) * step,
    )


def test_dimensions_may_be_given_beside_the_stream():
    settings = replace(UNIFORM, dimensions_in_stream=False)
    data = encode(model(), settings)
    shapes = {name: tensor.shape for name, tensor in model().items()}
    assert same(decode(data, Options(dimensions=shapes)), decode(encode(model(), UNIFORM)))
    with pytest.raises(NncUnsupportedError, match="dimensions"):
        decode(data)


def test_names_may_be_indices_into_the_topology():
    settings = replace(UNIFORM, indexed_references=True)
    assert same(decode(encode(model(), settings)), decode(encode(model(), UNIFORM)))


@pytest.mark.parametrize("scan_order", [0, 1, 4])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(scan_order, threads):
    levels = LevelSettings(scan_order=scan_order)
    tensors = {"big": weights(6, 400, 300), **model()}
    data = encode(tensors, replace(UNIFORM, levels=levels))
    expected = {name: on_the_grid(tensor) for name, tensor in tensors.items()}
    assert same(decode(data, Options(threads=threads)), expected)


def test_sources_may_be_files_or_memory(tmp_path):
    data = encode(model(), UNIFORM)
    file = tmp_path / "model.nnc"
    file.write_bytes(data)
    for source in (file, str(file), bytearray(data), memoryview(data)):
        assert same(decode(source), decode(data))


def test_a_stream_without_tensors_gives_none():
    assert decode(started().getvalue()) == {}


def test_a_stream_may_be_cut_between_units():
    data = encode(model(), UNIFORM)
    units = parse_stream(data).units
    assert list(decode(data[: units[-1].byte])) == list(model())[:-1]


def test_the_last_tensor_of_a_name_counts():
    first, second = encode({"w": weights(7, 4)}, UNIFORM), encode({"w": weights(8, 5)}, UNIFORM)
    unit = parse_stream(second).units[-1]
    both = decode(first + second[unit.byte :])
    assert np.array_equal(both["w"], on_the_grid(weights(8, 5)))


def test_results_are_the_callers_to_change():
    decoded = decode(encode(model(), UNIFORM))
    assert all(tensor.flags.writeable for tensor in decoded.values())


def test_decoding_a_parsed_stream_is_decoding_its_bytes():
    data = encode(model(), UNIFORM)
    assert same(decode_stream(parse_stream(data)), decode(data))


UPDATE = replace(
    UNIFORM,
    levels=LevelSettings(history=True),
    update=UpdateSettings(temporal=True, keep_zero=True),
)


def chain(length):
    """Return the streams of an update chain, each of differences."""
    state = DecoderState()
    first = replace(UPDATE, update=replace(UPDATE.update, temporal=False))
    sparse = [model() for _ in range(length)]
    for number, tensors in enumerate(sparse):
        for tensor in tensors.values():
            tensor[np.random.default_rng(number).random(tensor.shape) < 0.5] = 0
    settings = [first, *[UPDATE] * (length - 1)]
    return sparse, [encode(t, s, state) for t, s in zip(sparse, settings, strict=True)]


def test_an_update_chain_is_decoded_with_one_state():
    differences, streams = chain(4)
    state = DecoderState()
    for tensors, data in zip(differences, streams, strict=True):
        expected = {name: on_the_grid(tensor) for name, tensor in tensors.items()}
        assert same(decode(data, state=state), expected)
    assert state.references.keys() == model().keys()
    assert state.histories.keys() == model().keys()


@pytest.mark.parametrize(
    ("before", "then"), [((), 1), ((0,), 2), ((0, 1), 1)], ids=["start", "skipped", "repeated"]
)
def test_a_chain_out_of_order_is_refused(before, then):
    _, streams = chain(3)
    state = DecoderState()
    for index in before:
        decode(streams[index], state=state)
    with pytest.raises(NncError):
        decode(streams[then], state=state)


def test_a_chain_without_a_state_is_refused():
    _, streams = chain(2)
    with pytest.raises(NncUnsupportedError, match="not decoded before"):
        decode(streams[1])


def test_a_stream_that_fails_leaves_the_state_alone():
    _, streams = chain(3)
    state = DecoderState()
    decode(streams[0], state=state)
    before = dict(state.references), dict(state.histories)
    spoilt = bytearray(streams[1])
    spoilt[-1:] = b""
    with pytest.raises(NncMalformedError):
        decode(bytes(spoilt), state=state)
    assert (state.references, state.histories) == before
    decode(streams[1], state=state)
    decode(streams[2], state=state)


def test_too_little_memory_is_an_error_of_the_stream(monkeypatch):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr(payload, "empty_result", refuse)
    with pytest.raises(NncLimitError, match="fit into memory") as caught:
        decode(encode(model(), UNIFORM))
    assert "decoded_bytes" in caught.value.fix


def test_the_limit_counts_before_anything_is_decoded(monkeypatch):
    monkeypatch.setattr(decoder, "decode_unit", None)
    with pytest.raises(NncLimitError, match="larger than the limit"):
        decode(encode(model(), UNIFORM), Options(limits=Limits(decoded_bytes=100)))


def test_numba_is_not_imported_before_something_is_decoded():
    code = (
        "import sys; from conformance import nnc; "
        "nnc.decode(bytes.fromhex('00040201')); sys.exit('numba' in sys.modules)"
    )
    # A stream of a start unit alone has nothing to decode.
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def observed(data, options=None, state=None):
    options = options or Options()
    records = []
    decoded = decode_observed(
        parse_stream(data, options),
        options,
        state,
        lambda record, levels: records.append((record, levels)),
    )
    return decoded, records


def test_an_observer_is_told_about_each_tensor_in_order():
    data = encode(model(), UNIFORM)
    decoded, records = observed(data)
    assert same(decoded, decode(data))
    assert [record.name for record, _ in records] == list(model())
    record, levels = records[0]
    assert (record.role, record.shape, record.dtype) == ("tensor", (20, 3, 3), "float32")
    assert (record.payload_type, record.qp, record.qp_density) == ("FLOAT", -20, 2)
    assert record.step == step_size(-20, 2)
    assert np.array_equal(levels, np.round(model()["conv.weight"].ravel() / STEP))
    assert record.coding.width == 9
    assert (record.temporal, record.history, record.codebook) == (False, False, None)


def test_the_bits_of_a_payload_are_accounted_for():
    data = encode(model(), UNIFORM)
    units = {unit.index: unit for unit in parse_stream(data).units}
    for record, _ in observed(data)[1]:
        size = 8 * units[record.unit].payload_size
        assert size - 24 <= record.payload_bits <= size
        assert sum(record.report.bits.values()) <= record.payload_bits


def test_an_observer_sees_raw_values_and_integers_too():
    writer = started()
    writer.add("NDU", header(RAW_FLOAT, "r", (2,)), bytes(8))
    _, ((record, levels),) = observed(writer.getvalue())
    assert levels is None
    assert (record.payload_type, record.payload_bits, record.coding) == ("RAW_FLOAT", 64, None)
    _, ((record, levels),) = observed(encode({"i": np.arange(5, dtype=np.int32)}))
    assert levels.tolist() == [0, 1, 2, 3, 4]
    assert (record.qp, record.step, record.payload_type) == (None, None, "INT")


def test_an_observer_learns_what_earlier_streams_did():
    _, streams = chain(2)
    state = DecoderState()
    assert not any(record.temporal for record, _ in observed(streams[0], state=state)[1])
    second = {record.name: record for record, _ in observed(streams[1], state=state)[1]}
    assert second["conv.weight"].temporal
    assert second["conv.weight"].history
    assert not second["conv.bias"].history


def test_an_observer_sees_the_codebook():
    settings = EncoderSettings(quantization=Quantization(qp=-20, codebook_size=4))
    decoded, ((record, levels),) = observed(encode({"w": weights(4, 12, 12)}, settings))
    entries = np.array(record.codebook)[levels + record.zero_offset]
    assert np.array_equal(entries * record.step, decoded["w"].ravel())


def test_legacy_streams_need_their_dialect():
    legacy = Interpretation("nncodec-1.0")
    data = encode(model(), replace(UNIFORM, profile=0, interpretation=legacy))
    expected = {name: on_the_grid(tensor) for name, tensor in model().items()}
    assert same(decode(data, Options(legacy)), expected)
    with pytest.raises(NncMalformedError) as caught:
        decode(data)
    assert 'Interpretation(dialect="nncodec-1.0")' in caught.value.fix


def test_blocks_come_back_under_the_names_of_their_members():
    members = {"weight": "w", "local-scaling": "s", "bias": "b"}
    tensors = {"w": weights(9, 6, 4), "s": weights(10, 6), "b": weights(11, 6)}
    decoded = decode(encode(tensors, replace(UNIFORM, blocks=(Block(members),))))
    assert same(
        {name: decoded[name] for name in tensors},
        {name: on_the_grid(tensor) for name, tensor in tensors.items()},
    )


START = b"\x00\x04\x02\x01"
"""A start unit, which is a stream."""


@pytest.mark.parametrize(
    "source",
    [START, bytearray(START), memoryview(START), np.frombuffer(START, "<u2").data],
    ids=["bytes", "bytearray", "memoryview", "words"],
)
def test_bytes_are_taken_from_memory(source):
    assert bytes(read_source(source)) == START


@pytest.mark.parametrize("kind", [str, Path])
def test_files_are_read(tmp_path, kind):
    file = tmp_path / "stream.nnc"
    file.write_bytes(START)
    assert bytes(read_source(kind(file))) == START


def test_what_is_read_cannot_be_written():
    assert read_source(bytearray(START)).readonly


def test_an_empty_file_is_no_bytes(tmp_path):
    file = tmp_path / "empty.nnc"
    file.touch()
    assert bytes(read_source(file)) == b""


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_source(tmp_path / "missing.nnc")
    with pytest.raises(IsADirectoryError):
        read_source(tmp_path)
