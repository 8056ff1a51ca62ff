"""What docs/codecs.md shows works as shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.codecs import Source, codec
from conformance.codecs.encoded import affine
from conformance.codecs.encodings import ENCODINGS
from conformance.verdicts import MalformedError
from tests.bitstreams import raw_stream
from tests.codecs.files import handmade

PAGE = (Path(__file__).parents[2] / "docs" / "codecs.md").read_text()


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run every Python block of the page, one after the other."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    return names


def test_the_example_writes_a_sample(shown: dict[str, Any], tmp_path: Path) -> None:
    assert (tmp_path / "sample.safetensors.xz").stat().st_size < 2048
    assert set(shown["params"]) == {"container", "decoded_size", "format"}


def test_the_arithmetic_shown_is_that_of_the_codec(shown: dict[str, Any], tmp_path: Path) -> None:
    weight = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    tensor = affine(weight, axis=0, symmetric=False)
    arrays = tensor.arrays
    path = tmp_path / "a.safetensors"
    params = shown["write"](path, {"w": tensor})
    with shown["codec"]("tensors").decode(Source((path,), ("a",), params, 10**6)) as decoded:
        expected = shown["dequantise"](arrays["values"], arrays["scale"], arrays["zero_point"])
        assert decoded["w"].tobytes() == expected.tobytes()


def test_the_codec_shown_decodes(shown: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a.mine").write_bytes(b"MINE\x01\xff")
    decoded = shown["MyCodec"]().decode(Source((tmp_path / "a.mine",), ("a.mine",), {}, 100))
    assert decoded["fc.weight"].tolist() == [1.0, -1.0]
    (tmp_path / "a.mine").write_bytes(b"YOURS")
    with pytest.raises(MalformedError):
        shown["MyCodec"]().decode(Source((tmp_path / "a.mine",), ("a.mine",), {}, 100))


def test_the_description_shown_is_accepted(shown: dict[str, Any], tmp_path: Path) -> None:
    text = next(block for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
                if '"encoding"' in block)  # fmt: skip
    arrays = {
        "fc.weight:q": np.zeros(64 * 32, np.uint8),
        "fc.weight:s": np.ones(64, np.float32),
        "conv.weight:i": np.uint8([3]),
        "conv.weight:v": np.float16([0.5]),
    }
    path = handmade(tmp_path, json.loads(text), arrays)
    with shown["codec"]("tensors").decode(Source((path,), ("a",), {}, 10**6)) as decoded:
        assert decoded["fc.weight"].shape == (64, 64)
        assert decoded["conv.weight"].sum() == 0.5


def test_the_parameters_of_the_nnc_codec_are_those_listed(tmp_path: Path) -> None:
    section = PAGE.partition("## The `nnc` codec")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    path = tmp_path / "a.nnc"
    path.write_bytes(raw_stream({"w": np.zeros(2, np.float32)}))
    with pytest.raises(MalformedError) as caught:
        codec("nnc").decode(Source((path,), ("a.nnc",), {"unlisted": 1}, 10**6))
    known = caught.value.expected.removeprefix("some of ").split(", ")
    assert listed == set(known)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_has_a_section(encoding: str) -> None:
    assert f"#### `{encoding}`" in PAGE
