"""The command line as a user types it: what it prints, and its exit code."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from conformance import __version__
from conformance.checks import CHECKS
from conformance.cli import main as cli
from conformance.jsonschemas import schema_names
from conformance.submission.text import PLACEHOLDER
from conformance.tensorfiles import tensor_digest, write_tensors
from tests import tiny_submission
from tests.runtimes import models

SCREEN = 40
"""Lines of one screen."""

HEAVY = ["numpy", "scipy", "torch", "torchmetrics", "tensorflow", "onnx", "onnxruntime", "jinja2"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ended]


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kept_workers: None,
) -> Cli:
    """Call a command in its own folder."""

    def call(*arguments: object) -> Ended:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["nnr-conformance", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return call


def in_a_process(*arguments: object, **options: Any) -> Ended:
    command = [sys.executable, "-m", "conformance", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def edit(folder: Path, change: Callable[[dict], object]) -> Path:
    metadata = json.loads((folder / "submission.json").read_text(encoding="utf-8"))
    change(metadata)
    tiny_submission.save(folder, metadata)
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_help_lists_every_command(call: Cli) -> None:
    shown = call("--help")
    assert shown.code == 0
    for command in (
        "run",
        "check",
        "describe",
        "init",
        "schema",
        "checks",
        "digest",
        "measure",
        "render",
    ):
        assert f"\n  {command} " in shown.out


@pytest.mark.parametrize(
    "command", [c.name or c.callback.__name__ for c in cli.app.registered_commands]
)
def test_every_command_has_a_help_of_its_own(call: Cli, command: str) -> None:
    shown = call(command, "--help")
    assert shown.code == 0
    assert shown.out.startswith(f"Usage: nnr-conformance {command}")


def test_nothing_typed_shows_the_help(call: Cli) -> None:
    assert "Commands:" in (ended := call()).out + ended.err


def test_version_is_that_of_the_package(call: Cli) -> None:
    assert call("--version") == Ended(0, f"nnr-conformance {__version__}\n", "")


def test_unknown_command_is_a_slip(call: Cli) -> None:
    ended = call("judge")
    assert ended.code == 2
    assert "No such command 'judge'" in ended.err


@pytest.mark.parametrize(
    "statement",
    [
        "import conformance",
        "import conformance.cli.main",
        "import conformance.pytest_run.plugin",
        (
            "import sys, conformance.cli.main as c; "
            "sys.argv[1:] = ['--help']; c.app(standalone_mode=False)"
        ),
    ],
    ids=["package", "cli", "plugin", "help"],
)
def test_nothing_heavy_is_imported_before_it_is_needed(statement: str) -> None:
    program = f"{statement}\nimport sys\nprint([n for n in {HEAVY} if n in sys.modules])"
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]"


# check


def test_sound_submission_is_in_order(call: Cli, tiny: Path) -> None:
    ended = call("check", tiny)
    assert ended.code == 0
    assert "metadata and files are in order (7 files" in ended.out
    assert "nnr-conformance run" in ended.out


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("two words", "`nnr-conformance run 'two words'`"),
        ("x\nforged: PASS", r"`nnr-conformance run 'x\nforged: PASS'`"),
    ],
)
def test_check_prints_a_command_for_any_name_of_a_folder(
    call: Cli, tiny: Path, monkeypatch: pytest.MonkeyPatch, name: str, command: str
) -> None:
    tiny.rename(tiny.parent / name)
    monkeypatch.chdir(tiny.parent)
    ended = call("check", "--", name)
    assert ended.code == 0
    assert command in ended.out
    assert len(ended.out.splitlines()) == 1


def test_every_problem_is_told_with_its_place_and_how_to_mend_it(call: Cli, tiny: Path) -> None:
    edit(tiny, lambda metadata: metadata.update(license="no such licence", titel="misspelt"))
    (tiny / "notes.txt").write_text("left over", encoding="utf-8")
    ended = call("check", tiny)
    assert ended.code == 1
    for said in ("SUBMISSION-LICENSE-001", "/license", "titel", "notes.txt", "fix", "basis"):
        assert said in ended.out
    assert "3 problems found" in ended.out


def test_check_writes_nothing(call: Cli, tiny: Path) -> None:
    (tiny / "half.safetensors").write_bytes(b"")
    before = snapshot(tiny)
    call("check", tiny)
    assert snapshot(tiny) == before


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda folder: None, "submission.json is missing"),
        (lambda folder: (folder / "submission.json").write_text('{"id": '), "JSON"),
        (lambda folder: (folder / "submission.json").mkdir(), "submission.json"),
        (lambda folder: (folder / "submission.json").write_bytes(b"\xff{}"), "UTF-8"),
    ],
    ids=["missing", "cut-off", "folder", "not-utf8"],
)
@pytest.mark.parametrize("options", [[], ["--fix"]], ids=["check", "fix"])
def test_metadata_that_cannot_be_read_exit_with_2(
    call: Cli, tmp_path: Path, prepare, said: str, options: list[str]
) -> None:
    (tmp_path / "folder").mkdir()
    prepare(tmp_path / "folder")
    ended = call("check", *options, tmp_path / "folder")
    assert ended.code == 2
    assert said in ended.err
    assert "fix" in ended.err


def test_fix_shows_the_difference_and_keeps_a_backup(call: Cli, tiny: Path) -> None:
    write_tensors(tiny / "half.safetensors", {"w": np.zeros(3, np.float16)})
    before = (tiny / "submission.json").read_bytes()
    ended = call("check", "--fix", tiny)
    entry = tiny_submission.entry(tiny, "half.safetensors")
    assert f'+          "sha256": "{entry["sha256"]}"' in ended.out
    assert "3 values were changed" in ended.out
    assert (tiny / "submission.json.bak").read_bytes() == before
    metadata = json.loads((tiny / "submission.json").read_text(encoding="utf-8"))
    assert metadata["samples"][0]["files"] == [entry]
    assert metadata["samples"][0]["claims"]["compressed_size"] == entry["size"]


def test_fixing_ends_with_a_submission_in_order(call: Cli, tiny: Path) -> None:
    write_tensors(tiny / "half.safetensors", {"w": np.zeros(3, np.float16)})
    assert call("check", "--fix", tiny).code == 0
    again = call("check", "--fix", tiny)
    assert again.code == 0
    assert "nothing was changed" in again.out
    assert sorted(p.name for p in tiny.glob("*.bak*")) == ["submission.json.bak"]


def test_fix_does_not_touch_what_it_cannot_know(call: Cli, tiny: Path) -> None:
    edit(tiny, lambda metadata: metadata.pop("license"))
    (tiny / "model.onnx").unlink()
    before = snapshot(tiny)
    ended = call("check", "--fix", tiny)
    assert ended.code == 1
    assert "license" in ended.out
    assert snapshot(tiny) == before


# init


@pytest.fixture
def material(tmp_path: Path) -> Path:
    """A network, its vectors and a sample, as they lie about at a submitter's."""
    folder = tmp_path / "material"
    folder.mkdir()
    weights = tiny_submission.weights()
    (folder / "My Model.onnx").write_bytes(tiny_submission.model_bytes(weights))
    x = models.floats(8, tiny_submission.FEATURES)
    outputs = tiny_submission.logits(weights, x)
    write_tensors(folder / "in.npz", {"x": x})
    write_tensors(folder / "label.npz", {"label": outputs.argmax(axis=1)})
    write_tensors(folder / "out.npz", {"logits": outputs})
    rounded = {name: array.astype(np.float16) for name, array in weights.items()}
    write_tensors(folder / "fp16.safetensors", rounded)
    return folder


