"""The stored values of a SavedModel: damage, padding, and what does not fit its variables."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.runtimes.tensorflow.saved_model.crc32c import crc32c, masked_crc32c
from conformance.runtimes.tensorflow.saved_model.table import read_table
from conformance.verdicts import ConformanceError, LimitError, MalformedError
from tests.runtimes.tensorflow import nets

DATA = "variables/variables.data-00000-of-00001"
INDEX = "variables/variables.index"


def refused(path, limit=nets.GIB):
    """The error of opening, or of reading every value."""
    with pytest.raises(ConformanceError) as caught, nets.opened(path, limit) as network:
        network.bind()
    assert caught.value.fix
    return caught.value


def spoil(path, name, change):
    file = path.parent / name
    content = bytearray(file.read_bytes())
    file.write_bytes(bytes(change(content) or content))


def test_a_flipped_bit_in_the_values_is_found_by_its_checksum(savedmodel):
    def change(content):
        content[200] ^= 4

    spoil(savedmodel, DATA, change)
    error = refused(savedmodel)
    assert type(error) is MalformedError
    assert "is damaged" in str(error)
    assert f"model/{DATA}" in str(error)
    assert error.where.byte_offset is not None


@pytest.mark.parametrize("kept", [0, 1, 400])
def test_values_that_are_cut_short_are_malformed(savedmodel, kept):
    spoil(savedmodel, DATA, lambda content: content[:kept])
    if kept == 0:
        (savedmodel.parent / DATA).write_bytes(b"")
    assert type(refused(savedmodel)) is MalformedError


@pytest.mark.parametrize("name", [DATA, INDEX])
def test_a_missing_file_is_a_finding(savedmodel, name):
    (savedmodel.parent / name).unlink()
    refused(savedmodel)


def test_an_index_that_is_too_long_is_not_read(savedmodel, monkeypatch):
    file = savedmodel.parent / INDEX
    with file.open("r+b") as opened:
        opened.truncate((64 << 20) + 10)
    assert isinstance(refused(savedmodel), LimitError)


def test_variables_beyond_the_limit_are_refused(savedmodel):
    size = (savedmodel.parent / DATA).stat().st_size
    graph = savedmodel.stat().st_size
    assert graph > size
    spoil(savedmodel, DATA, lambda content: content)
    assert isinstance(refused(savedmodel, limit=size // 2), LimitError)


def test_values_of_a_variable_of_another_shape_are_malformed(saved, savedmodel):
    """The values of one network next to the graph of another."""
    other = nets.Cnn(1)
    other.bias = nets.tf.Variable(np.ones(1, np.float32), name="net/bias")
    folder = nets.save(savedmodel.parent.parent / "other", other).parent
    shutil.copy(folder / INDEX, savedmodel.parent / INDEX)
    shutil.copy(folder / DATA, savedmodel.parent / DATA)
    error = refused(savedmodel)
    assert "does not fit the variable" in str(error)
    assert "net/bias" in str(error)
    assert "[4]" in error.expected


def test_nan_and_infinity_are_values_like_others(savedmodel):
    module = nets.Cnn(1)
    module.dense.assign(module.dense * np.nan)
    path = nets.save(savedmodel.parent.parent / "nan", module)
    with nets.opened(path) as network:
        assert np.isnan(network.parameters["net/dense"]).all()
        assert np.isnan(nets.run(network, nets.feed(network))).all()


EACH = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@EACH
@given(data=st.data())
def test_an_index_with_any_bit_flipped_is_malformed(saved, data):
    index = bytearray((saved["savedmodel-cnn-1"].parent / INDEX).read_bytes())
    place = data.draw(st.integers(0, len(index) - 1))
    index[place] ^= 1 << data.draw(st.integers(0, 7))
    good = read_table((saved["savedmodel-cnn-1"].parent / INDEX).read_bytes(), "index")
    try:
        assert read_table(bytes(index), "index") == good  # in the padding of the footer
    except MalformedError as error:
        places = [error.where.byte_offset]
        assert None not in places


@EACH
@given(data=st.data())
def test_a_truncated_index_is_malformed(saved, data):
    index = (saved["savedmodel-cnn-1"].parent / INDEX).read_bytes()
    with pytest.raises(MalformedError):
        read_table(index[: data.draw(st.integers(0, len(index) - 1))], "index")


def test_the_index_lists_every_variable(saved):
    table = read_table((saved["savedmodel-cnn-1"].parent / INDEX).read_bytes(), "index")
    keys = [key.decode() for key in table if key]
    assert "kernel/.ATTRIBUTES/VARIABLE_VALUE" in keys
    assert list(table) == sorted(table)


def test_the_checksum_is_that_of_the_rfc():
    """RFC 3720, appendix B.4, and the usual test vector."""
    assert crc32c(np.frombuffer(b"123456789", np.uint8)) == 0xE3069283
    assert crc32c(np.zeros(32, np.uint8)) == 0x8A9136AA
    assert crc32c(np.full(32, 255, np.uint8)) == 0x62A8AB43
    assert crc32c(np.arange(32, dtype=np.uint8)) == 0x46DD794E
    assert crc32c(np.zeros(0, np.uint8)) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200_000), st.integers(0, 1 << 32))
def test_long_data_have_the_checksum_of_tensorflow(size, seed):
    """The fast way against the table, byte by byte: pieces combined."""
    from tests.runtimes.tensorflow.slow_crc32c import slow_crc32c

    data = np.random.default_rng(seed).integers(0, 256, min(size, 70_000)).astype(np.uint8)
    assert crc32c(data) == slow_crc32c(data.tobytes())


def test_the_stored_form_is_turned_and_moved():
    crc = crc32c(np.frombuffer(b"foo", np.uint8))
    turned = ((crc >> 15) | (crc << 17)) & 0xFFFFFFFF
    assert masked_crc32c(np.frombuffer(b"foo", np.uint8)) == (turned + 0xA282EAD8) & 0xFFFFFFFF
