"""Nothing that a submitter wrote acts on the terminal, or looks like a line of this tool."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from conformance.cli import main as cli
from conformance.cli import nnc as cli_nnc
from conformance.tensorfiles import write_tensors
from tests import tiny_submission
from tests.bitstreams import raw_stream
from tests.forking import run_module

BIN = Path(sys.executable).parent
SUITES = Path(__file__).parents[1] / "conformance"

FORGED = "SAMPLE-DECODE-001 pass: tiny/half"
ACTING = f"w\x1b[2J\x1b]0;t\x07\x9b31m\r\u202e\u2066\u200f\u061c\x85\u2028\x0b\n{FORGED}\n\x7f"
"""Escape sequences of 7 and 8 bits, marks that reorder, every kind of line end, a forged line."""

MOVED = "_" + ACTING
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def hostile_model(parameters: dict[str, np.ndarray]) -> bytes:
    """Return the tiny network with a hostile name for its weight, and for an intermediate value."""
    model = onnx.load_model_from_string(tiny_submission.model_bytes(parameters))
    names = {"fc.weight": ACTING, "product": MOVED}
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for tensor in model.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    return model.SerializeToString()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny submission, with hostile names of tensors, files, metrics and keys; and a stream."""
    base = tmp_path_factory.mktemp("hostile")
    root = base / "tiny"
    metadata = tiny_submission.write(root)
    parameters = tiny_submission.weights()
    rounded = {name: array.astype(np.float16) for name, array in parameters.items()}
    (root / "model.onnx").write_bytes(hostile_model(parameters))
    for name, arrays in (("half", rounded), ("exact", parameters)):
        renamed = {ACTING if n == "fc.weight" else n: a for n, a in arrays.items()}
        write_tensors(root / f"{name}.safetensors", renamed)
    write_tensors(base / "arrays.safetensors", {ACTING: np.zeros(2, np.float32)})
    (base / "stream.nnc").write_bytes(raw_stream({ACTING: np.zeros((2, 3), np.float32)}))
    (base / "bad.nnc").write_bytes(raw_stream({ACTING: np.zeros((2, 3), np.float32)})[:-5])
    for file in _files(metadata):
        file.update(tiny_submission.entry(root, file["rel_filepath"]))
    for sample in metadata["samples"]:
        sample["claims"] = {"compressed_size": sample["files"][0]["size"]}
        sample["claims"] |= {"metric_values": [], "tensor_digests": {ACTING: "0" * 64}}
    metadata["title"] = metadata["description"] = ACTING
    tiny_submission.save(root, metadata)
    return base


def _files(metadata: dict) -> list[dict]:
    shards = metadata["vectors"][0]["shards"][0]
    listed = [*metadata["models"][0]["files"], *shards["inputs"]]
    return listed + [file for sample in metadata["samples"] for file in sample["files"]]


@pytest.fixture(scope="module")
def broken(hostile: Path) -> Path:
    """The same, and its metadata and folder are hostile too, so that little is judged."""
    base = hostile.parent / "broken"
    base.mkdir()
    root = base / "tiny"
    metadata = tiny_submission.write(root)
    metadata[ACTING] = 1
    metadata["samples"][0]["method"][ACTING] = ACTING
    metadata["samples"][0]["model"] = ACTING
    metadata["models"][0]["license"] = ACTING
    tiny_submission.save(root, metadata)
    (root / ACTING.replace("/", "-")).write_text("x", encoding="utf-8")
    (root / f"{ACTING.replace('/', '-')}.py").write_text("x", encoding="utf-8")
    return base


def said(folder: Path, module: str, *arguments: object) -> str:
    environment = {**os.environ, "NNR_CONFORMANCE_CACHE": str(folder / "evidence")}
    ended = run_module(module, *arguments, cwd=folder, env=environment)
    text = ended.stdout + ended.stderr
    assert "Traceback" not in text, text
    return text


def assert_harmless(text: str, *, names_it: bool = True) -> None:
    assert not (found := UNSAFE.search(text)), text[max(0, found.start() - 200) : found.end()]
    # A forged line would begin a line; in its place it stands after an escaped newline.
    lines = [line for line in text.split("\n") if line.lstrip(" |E").startswith(FORGED)]
    assert not lines
    assert not names_it or r"\u001b" in text or r"\x1b" in text, text


