"""A unary length that comes from outside: by the API, parameters of a codec, and commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.cli import main as cli
from conformance.codecs import DecodedTensors, Source, codec
from conformance.nnc import Options, decode
from conformance.nnc.access import decode_tensor
from conformance.nnc.errors import NncError
from conformance.nnc.inspection.rules import validate
from conformance.verdicts import MalformedError
from tests.bitstreams import raw_stream
from tests.nnc.inspection.streams import around, data, float_unit, some_levels

LENGTHS = [1, 3, 11, 200]
STATED = {"cabac_unary_length_flag": 1}
OUTSIDE = {"cabac_unary_length_flag": 0}
LEVELS = some_levels((20, 6), scale=8.0)


def stream(length: int, **values: Any) -> bytes:
    """A tensor coded with this unary length, which the stream states or does not."""
    return around(data(float_unit(levels=LEVELS, unary_length=length), **values))


def differs(content: bytes, options: Options, wanted: np.ndarray) -> bool:
    try:
        found = decode(content, options)["w"]
    except NncError:
        return True
    return not np.array_equal(found, wanted)


@pytest.mark.parametrize("length", LENGTHS)
def test_units_that_do_not_state_it_are_decoded_with_what_is_given(
    length: int, tmp_path: Path
) -> None:
    wanted = decode(stream(length, **STATED))["w"]
    bare, options = stream(length, **OUTSIDE), Options(cabac_unary_length=length)
    np.testing.assert_array_equal(decode(bare, options)["w"], wanted)
    (tmp_path / "a.nnc").write_bytes(bare)
    np.testing.assert_array_equal(decode_tensor(tmp_path / "a.nnc", "w", options), wanted)
    assert not [each for each in validate(bare, options) if each.severity == "violation"]
    assert differs(bare, Options(), wanted)


def test_a_unit_that_states_its_own_keeps_it() -> None:
    content = around(
        data(float_unit("a", levels=LEVELS, unary_length=3), **STATED),
        data(float_unit("b", levels=LEVELS, unary_length=7), **OUTSIDE),
    )
    found = decode(content, Options(cabac_unary_length=7))
    np.testing.assert_array_equal(found["a"], found["b"])


@pytest.mark.parametrize("length", [0, -1, 257])
def test_lengths_that_the_element_cannot_hold_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"cabac_unary_length is 1 to 256: {length}"):
        Options(cabac_unary_length=length)


# --- Samples


def decoded(folder: Path, content: bytes, **params: Any) -> DecodedTensors:
    path = folder / "a.nnc"
    path.write_bytes(content)
    made = codec("nnc").decode(Source((path,), ("a.nnc",), params, 10**8))
    assert isinstance(made, DecodedTensors)
    return made


def test_a_sample_may_give_it(tmp_path: Path) -> None:
    wanted = decode(stream(4, **STATED))["w"]
    with decoded(tmp_path, stream(4, **OUTSIDE), cabac_unary_length=4) as tensors:
        np.testing.assert_array_equal(tensors["w"], wanted)
        assert "unary-length:4" in tensors.features


@pytest.mark.parametrize("length", [0, 257, "4", 4.5, True, None])
def test_a_length_out_of_range_is_told(tmp_path: Path, length: object) -> None:
    with pytest.raises(MalformedError, match="'cabac_unary_length'") as caught:
        decoded(tmp_path, stream(4, **OUTSIDE), cabac_unary_length=length)
    assert caught.value.expected == "an integer from 1 to 256"
    assert caught.value.found == repr(length)
    assert caught.value.where is not None
    assert caught.value.where.element == "codec.params"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (stream(4, **STATED), "5; in the stream: 4"),
        (stream(5, **STATED), "5; in the stream: 5"),
        (raw_stream({"w": np.zeros(3, np.float32)}), "5; in the stream: no coded unit"),
    ],
    ids=["another", "the-same", "none"],
)
def test_a_length_that_the_stream_states_itself_is_refused(
    tmp_path: Path, content: bytes, found: str
) -> None:
    with pytest.raises(MalformedError, match="does not ask for") as caught:
        decoded(tmp_path, content, cabac_unary_length=5)
    assert caught.value.found == found
    assert caught.value.fix.startswith("Leave it out")


# --- Commands


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    (tmp_path / "a.nnc").write_bytes(stream(4, **OUTSIDE))

    def run(command: str, *options: str) -> tuple[int, str]:
        arguments = ["nnc", command, str(tmp_path / "a.nnc"), *options]
        with pytest.raises(SystemExit) as ended:
            cli.app(arguments)
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    return run


@pytest.mark.parametrize("command", ["inspect", "validate", "features", "decode"])
def test_commands_take_it(
    call: Callable[..., tuple[int, str]], tmp_path: Path, command: str
) -> None:
    output = tmp_path / "out.npz"
    more = ("--output", str(output)) if command == "decode" else ()
    code, text = call(command, "--cabac-unary-length", "4", *more)
    assert code == 0, text
    if command == "features":
        assert "unary-length:4" in text
    if command == "inspect":
        assert "unary length 4" in text
    if command == "decode":
        with np.load(output) as arrays:
            np.testing.assert_array_equal(arrays["w"], decode(stream(4, **STATED))["w"])


@pytest.mark.parametrize("length", ["0", "257", "four"])
def test_commands_refuse_what_is_out_of_range(
    call: Callable[..., tuple[int, str]], length: str
) -> None:
    code, text = call("validate", "--cabac-unary-length", length)
    assert code == 2
    assert "--cabac-unary-length" in text