def init(call: Cli, folder: Path, material: Path, *samples: Path) -> Ended:
    return call(
        *("init", folder, "--model", material / "My Model.onnx"),
        *("--input", material / "in.npz", "--target", material / "label.npz"),
        *("--output", material / "out.npz", "--sample", material / "fp16.safetensors"),
        *(each for sample in samples for each in ("--sample", sample)),
    )


DIGITS_FORMATS = Path(__file__).parents[1] / "vectors" / "submissions" / "digits-formats"

ANSWERS: dict[str, Any] = {
    "title of the submission": "Tiny",
    "what is submitted": "A linear layer.",
    "SPDX expression of the licence,": "BSD-3-Clause",
    "SPDX expression of its licence": "CC0-1.0",
    "number of items": 8,
    "where it is found": "https://example.org/points",
    "kind of metric": "top-k-accuracy",
    "higher or lower": "higher",
    "largest loss": 0.0,
    "value of the metric": 1.0,
    "a list of strings": [],
    "true or false": False,
    "list of documents": ["ISO/IEC 15938-17:2024"],
}


def filled(value: Any) -> Any:
    """Return metadata with an answer in the place of every blank."""
    if isinstance(value, dict):
        return {key: filled(member) for key, member in value.items()}
    if isinstance(value, list):
        return [filled(member) for member in value]
    if isinstance(value, str) and value.startswith(PLACEHOLDER):
        asked = value.removeprefix(f"{PLACEHOLDER}: ")
        return next((a for start, a in ANSWERS.items() if asked.startswith(start)), "cnn")
    return value


