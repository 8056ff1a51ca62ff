"""Block rows in several threads: entry points make decoding faster, never different."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from conformance.nnc.cabac import block_rows
from conformance.nnc.cabac.coding import EntryPoint, LevelCoding, PayloadError
from conformance.nnc.cabac.decoding import PayloadDecoder
from conformance.nnc.encoder import PayloadEncoder, trellis_values

CODING = LevelCoding(height=130, width=600, scan_order=2, dependent=True, unary_length=3)
SMALL = replace(CODING, height=1, scan_order=0)


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    return np.random.default_rng(2).laplace(0, 1.5, CODING.size).astype(np.int32)


@pytest.fixture(scope="module")
def stream(levels: np.ndarray) -> tuple[np.ndarray, tuple[EntryPoint, ...]]:
    """A payload with a small tensor before and after the large one, and its entry points."""
    encoder = PayloadEncoder()
    encoder.write_levels(SMALL, levels[: SMALL.size])
    encoder.write_levels(CODING, levels)
    encoder.write_levels(SMALL, levels[: SMALL.size])
    payload = encoder.finish()
    return np.frombuffer(payload.data, np.uint8), payload.entry_points[1]


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether threads gave the result, for each tensor decoded."""
    outcomes: list[bool] = []
    original = block_rows.decode_in_threads

    def decode_in_threads(*arguments: object) -> bool:
        outcomes.append(original(*arguments))
        return outcomes[-1]

    monkeypatch.setattr("conformance.nnc.cabac.decoding.decode_in_threads", decode_in_threads)
    return outcomes


def decode(payload: np.ndarray, entry_points: tuple[EntryPoint, ...], count: int) -> np.ndarray:
    decoder = PayloadDecoder(payload)
    small, out = np.empty(SMALL.size, np.int32), np.full(CODING.size, -77, np.int32)
    decoder.read_levels(SMALL, small)
    decoder.read_levels(CODING, out, entry_points, threads=count)
    decoder.read_levels(SMALL, small)
    assert decoder.finish() == payload.size
    return out


@pytest.mark.parametrize("count", [2, 3, 9, 100])
def test_threads_decode_the_same(stream, levels, attempts, count: int) -> None:
    assert np.array_equal(decode(*stream, count), trellis_values(levels, CODING, None))
    assert attempts == [False, True, False]


def moved(entry: EntryPoint) -> EntryPoint:
    return replace(entry, bit_offset=entry.bit_offset + 1)


def other_value(entry: EntryPoint) -> EntryPoint:
    return replace(entry, value=entry.value ^ 1)


def other_state(entry: EntryPoint) -> EntryPoint:
    return replace(entry, dq_state=entry.dq_state ^ 1)


def far_away(entry: EntryPoint) -> EntryPoint:
    return replace(entry, bit_offset=2**40)


def before_the_start(entry: EntryPoint) -> EntryPoint:
    return replace(entry, bit_offset=-(2**40))


def too_large_value(entry: EntryPoint) -> EntryPoint:
    return replace(entry, value=511)


def too_large_state(entry: EntryPoint) -> EntryPoint:
    return replace(entry, dq_state=2**40)


@pytest.mark.parametrize(
    "change",
    [
        *(moved, other_value, other_state),
        *(far_away, before_the_start, too_large_value, too_large_state),
    ],
)
def test_wrong_entry_points_change_nothing(
    stream, levels, attempts, change: Callable[[EntryPoint], EntryPoint]
) -> None:
    payload, entry_points = stream
    middle = len(entry_points) // 2
    wrong = (*entry_points[:middle], change(entry_points[middle]), *entry_points[middle + 1 :])
    assert np.array_equal(decode(payload, wrong, 9), trellis_values(levels, CODING, None))
    assert attempts == [False, False, False]


def test_too_few_entry_points_are_not_used(stream, levels, attempts) -> None:
    payload, entry_points = stream
    expected = trellis_values(levels, CODING, None)
    assert np.array_equal(decode(payload, entry_points[:-1], 2), expected)
    assert not any(attempts)


@pytest.mark.parametrize("count", [0, 1])
def test_one_thread_needs_no_entry_points(stream, attempts, count: int) -> None:
    decode(*stream, count)
    assert not any(attempts)


def test_tools_work_in_threads(attempts) -> None:
    coding = replace(CODING, dependent=False, codebook_size=7, zero_offset=3)
    levels = np.random.default_rng(4).integers(-3, 4, coding.size, np.int32)
    encoder = PayloadEncoder()
    encoder.write_levels(coding, levels)
    payload = encoder.finish()
    out = np.empty(coding.size, np.int32)
    decoder = PayloadDecoder(np.frombuffer(payload.data, np.uint8))
    decoder.read_levels(coding, out, payload.entry_points[0], threads=2)
    assert np.array_equal(out, levels)
    assert attempts == [True]


def test_damage_is_the_same_with_threads(stream) -> None:
    payload, entry_points = stream
    errors = []
    for count in (1, 4):
        with pytest.raises(PayloadError) as caught:
            decode(payload[: payload.size * 2 // 3], entry_points, count)
        errors.append((caught.value.reason, caught.value.bit))
    assert errors[0] == errors[1]
