"""The codec of the page for authors of decoders: it works, and survives what it is fed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tomllib
import types
from pathlib import Path

import numpy as np
import pytest

from conformance.codecs import Source
from conformance.tensorfiles import tensor_digest
from conformance.verdicts import ConformanceError, LimitError, MalformedError
from tests import tiny_submission
from tests.docs.pages import ROOT, blocks, read
from tests.docs.typed import type_in
from tests.installing import interpreter_with

DECODERS = read(ROOT / "docs" / "decoder-authors.md")


@pytest.fixture(scope="module")
def q8_files() -> dict[str, str]:
    return {b.file: b.text for b in blocks(DECODERS, "toml", "python") if b.file}


@pytest.fixture(scope="module")
def q8(q8_files: dict[str, str]) -> types.ModuleType:
    module = types.ModuleType("q8_codec")
    exec(compile(q8_files["q8_codec.py"], "q8_codec.py", "exec"), module.__dict__)
    return module


@pytest.fixture(scope="module")
def q8_python(q8_files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A separate interpreter, with this environment's packages and the codec installed."""
    project = tomllib.loads(q8_files["pyproject.toml"])["project"]
    return interpreter_with(
        tmp_path_factory.mktemp("q8"),
        project["name"],
        project["version"],
        {"q8_codec.py": q8_files["q8_codec.py"]},
        {
            group: "".join(f"{name} = {value}\n" for name, value in lines.items())
            for group, lines in project["entry-points"].items()
        },
    )


def write_q8_submission(root: Path, decoded: dict[str, np.ndarray]) -> None:
    """Write the tiny submission with ``sample.q8``, which is there already, as its only sample.

    What is claimed is that it gives the tensors ``decoded``.
    """
    metadata = tiny_submission.write(root)
    entry = tiny_submission.entry(root, "sample.q8")
    roomy = {"type": "absolute", "bound": 0.25, "inclusive": True}
    sample = {
        **metadata["samples"][0],
        "codec": {"id": "q8", "params": {}},
        "files": [entry],
        "features": ["int8"],
        "metrics": [{"metric": "top1", "vectors": "test", "tolerance": roomy}],
        "claims": {
            "compressed_size": entry["size"],
            "metric_values": tiny_submission.metric_values(decoded)[:1],
            "tensor_digests": {name: tensor_digest(array) for name, array in decoded.items()},
        },
    }
    for name in ("half.onnx", "half.safetensors", "exact.safetensors"):
        (root / name).unlink()
    tiny_submission.save(root, {**metadata, "samples": [sample]})


@pytest.fixture
def q8_file(q8: types.ModuleType, tmp_path: Path) -> Path:
    path = tmp_path / "tiny" / "sample.q8"
    path.parent.mkdir()
    q8.encode(path, tiny_submission.weights())
    return path


def decode(q8: types.ModuleType, path: Path, limit_bytes: int = 1 << 30) -> dict[str, np.ndarray]:
    source = Source(files=(path,), display=(path.name,), params={}, limit_bytes=limit_bytes)
    with q8.Q8Codec().decode(source) as decoded:
        return {name: decoded[name] for name in decoded}


def test_the_codec_gives_back_what_was_encoded(q8: types.ModuleType, q8_file: Path) -> None:
    decoded = decode(q8, q8_file)
    for name, array in tiny_submission.weights().items():
        assert decoded[name].dtype == np.float32
        assert np.abs(decoded[name] - array).max() <= np.abs(array).max() / 127 / 2 * 1.001


def test_a_sample_of_the_codec_is_judged(
    q8: types.ModuleType, q8_file: Path, q8_python: str, tmp_path: Path
) -> None:
    write_q8_submission(q8_file.parent, decode(q8, q8_file))
    output = type_in(["run", "tiny"], tmp_path, q8_python)
    assert "tiny: PASS" in output, output
    report = json.loads((tmp_path / "reports/tiny/report.json").read_text(encoding="utf-8"))
    assert report["samples"][0]["codec"] == "q8"
    assert report["environment"]["versions"]["q8-codec"] == "1.0.0"


def test_a_damaged_sample_of_the_codec_is_malformed(
    q8_file: Path, q8_python: str, tmp_path: Path
) -> None:
    q8_file.write_bytes(q8_file.read_bytes()[:-1])
    write_q8_submission(q8_file.parent, tiny_submission.weights())
    output = type_in(["run", "tiny"], tmp_path, q8_python)
    assert "exit code 1" in output, output
    for said in ("SAMPLE-DECODE-001 malformed: tiny/half", "sample.q8 byte", "values of fc.bias"):
        assert said in output


def test_the_codec_refuses_a_file_cut_at_any_byte(q8: types.ModuleType, q8_file: Path) -> None:
    data = q8_file.read_bytes()
    for length in range(len(data)):
        q8_file.write_bytes(data[:length])
        with pytest.raises(MalformedError) as caught:
            decode(q8, q8_file)
        assert caught.value.where.byte_offset <= length


def test_the_codec_survives_any_flipped_bit(q8: types.ModuleType, q8_file: Path) -> None:
    data = q8_file.read_bytes()
    for position in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        q8_file.write_bytes(flipped)
        with contextlib.suppress(ConformanceError), np.errstate(all="ignore"):
            decode(q8, q8_file)


def test_the_codec_refuses_a_shape_that_no_array_can_have(
    q8: types.ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "long.q8"
    shape = (1).to_bytes(4, "little") * 200
    path.write_bytes(b"Q8V1" + b"\1\0\0\0" + b"\1\0w" + bytes([200]) + shape + bytes(5))
    with pytest.raises(MalformedError, match="a shape is too long") as caught:
        decode(q8, path)
    assert (caught.value.expected, caught.value.found) == ("at most 32", "200")


def test_the_codec_keeps_to_the_limit(q8: types.ModuleType, q8_file: Path) -> None:
    with pytest.raises(LimitError, match="larger than is allowed") as caught:
        decode(q8, q8_file, limit_bytes=8)
    assert caught.value.expected == "at most 8 bytes of tensors"


def test_the_program_that_looks_into_a_sample_runs(
    q8: types.ModuleType, q8_python: str, tmp_path: Path
) -> None:
    q8.encode(tmp_path / "sample.q8", {"w": np.ones((2, 3), np.float32)})
    program = blocks(DECODERS, "python")[-1]
    ended = subprocess.run(
        [q8_python, "-c", program.text], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert ended.stdout.strip() == "{'w': (2, 3)}"