CALLS: dict[str, tuple[str, ...]] = {
    "check": ("check", "tiny"),
    "describe": ("describe", "tiny/model.onnx"),
    "digest": ("digest", "arrays.safetensors"),
    "init": ("init", "new", "--model", "tiny/model.onnx", "--input", "arrays.safetensors"),
    "localise": ("localise", "tiny", "half", "--metric", "distance"),
    "measure": ("measure", "tiny", "half"),
    "render": ("render", "bad.json"),
    "run": ("run", "tiny"),
    "nnc decode": ("nnc", "decode", "stream.nnc", "--output", "decoded.npz"),
    "nnc inspect": ("nnc", "inspect", "stream.nnc"),
    "nnc validate": ("nnc", "validate", "bad.nnc"),
}
"""A call of every command that prints what a submitter wrote."""

MORE: dict[str, tuple[str, ...]] = {
    "nnc inspect --tree": ("nnc", "inspect", "--tree", "stream.nnc"),
    "nnc inspect --json": ("nnc", "inspect", "--json", "stream.nnc"),
    "nnc inspect, damaged": ("nnc", "inspect", "bad.nnc"),
    "nnc decode, damaged": ("nnc", "decode", "bad.nnc", "--output", "decoded.npz"),
    "run -n": ("run", "tiny", "-n", "1", "-rA", "-v"),
}

NAMELESS = (
    *(CALLS["check"], CALLS["render"], CALLS["nnc validate"]),
    *(MORE["nnc decode, damaged"], MORE["nnc inspect, damaged"]),
)
"""Calls that have nothing to say about what is hostile here; they may not print it, either."""

PRINT_NOTHING_FOREIGN = {
    "checks",  # the catalogue
    "schema",  # the schemas
    "nnc warm-up",  # a time
    "nnc features",  # names of tools, from a list of the standard's
    "compare-runtimes",  # ids, which follow a pattern, and errors, as in `run`
}


def test_every_command_is_called_or_prints_nothing_foreign() -> None:
    own = {c.name or c.callback.__name__ for c in cli.app.registered_commands}
    own |= {f"nnc {c.name or c.callback.__name__}" for c in cli_nnc.app.registered_commands}
    assert own == CALLS.keys() | PRINT_NOTHING_FOREIGN


@pytest.mark.parametrize("arguments", [*CALLS.values(), *MORE.values()], ids=[*CALLS, *MORE])
def test_command_prints_nothing_that_acts(hostile: Path, arguments: Sequence[str]) -> None:
    (hostile / "bad.json").write_text(json.dumps({ACTING: ACTING}), encoding="utf-8")
    text = said(hostile, "conformance", *arguments)
    assert_harmless(text, names_it=arguments not in NAMELESS)


@pytest.mark.parametrize(
    "arguments",
    [("check", "tiny"), ("run", "tiny"), ("run", "tiny", "-n", "1"), ("check", "--fix", "tiny")],
    ids=" ".join,
)
def test_findings_about_metadata_print_nothing_that_acts(
    broken: Path, arguments: Sequence[str]
) -> None:
    assert_harmless(said(broken, "conformance", *arguments))


@pytest.mark.parametrize("options", [(), ("-v", "-rA"), ("-q", "--tb=long")], ids=" ".join)
def test_plain_pytest_prints_nothing_that_acts(broken: Path, options: Sequence[str]) -> None:
    assert_harmless(said(broken, "pytest", SUITES, "--submission=tiny", *options))


DEFECT = f"""
from conformance.judging import judge

def broken(self, *args, **kwargs):
    raise RuntimeError({ACTING!r})

judge.Judge.passed = broken
"""


def test_trace_of_a_defect_prints_nothing_that_acts(hostile: Path, tmp_path: Path) -> None:
    (tmp_path / "breaking.py").write_text(DEFECT, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = ["run", "tiny", "-p", "breaking", "-k", "test_readable"]
    ended = subprocess.run(
        [BIN / "nnr-conformance", *command],
        capture_output=True,
        check=False,
        cwd=hostile,
        env=environment,
        timeout=300,
    )
    text = (ended.stdout + ended.stderr).decode("utf-8")
    assert "RuntimeError" in text
    assert not UNSAFE.search(text)
