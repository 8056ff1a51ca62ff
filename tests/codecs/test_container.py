"""Containers: bounded, exactly one stream, and nothing after it."""

from __future__ import annotations

import lzma
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import numpy as np
import pytest
import zstandard

from conformance.codecs.container import MAX_WINDOW_BYTES, unpack
from conformance.verdicts import LimitError, MalformedError, UnsupportedError

PAYLOAD = np.random.default_rng(1).integers(0, 20, 300_000, np.uint8).tobytes()
PACK = {
    "zstd": lambda data: zstandard.ZstdCompressor(3, write_checksum=True).compress(data),
    "xz": lzma.compress,
    "deflate": zlib.compress,
}
every_container = pytest.mark.parametrize("container", PACK)


def unpacked(path: Path, container: str, size: int) -> bytes:
    with path.open("rb") as file, unpack(file, container, size, "shown/a") as result:
        return result.read()


def packed(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "a"
    path.write_bytes(content)
    return path


@every_container
@pytest.mark.parametrize("size", [0, 1, 65_536, 2**20, 2**20 + 1])
def test_what_is_packed_comes_back(tmp_path: Path, container: str, size: int) -> None:
    data = (PAYLOAD * 11)[:size]
    path = packed(tmp_path, PACK[container](data))
    assert unpacked(path, container, size) == data


@every_container
def test_long_runs_come_back(tmp_path: Path, container: str) -> None:
    data = bytes(20 * 2**20)
    assert unpacked(packed(tmp_path, PACK[container](data)), container, len(data)) == data


def test_a_zstandard_frame_without_a_size_comes_back(tmp_path: Path) -> None:
    compressor = zstandard.ZstdCompressor(write_content_size=False)
    path = packed(tmp_path, compressor.compress(PAYLOAD))
    assert unpacked(path, "zstd", len(PAYLOAD)) == PAYLOAD


@every_container
def test_more_than_declared_is_a_limit_error(tmp_path: Path, container: str) -> None:
    path = packed(tmp_path, PACK[container](PAYLOAD))
    with pytest.raises(LimitError) as caught:
        unpacked(path, container, len(PAYLOAD) - 1)
    assert "holds more than declared" in caught.value.message
    assert str(len(PAYLOAD) - 1) in caught.value.expected
    assert "decoded_size" in caught.value.fix


@every_container
def test_less_than_declared_is_malformed(tmp_path: Path, container: str) -> None:
    path = packed(tmp_path, PACK[container](PAYLOAD))
    with pytest.raises(MalformedError) as caught:
        unpacked(path, container, len(PAYLOAD) + 1)
    assert "holds less than declared" in caught.value.message
    assert caught.value.found == f"{len(PAYLOAD)} bytes"


@every_container
@pytest.mark.parametrize("missing", [1, 3, 1000])
def test_a_container_that_is_cut_off_is_malformed(
    tmp_path: Path, container: str, missing: int
) -> None:
    content = PACK[container](PAYLOAD)[:-missing]
    with pytest.raises(MalformedError) as caught:
        unpacked(packed(tmp_path, content), container, len(PAYLOAD))
    assert "cut off" in caught.value.message
    assert caught.value.where is not None
    assert caught.value.where.byte_offset == len(content)


@every_container
@pytest.mark.parametrize("trailing", ["a-byte", "a-second-stream"])
def test_what_follows_the_stream_is_malformed(
    tmp_path: Path, container: str, trailing: str
) -> None:
    whole = PACK[container](PAYLOAD)
    content = whole + (b"x" if trailing == "a-byte" else whole)
    with pytest.raises(MalformedError) as caught:
        unpacked(packed(tmp_path, content), container, len(PAYLOAD))
    assert "something follows" in caught.value.message
    assert "one" in caught.value.expected
    assert caught.value.where is not None
    assert caught.value.where.byte_offset == len(whole)


@every_container
def test_a_byte_after_a_stream_that_fills_whole_reads_is_noticed(
    tmp_path: Path, container: str
) -> None:
    for size in range(65_500, 65_560, 7):
        data = np.random.default_rng(size).bytes(size)
        with pytest.raises(MalformedError, match="something follows"):
            unpacked(packed(tmp_path, PACK[container](data) + b"x"), container, size)


@every_container
@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\0" * 100], ids=["empty", "zip", "zeros"]
)
def test_another_kind_of_file_is_malformed(tmp_path: Path, container: str, content: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        unpacked(packed(tmp_path, content), container, 10)
    assert caught.value.where is not None
    assert caught.value.where.file == "shown/a"
    assert caught.value.where.byte_offset == 0
    assert caught.value.fix


@every_container
def test_a_damaged_stream_is_malformed(tmp_path: Path, container: str) -> None:
    content = bytearray(PACK[container](PAYLOAD))
    content[len(content) // 2] ^= 0xFF
    with pytest.raises(MalformedError) as caught:
        unpacked(packed(tmp_path, bytes(content)), container, len(PAYLOAD))
    assert caught.value.found


def test_a_zstandard_window_beyond_the_limit_is_a_limit_error(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, write_content_size=False)
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    job = compressor.compressobj()
    content = job.compress(b"x" * 100) + job.flush()
    with pytest.raises(LimitError) as caught:
        unpacked(packed(tmp_path, content), "zstd", 100)
    assert f"at most {MAX_WINDOW_BYTES}" in caught.value.expected
    assert str(2**28) in caught.value.found
    assert "--long" in caught.value.fix


def test_an_xz_dictionary_beyond_the_limit_is_a_limit_error(tmp_path: Path) -> None:
    content = bytearray(lzma.compress(b"x" * 100, preset=6))
    filters = content.index(b"\x21\x01") + 2
    content[filters] = 40
    header = content[12 : 12 + (content[12] + 1) * 4]
    crc = zlib.crc32(header[:-4]).to_bytes(4, "little")
    content[12 + len(header) - 4 : 12 + len(header)] = crc
    with pytest.raises(LimitError) as caught:
        unpacked(packed(tmp_path, bytes(content)), "xz", 100)
    assert "too much memory" in caught.value.message
    assert "xz -9" in caught.value.fix


def test_a_zstandard_dictionary_is_unsupported(tmp_path: Path) -> None:
    samples = [bytes([i % 7, i % 5, i % 3]) * 30 for i in range(300)]
    dictionary = zstandard.train_dictionary(1000, samples)
    content = zstandard.ZstdCompressor(dict_data=dictionary).compress(samples[0])
    with pytest.raises(UnsupportedError) as caught:
        unpacked(packed(tmp_path, content), "zstd", len(samples[0]))
    assert str(dictionary.dict_id()) in caught.value.found


@every_container
def test_a_bomb_takes_little_memory(tmp_path: Path, container: str) -> None:
    script = f"""
        import resource, sys
        from conformance.codecs.container import unpack
        from conformance.verdicts import LimitError
        size = resource.getpagesize() * int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (size + 100 * 2**20,) * 2)
        try:
            unpack(open({str(tmp_path / "a")!r}, "rb"), {container!r}, 2**20, "a")
        except LimitError as error:
            print(error.message)
    """
    zeros = bytes(2**20)
    with (tmp_path / "a").open("wb") as file:
        job = {
            "zstd": zstandard.ZstdCompressor(level=1).compressobj,
            "xz": lambda: lzma.LZMACompressor(preset=0),
            "deflate": lambda: zlib.compressobj(1),
        }[container]()
        for _ in range(200):
            file.write(job.compress(zeros))
        file.write(job.flush())
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert "holds more than declared" in done.stdout
