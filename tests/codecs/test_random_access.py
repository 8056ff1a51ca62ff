"""One tensor of a sample, without the others: what it is, and what is read of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.codecs import DecodedTensors, RandomAccess, Source, codec
from conformance.codecs.encoded import affine, codebook, plain
from conformance.codecs.tensors_writer import write
from conformance.jobs.access import ReadCounter
from conformance.nnc.encoder import EncoderSettings, Quantization, encode
from conformance.verdicts import ConformanceError, LimitError, MalformedError
from tests.codecs.files import handmade

RNG = np.random.default_rng(5)
WEIGHT = RNG.normal(size=(64, 64)).astype(np.float32)
BIAS = RNG.normal(size=64).astype(np.float32)
ENCODED = {
    "int8": affine(WEIGHT, bits=8, axis=0),
    "int4": affine(WEIGHT, bits=4),
    "shared": codebook(WEIGHT, 8),
    "bias": plain(BIAS),
    "weight": plain(WEIGHT),
}


def one(path: Path, name: str, *, limit_bytes: int = 1 << 24, **params: Any) -> DecodedTensors:
    decoder = codec("nnc" if path.suffix == ".nnc" else "tensors")
    assert isinstance(decoder, RandomAccess)
    return decoder.decode_one(Source((path,), (f"s/{path.name}",), params, limit_bytes), name)


def whole(path: Path, **params: Any) -> DecodedTensors:
    decoder = codec("nnc" if path.suffix == ".nnc" else "tensors")
    decoded = decoder.decode(Source((path,), (f"s/{path.name}",), params, 1 << 24))
    assert isinstance(decoded, DecodedTensors)
    return decoded


def read_for(path: Path, name: str, **params: Any) -> int:
    """The bytes that the system counts while one tensor is decoded, imports apart."""
    one(path, name, **params)
    counter = ReadCounter()
    one(path, name, **params)
    return counter.bytes


@pytest.fixture(scope="module")
def plain_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    path = tmp_path_factory.mktemp("plain") / "sample.safetensors"
    return path, write(path, ENCODED)


@pytest.mark.parametrize("name", ENCODED)
def test_it_is_the_tensor_of_the_whole(plain_file: tuple[Path, dict], name: str) -> None:
    path, params = plain_file
    with whole(path, **params) as all_of_them, one(path, name, **params) as alone:
        assert list(alone) == [name]
        assert np.array_equal(alone[name], all_of_them[name])
        assert alone[name].dtype == all_of_them[name].dtype
        assert alone.stored_bits[name] == all_of_them.stored_bits[name]


@pytest.mark.parametrize("name", ENCODED)
def test_only_the_header_and_its_own_bytes_are_read(
    plain_file: tuple[Path, dict], name: str
) -> None:
    path, params = plain_file
    with whole(path, **params) as decoded:
        payload = (sum(decoded.stored_bits.values()) - decoded.shared_bits) // 8
        own = decoded.stored_bits[name] // 8
    assert read_for(path, name, **params) <= path.stat().st_size - payload + own


def test_arrays_that_tensors_share_are_counted_once(tmp_path: Path) -> None:
    table = RNG.normal(size=256).astype(np.float32)
    indices = {name: RNG.integers(0, 256, 100).astype(np.uint8) for name in ("a", "b")}
    described = {
        name: {"encoding": "codebook", "codebook": "table", "indices": f"{name}.i", "shape": [100]}
        for name in indices
    }
    arrays = {"table": table, **{f"{name}.i": values for name, values in indices.items()}}
    path = handmade(tmp_path, described, arrays)
    with whole(path) as decoded:
        assert decoded.stored_bits == {"a": 8 * 1124, "b": 8 * 1124}
        assert decoded.shared_bits == 8 * 1024
        assert np.array_equal(one(path, "b")["b"], table[indices["b"]])


def test_a_container_is_read_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "sample.safetensors.xz"
    params = write(path, ENCODED, container="xz")
    assert np.array_equal(one(path, "bias", **params)["bias"], BIAS)
    assert read_for(path, "bias", **params) >= path.stat().st_size


def test_members_of_an_npz_are_all_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "sample.npz"
    np.savez(path, bias=BIAS, weight=WEIGHT)
    assert np.array_equal(one(path, "bias")["bias"], BIAS)
    assert read_for(path, "bias") > BIAS.nbytes


def test_a_stream_of_nnc_is_read_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "sample.nnc"
    tensors = {"bias": BIAS, "weight": WEIGHT}
    path.write_bytes(encode(tensors, EncoderSettings(quantization=Quantization(qp=-40))))
    with whole(path) as decoded:
        assert np.array_equal(one(path, "bias")["bias"], decoded["bias"])
        own = decoded.stored_bits["bias"] // 8
    assert read_for(path, "bias") < own + 200 < path.stat().st_size


def test_a_tensor_that_is_not_there(tmp_path: Path, plain_file: tuple[Path, dict]) -> None:
    path, params = plain_file
    with pytest.raises(KeyError):
        one(path, "none", **params)
    stream = tmp_path / "sample.nnc"
    stream.write_bytes(encode({"a": BIAS}, EncoderSettings(quantization=Quantization(qp=-40))))
    with pytest.raises(ConformanceError, match="no tensor"):
        one(stream, "none")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", MalformedError),
        (b"\x08\0\0", MalformedError),
        ((2**40).to_bytes(8, "little") + b"{}", MalformedError),
        ((2).to_bytes(8, "little") + b"[]", MalformedError),
    ],
)
def test_a_broken_header_is_malformed(tmp_path: Path, content: bytes, error: type) -> None:
    path = tmp_path / "sample.safetensors"
    path.write_bytes(content)
    with pytest.raises(error):
        one(path, "a")


def test_a_header_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sample.safetensors"
    with path.open("wb") as file:
        file.write((1 << 25).to_bytes(8, "little"))
        file.truncate(1 << 26)
    counter = ReadCounter()
    with pytest.raises(LimitError):
        one(path, "a", limit_bytes=1 << 30)
    assert counter.bytes < 1000


def test_a_tensor_beyond_the_limit_is_refused(plain_file: tuple[Path, dict]) -> None:
    path, params = plain_file
    with pytest.raises(LimitError):
        one(path, "weight", limit_bytes=1000, **params)
