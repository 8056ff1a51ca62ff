"""One tensor of a stream: the bits that decoding all gives it, and little else is read."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import nnc
from conformance.nnc.access import StreamAccess
from conformance.nnc.encoder import EncoderSettings, Quantization, encode
from conformance.nnc.partial import PartialFile
from tests.hang import no_hang
from tests.vectors.bitstream_cases import CASES

ROOT = Path(__file__).parents[2]
ONE_THREAD = nnc.Options(threads=1)
PASSED_OVER_BYTES = 64
STREAMS = [
    (path, case.options)
    for case in CASES
    if len(case.streams) == 1
    for _, path in case.streams
    if "tensors" in case.document["streams"][0]
]


def whole_networks() -> list[Path]:
    """The bitstreams of the bundled submissions that need no other."""
    found = []
    for metadata in sorted(ROOT.glob("vectors/submissions/digits-*/submission.json")):
        for sample in json.loads(metadata.read_text("utf-8"))["samples"]:
            if "update_of" not in sample and sample.get("codec", {}).get("id") == "nnc":
                found += [metadata.parent / file["rel_filepath"] for file in sample["files"]]
    return found


STREAMS += [(path, ONE_THREAD) for path in whole_networks()]


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def stream(tensors: dict[str, np.ndarray]) -> bytes:
    return encode(tensors, EncoderSettings(quantization=Quantization(qp=-30)))


def several(count: int = 20, size: int = 2000) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {f"t{i:02}": rng.normal(size=size).astype(np.float32) for i in range(count)}


@pytest.mark.parametrize(("path", "options"), STREAMS, ids=lambda given: getattr(given, "stem", ""))
@pytest.mark.parametrize("factors", [False, True], ids=["as-coded", "reconstructed"])
def test_every_tensor_is_the_one_of_the_whole(
    path: Path, options: nnc.Options, factors: bool
) -> None:
    options = replace(options, apply_local_scaling=factors, multiply_decomposition=factors)
    try:
        whole = nnc.decode(path, options)
    except nnc.NncError as error:
        with pytest.raises(type(error)):
            nnc.decode_tensor(path, "any", options)
        return
    for name, values in whole.items():
        with StreamAccess(path, options) as access:
            assert same(access.decode(name), values)
            others = sum(plan.unit.payload_size for plan in access.plans)
            free = access.size - others + PASSED_OVER_BYTES * len(whole)
            assert access.bytes_read <= access.payload_bytes[name] + free


def test_parts_that_were_put_together_are_no_tensors(tmp_path: Path) -> None:
    path = next(path for path, _ in STREAMS if "decomposition-in-units" in str(path))
    options = replace(ONE_THREAD, multiply_decomposition=True)
    part = next(name for name in nnc.decode(path, ONE_THREAD) if name.endswith("_G"))
    with pytest.raises(nnc.NncError, match="no tensor"):
        nnc.decode_tensor(path, part, options)


def test_a_small_part_of_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.nnc"
    path.write_bytes(stream(several()))
    with StreamAccess(path, ONE_THREAD) as access:
        access.decode("t07")
        assert access.bytes_read < access.size / 10


def test_the_payloads_of_others_may_be_anything(tmp_path: Path) -> None:
    path = tmp_path / "model.nnc"
    data = bytearray(stream(several()))
    path.write_bytes(data)
    wanted = nnc.decode_tensor(path, "t07", ONE_THREAD)
    for unit in nnc.parse_stream(bytes(data)).units:
        if unit.name == "NDU" and unit.values["topology_elem_id"] != "t07":
            end = unit.payload_byte + unit.payload_size
            data[unit.payload_byte : end] = b"\xff" * unit.payload_size
    path.write_bytes(data)
    assert same(nnc.decode_tensor(path, "t07", ONE_THREAD), wanted)


def test_the_last_of_a_name_counts(tmp_path: Path) -> None:
    first, second = stream({"a": np.zeros(9, np.float32)}), stream({"a": np.ones(9, np.float32)})
    unit = next(u for u in nnc.parse_stream(second).units if u.name == "NDU")
    path = tmp_path / "twice.nnc"
    path.write_bytes(first + second[unit.byte : unit.byte + unit.size])
    assert same(nnc.decode_tensor(path, "a", ONE_THREAD), nnc.decode(path, ONE_THREAD)["a"])


def test_a_name_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    path = tmp_path / "model.nnc"
    path.write_bytes(stream(several(3)))
    with pytest.raises(nnc.NncError, match="no tensor 'x'") as caught:
        nnc.decode_tensor(path, "x", ONE_THREAD)
    assert "'t00', 't01', 't02'" in str(caught.value)


def test_an_empty_file_is_malformed(tmp_path: Path) -> None:
    path = tmp_path / "empty.nnc"
    path.touch()
    with pytest.raises(nnc.NncMalformedError, match="empty"):
        nnc.decode_tensor(path, "x")


def test_a_missing_file_is_what_python_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        nnc.decode_tensor(tmp_path / "none.nnc", "x")


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_an_error_or_the_same_as_in_the_whole(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(stream(several(4, 30)))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, 20))
    path = tmp_path_factory.mktemp("damaged") / "model.nnc"
    path.write_bytes(content[: len(content) - cut])
    try:
        whole = nnc.decode(path, ONE_THREAD)
    except nnc.NncError:
        whole = {}
    for name in ("t00", "t01", "t02", "t03"):
        try:
            alone = nnc.decode_tensor(path, name, ONE_THREAD)
        except nnc.NncError:
            assert name not in whole
        else:
            assert not whole or same(alone, whole[name])


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "model.nnc"
    path.write_bytes(content)
    with pytest.raises(nnc.NncError):
        nnc.decode_tensor(path, "x", ONE_THREAD)


@pytest.mark.parametrize(
    "size", [b"\xff\xff\xff\xff", b"\x7f\xff", b"\x00\x00", b"\x80\x00\x00\x03"]
)
def test_a_hostile_size_costs_nothing(tmp_path: Path, size: bytes) -> None:
    path = tmp_path / "model.nnc"
    good = stream(several(2, 30))
    unit = nnc.parse_stream(good).units[-1]
    with path.open("wb") as file:
        file.write(good[: unit.byte] + size + good[unit.byte + len(size) :])
        file.truncate(1 << 30)
    tracemalloc.start()
    with no_hang(), pytest.raises(nnc.NncError):
        nnc.decode_tensor(path, "t00", ONE_THREAD)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_a_name_without_end_is_not_read_twice(tmp_path: Path) -> None:
    good = stream({"name": np.zeros(3, np.float32)})
    unit = nnc.parse_stream(good).units[-1]
    size = 1 << 20
    long = bytearray(good[: unit.byte] + (size | 1 << 31).to_bytes(4, "big"))
    long += good[unit.byte + 2 : unit.byte + 4] + b"n" * (size - 6)
    path = tmp_path / "long.nnc"
    path.write_bytes(long)
    with no_hang(), pytest.raises(nnc.NncError):
        nnc.decode_tensor(path, "n", ONE_THREAD)


def test_a_file_that_shrinks_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    with PartialFile(path) as file:
        path.write_bytes(bytes(10))
        with pytest.raises(nnc.NncMalformedError, match="shorter"):
            file.fill(0, 100)


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 120)), max_size=12))
def test_nothing_is_read_twice(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[int, int]]
) -> None:
    content = bytes(range(1, 101))
    path = tmp_path_factory.mktemp("partial") / "file"
    path.write_bytes(content)
    wanted: set[int] = set()
    with PartialFile(path) as file:
        for begin, end in asked:
            file.fill(begin, end)
            wanted |= set(range(begin, min(end, 100)))
            assert file.bytes_read == len(wanted)
        assert bytes(file.view) == bytes(v if i in wanted else 0 for i, v in enumerate(content))