def blanks(value: Any) -> int:
    if isinstance(value, dict | list):
        members = value.values() if isinstance(value, dict) else value
        return sum(map(blanks, members))
    return int(isinstance(value, str) and value.startswith(PLACEHOLDER))


def test_started_submission_knows_what_can_be_measured(
    call: Cli, material: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "New Submission"
    others = [material / name for name in ("a.nnc", "b.onnx", "c.npz.xz", "d.bin")]
    for other in others:
        other.write_bytes(b"")
    assert init(call, folder, material, *others).code == 0
    metadata = json.loads((folder / "submission.json").read_text(encoding="utf-8"))
    (model,), (vectors,), samples = (metadata[key] for key in ("models", "vectors", "samples"))
    sample, *more = samples
    assert metadata["id"] == "new-submission"
    assert model["parameter_count"] == 21
    assert model["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["N", 6]}]
    assert model["files"][0]["rel_filepath"] == "models/My-Model.onnx"
    assert [shard["items"] for shard in vectors["shards"]] == [8]
    assert (sample["id"], sample["codec"]["id"]) == ("fp16", "tensors")
    content = (material / "fp16.safetensors").read_bytes()
    assert sample["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert sample["claims"]["compressed_size"] == len(content)
    assert [each["codec"]["id"] for each in more[:3]] == ["nnc", "onnx", "tensors"]
    assert more[3]["codec"]["id"].startswith(PLACEHOLDER)


def test_blanks_are_listed_and_are_all_that_is_left(
    call: Cli, material: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    ended = init(call, folder, material)
    metadata = json.loads((folder / "submission.json").read_text(encoding="utf-8"))
    listed = [line for line in ended.out.splitlines() if PLACEHOLDER in line]
    assert len(listed) == blanks(metadata) > 10
    assert "/models/0/network_type" in ended.out
    assert "nnr-conformance check" in ended.out
    checked = call("check", folder)
    assert checked.code == 1
    assert f"{len(listed)} problems found" in checked.out


def test_filled_in_submission_is_in_order(call: Cli, material: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    init(call, folder, material)
    metadata = json.loads((folder / "submission.json").read_text(encoding="utf-8"))
    tiny_submission.save(folder, filled(metadata))
    ended = call("check", folder)
    assert ended.code == 0, ended.out


def test_material_is_copied_and_left_alone(call: Cli, material: Path, tmp_path: Path) -> None:
    before = snapshot(material)
    init(call, tmp_path / "new", material)
    assert snapshot(material) == before
    copies = set(snapshot(tmp_path / "new").values())
    assert set(before.values()) <= copies


def test_network_alone_is_enough_to_start(call: Cli, material: Path, tmp_path: Path) -> None:
    ended = call("init", tmp_path / "new", "--model", material / "My Model.onnx")
    assert ended.code == 0
    assert "/samples" in ended.out
    assert "/vectors/0/shards" in ended.out


def test_vectors_without_inputs_are_not_forgotten(
    call: Cli, material: Path, tmp_path: Path
) -> None:
    model = material / "My Model.onnx"
    ended = call("init", tmp_path / "new", "--model", model, "--output", material / "out.npz")
    assert "/vectors/0/shards/0/inputs" in ended.out
    metadata = json.loads((tmp_path / "new" / "submission.json").read_text(encoding="utf-8"))
    (shard,) = metadata["vectors"][0]["shards"]
    assert shard["items"] == 8
    assert shard["outputs"][0]["rel_filepath"] == "vectors/out.npz"


def test_external_data_come_along_in_their_place(call: Cli, tmp_path: Path) -> None:
    material = tmp_path / "material"
    (material / "data").mkdir(parents=True)
    models.save_with_external_data(material, models.cnn(), "data/weights.bin")
    ended = call("init", tmp_path / "new", "--model", material / "model.onnx")
    assert ended.code == 0
    metadata = json.loads((tmp_path / "new" / "submission.json").read_text(encoding="utf-8"))
    paths = [file["rel_filepath"] for file in metadata["models"][0]["files"]]
    assert paths == ["models/model.onnx", "models/data/weights.bin"]
    copied = (tmp_path / "new" / paths[1]).read_bytes()
    assert copied == (material / "data" / "weights.bin").read_bytes()


def test_nothing_is_started_over_what_is_there(call: Cli, material: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "thesis.txt").write_text("irreplaceable", encoding="utf-8")
    ended = init(call, folder, material)
    assert ended.code == 2
    assert "not an empty folder" in ended.err
    assert list(snapshot(folder)) == ["thesis.txt"]


FORMATS = json.loads((DIGITS_FORMATS / "submission.json").read_text("utf-8"))["models"]
SCALARS = {"caffe": 2}
"""Single numbers among what the metadata count as parameters: the factors of BatchNorm layers."""


@pytest.mark.parametrize("model", FORMATS, ids=lambda model: model["format"])
def test_init_reads_every_model_format(call: Cli, tmp_path: Path, model: dict[str, Any]) -> None:
    files = [DIGITS_FORMATS / entry["rel_filepath"] for entry in model["files"]]
    told = ["--format", model["format"]] if files[0].suffix == ".pt" else []
    ended = call("init", tmp_path / "new", "--model", files[0], *told)
    assert ended.code == 0, ended.err
    (made,) = json.loads((tmp_path / "new/submission.json").read_text("utf-8"))["models"]
    assert made["format"] == model["format"]
    assert made["parameter_count"] == model["parameter_count"] - SCALARS.get(model["format"], 0)
    assert [port["name"] for port in made["inputs"]] == [p["name"] for p in model["inputs"]]
    assert sorted(f["sha256"] for f in made["files"]) == sorted(f["sha256"] for f in model["files"])
    assert made["files"][0]["sha256"] == model["files"][0]["sha256"]


def test_init_asks_for_a_format_that_the_name_does_not_tell(call: Cli, tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    file.write_bytes(b"PK")
    ended = call("init", tmp_path / "new", "--model", file)
    assert ended.code == 2
    assert "Add --format torchscript or --format torch-state-dict." in ended.err


def test_init_takes_from_the_vectors_what_the_network_does_not_tell(
    call: Cli, tmp_path: Path
) -> None:
    (model,) = (each for each in FORMATS if each["format"] == "torchscript")
    file = DIGITS_FORMATS / model["files"][0]["rel_filepath"]
    images, logits = (model[side][0]["name"] for side in ("inputs", "outputs"))
    write_tensors(tmp_path / "in.npz", {images: np.zeros((3, 1, 8, 8), np.float32)})
    write_tensors(tmp_path / "out.npz", {logits: np.zeros((3, 10), np.float32)})
    ended = call(
        *("init", tmp_path / "new", "--model", file, "--format", "torchscript"),
        *("--input", tmp_path / "in.npz", "--output", tmp_path / "out.npz"),
    )
    assert ended.code == 0, ended.err
    (made,) = json.loads((tmp_path / "new/submission.json").read_text("utf-8"))["models"]
    assert made["inputs"] == [{"name": images, "dtype": "float32", "shape": ["batch", 1, 8, 8]}]
    assert made["outputs"] == [{"name": logits, "dtype": "float32", "shape": ["batch", 10]}]


@pytest.mark.parametrize(
    ("option", "file", "side", "wanted"),
    [("--input", "label.npz", "input", "x"), ("--output", "label.npz", "output", "logits")],
)
def test_init_names_arrays_that_the_network_does_not_have(
    call: Cli, material: Path, tmp_path: Path, option: str, file: str, side: str, wanted: str
) -> None:
    model = material / "My Model.onnx"
    ended = call("init", tmp_path / "new", "--model", model, option, material / file)
    assert ended.code == 2
    assert f"the network has no {side} 'label'" in ended.err
    assert f"label.npz (label)\n  expected  arrays with the names of the {side}s: {wanted}" in (
        ended.err
    )
    assert f"Name the arrays like the {side}s of the network" in ended.err
    assert not (tmp_path / "new").exists()


# describe


@pytest.mark.parametrize("model", FORMATS, ids=lambda model: model["format"])
def test_describe_names_what_vectors_and_samples_have_to_name(
    call: Cli, model: dict[str, Any]
) -> None:
    files = [DIGITS_FORMATS / entry["rel_filepath"] for entry in model["files"]]
    told = ["--format", model["format"]] if files[0].suffix == ".pt" else []
    ended = call("describe", files[0], *told)
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"format\n  {model['format']}\nfiles\n  {files[0].name}\n")
    for port in (*model["inputs"], *model["outputs"]):
        assert f"\n  {port['name']}: " in ended.out
    count = model["parameter_count"] - SCALARS.get(model["format"], 0)
    listed = ended.out.partition(f"\nparameters, which a sample has: {count} values\n")[2]
    parameters = list(itertools.takewhile(lambda line: line.startswith("  "), listed.splitlines()))
    assert all(re.fullmatch(r"  \S.*: \w+\[[\d, ]*\]", line) for line in parameters)
    sizes = [line.rpartition("[")[2].rstrip("]").split(", ") for line in parameters]
    assert sum(math.prod(map(int, size)) for size in sizes) == count


def test_describe_marks_parameters_that_no_output_depends_on(call: Cli, tmp_path: Path) -> None:
    model = models.cnn()
    extra = onnx.numpy_helper.from_array(np.ones((2, 3), np.float32), "left over")
    model.graph.initializer.append(extra)
    onnx.save(model, tmp_path / "net.onnx")
    ended = call("describe", tmp_path / "net.onnx")
    assert "  left over: float32[2, 3] (no output depends on it)" in ended.out.splitlines()


# schema, checks, digest, render


@pytest.mark.parametrize("name", schema_names())
def test_schema_is_printed_as_json(call: Cli, name: str) -> None:
    ended = call("schema", name)
    assert ended.code == 0
    assert json.loads(ended.out)["$schema"].endswith("2020-12/schema")


def test_schemas_are_listed(call: Cli) -> None:
    assert call("schema").out.split() == list(schema_names())


def test_unknown_schema_names_those_there_are(call: Cli) -> None:
    ended = call("schema", "submision")
    assert ended.code == 2
    assert "there is no schema 'submision'" in ended.err
    assert "submission, vectors" in ended.err


def test_checks_are_listed_in_their_order(call: Cli) -> None:
    lines = call("checks").out.splitlines()
    assert [line.split()[0] for line in lines] == [check.id for check in CHECKS]
    assert all(check.title in line for check, line in zip(CHECKS, lines, strict=True))


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors"])
def test_digests_are_those_that_claims_want(call: Cli, tmp_path: Path, name: str) -> None:
    arrays = tiny_submission.weights()
    write_tensors(tmp_path / name, arrays)
    ended = call("digest", tmp_path / name)
    assert ended.code == 0
    assert json.loads(ended.out) == {name: tensor_digest(a) for name, a in arrays.items()}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny submission and the reports of a run over it."""
    folder = tmp_path_factory.mktemp("judged")
    tiny_submission.write(folder / "tiny")
    environment = {**os.environ, "NNR_CONFORMANCE_CACHE": str(folder / "evidence")}
    ended = in_a_process("run", "tiny", cwd=folder, env=environment)
    (folder / "said").write_text(f"{ended.code}\n{ended.out}{ended.err}", encoding="utf-8")
    return folder


def test_run_judges_and_leaves_reports_in_the_working_folder(judged: Path) -> None:
    code, _, said = (judged / "said").read_text(encoding="utf-8").partition("\n")
    assert code == "0", said
    assert "tiny: PASS" in said
    report = json.loads((judged / "reports" / "tiny" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "pass"


def test_run_keeps_evidence_where_it_is_told(judged: Path) -> None:
    assert list((judged / "evidence").glob("??/*/evidence.json"))


def test_report_is_rendered_again(call: Cli, judged: Path, tmp_path: Path) -> None:
    report = judged / "reports" / "tiny" / "report.json"
    ended = call("render", report, "--to", tmp_path / "again")
    assert ended.code == 0
    for path in map(Path, ended.out.split()):
        assert path.read_bytes() == (report.parent / path.name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == [
        "junit.xml",
        "report.html",
        "report.json",
        "report.md",
    ]


# slips


SLIPS: dict[str, tuple[str, ...]] = {
    "check-nowhere": ("check", "nowhere"),
    "check-file": ("check", "file.txt"),
    "fix-nowhere": ("check", "--fix", "nowhere"),
    "describe-no-model": ("describe", "nowhere.onnx"),
    "describe-folder": ("describe", "folder"),
    "init-no-model": ("init", "new", "--model", "nowhere.onnx"),
    "init-folder-as-model": ("init", "new", "--model", "folder"),
    "init-no-onnx-file": ("init", "new", "--model", "file.txt"),
    "init-empty-model": ("init", "new", "--model", "empty.onnx"),
    "init-no-input": ("init", "new", "--model", "model.onnx", "--input", "nowhere.npz"),
    "init-odd-input": ("init", "new", "--model", "model.onnx", "--input", "file.txt"),
    "init-no-target": ("init", "new", "--model", "model.onnx", "--target", "nowhere.npz"),
    "init-folder-as-sample": ("init", "new", "--model", "model.onnx", "--sample", "folder"),
    "init-same-sample-twice": (
        *("init", "new", "--model", "model.onnx"),
        *("--sample", "empty.onnx", "--sample", "empty.onnx"),
    ),
    "init-below-file": ("init", "file.txt/new", "--model", "model.onnx"),
    "init-over-file": ("init", "file.txt", "--model", "model.onnx"),
    "digest-nowhere": ("digest", "nowhere.npz"),
    "digest-folder": ("digest", "folder"),
    "digest-folder-named-npz": ("digest", "folder.npz"),
    "digest-text": ("digest", "file.txt"),
    "digest-no-npz": ("digest", "broken.npz"),
    "render-nowhere": ("render", "nowhere.json", "--to", "out"),
    "render-folder": ("render", "folder", "--to", "out"),
    "render-text": ("render", "file.txt", "--to", "out"),
    "render-other-json": ("render", "other.json", "--to", "out"),
    "measure-nowhere": ("measure", "nowhere", "sample"),
    "measure-no-submission": ("measure", "folder", "sample"),
    "schema": ("schema", "nobody"),
}


@pytest.fixture
def slips(tmp_path: Path) -> None:
    """What the slips are about, in the working folder."""
    for name in ("folder", "folder.npz"):
        (tmp_path / name).mkdir()
    (tmp_path / "file.txt").write_text("Just text.\n", encoding="utf-8")
    (tmp_path / "broken.npz").write_bytes(b"PK")
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "other.json").write_text('{"verdict": "pass"}', encoding="utf-8")
    model = tiny_submission.model_bytes(tiny_submission.weights())
    (tmp_path / "model.onnx").write_bytes(model)


@pytest.mark.parametrize("arguments", SLIPS.values(), ids=SLIPS)
def test_slip_is_one_screen_and_exit_code_2(call: Cli, slips: None, arguments: tuple) -> None:
    ended = call(*arguments)
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert "fix" in ended.err
    assert len((ended.out + ended.err).splitlines()) <= SCREEN
    assert "Traceback" not in ended.out + ended.err


@pytest.mark.parametrize("arguments", [a for n, a in SLIPS.items() if n.startswith("init")])
def test_slip_leaves_nothing_half_started(
    call: Cli, slips: None, arguments: tuple, tmp_path: Path
) -> None:
    call(*arguments)
    assert not (tmp_path / "new").exists()


def test_rendering_where_nothing_can_be_written_is_a_slip(
    call: Cli, judged: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    report = judged / "reports" / "tiny" / "report.json"
    ended = call("render", report, "--to", tmp_path / "file" / "below")
    assert ended.code == 2
    assert "cannot be rendered" in ended.err
    assert "--to" in ended.err


def test_folder_nobody_may_write_to_is_a_slip(
    call: Cli, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user may be root, who may write anywhere: so the kernel's refusal is played."""
    (tiny / "half.safetensors").write_bytes(b"")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tiny / "submission.json.bak"))

    monkeypatch.setattr(Path, "open", refuse)
    ended = call("check", "--fix", tiny)
    assert ended.code == 2
    assert ended.err.startswith(f"error: {tiny}/submission.json.bak: Permission denied")
    assert "fix" in ended.err


def test_run_without_a_folder_says_so(tmp_path: Path) -> None:
    ended = in_a_process("run", "nowhere", cwd=tmp_path)
    assert ended.code == 2
    said = ended.out + ended.err
    assert "there is no submission folder nowhere" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
