"""The examples of the documentation, typed in as they are printed."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import tomllib
import types
import venv
from pathlib import Path

import numpy as np
import pytest

from conformance.checks import CHECKS
from conformance.codecs import Source
from conformance.session.run import targets_of
from conformance.session.waivers import read_waivers
from conformance.submission import load
from conformance.tensorfiles import tensor_digest
from conformance.verdicts import ConformanceError, LimitError, MalformedError
from tests import tiny_submission
from tests.docs.pages import COMMAND, ROOT, Block, blocks, read
from tests.reference import facts
from tests.reference.__main__ import HERE

BUNDLED = ROOT / "vectors" / "submissions" / "digits-cnn"
SUBMITTERS = read(ROOT / "docs" / "submitters.md")
DECODERS = read(ROOT / "docs" / "decoder-authors.md")
CROSS_CHECKERS = read(ROOT / "docs" / "cross-checkers.md")


def type_in(arguments: list[str], folder: Path, python: str = sys.executable) -> str:
    """Run ``nnr-conformance`` and return the exit code and all it printed, as one text."""
    environment = {k: v for k, v in os.environ.items() if k != "GITHUB_STEP_SUMMARY"}
    ended = subprocess.run(
        [python, "-m", "conformance", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**environment, "NNR_CONFORMANCE_CACHE": str(folder / "evidence")},
    )
    return f"{ended.stdout}{ended.stderr}\nexit code {ended.returncode}"


def run_python(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


# --- docs/submitters.md


def say(block: Block, folder: Path) -> str:
    """Type in a console block and compare; ``...`` stands for anything."""
    first, _, printed = block.text.partition("\n")
    output = type_in(shlex.split(first.removeprefix(f"$ {COMMAND} ")), folder)
    for line in printed.splitlines():
        for part in line.split("..."):
            assert part.strip() in output, f"{first}\n{output}"
    return output


def fill_in(metadata: Path, pointer: str, values: dict) -> None:
    data = json.loads(metadata.read_text(encoding="utf-8"))
    place = data
    for key in filter(None, pointer.split("/")):
        place = place[int(key)] if isinstance(place, list) else place[key]
    place.update(values)
    metadata.write_text(json.dumps(data, indent=2, ensure_ascii=False), encoding="utf-8")


def paste_measured(metadata: Path, output: str) -> None:
    measured = json.loads(output.rpartition("\nexit code")[0])
    digests = {"tensor_digests": measured["claims"]["tensor_digests"]}
    fill_in(metadata, "/samples/0", {"features": measured["features"]})
    fill_in(metadata, "/samples/0/claims", digests)


def test_the_way_to_a_passing_submission_is_as_printed(tmp_path: Path) -> None:
    copying = blocks(SUBMITTERS, "sh")[0].text.replace("../vectors", str(ROOT / "vectors"))
    subprocess.run(["bash", "-ec", copying], check=True, cwd=tmp_path)
    folder = tmp_path / "try"
    metadata = folder / "my-submission" / "submission.json"
    for block in blocks(SUBMITTERS, "console", "json"):
        if block.language == "json":
            assert block.pointer is not None, block.text
            fill_in(metadata, block.pointer, json.loads(block.text))
            continue
        if "--fix" in block.text:
            with (folder / "my-submission" / "samples" / "int8.safetensors").open("ab") as file:
                file.write(b"\0")
        output = say(block, folder)
        assert "exit code 0" in output, output
        if f"{COMMAND} measure" in block.text:
            paste_measured(metadata, output)
    report = json.loads((folder / "reports/my-submission/report.json").read_text(encoding="utf-8"))
    assert (report["verdict"], report["exit_code"]) == ("pass", 0)


def test_the_digest_of_a_program_of_ones_own_is_the_same(tmp_path: Path) -> None:
    [program] = blocks(SUBMITTERS, "python")
    printed = run_python(program.text, folder=tmp_path).stdout.strip()
    assert printed == tensor_digest(np.zeros((64, 128), np.float32))


def test_the_sizes_in_the_example_are_right() -> None:
    original, sample = (
        (BUNDLED / name).stat().st_size
        for name in ("models/digits-cnn.onnx", "samples/int8-tensors.safetensors")
    )
    assert f"{original:,} to {sample:,} bytes" in SUBMITTERS
    assert f"| {original / sample:.2f} |" in SUBMITTERS
    assert f"| {sample / original * 100:.2f} |" in SUBMITTERS


# --- README.md


def test_the_readme_shows_the_bundled_submission_as_it_is() -> None:
    text = read(ROOT / "README.md")
    [target] = targets_of([load(BUNDLED)])
    planned = len(target.planned)
    assert f"collected {planned} items" in text
    assert f"digits-cnn: PASS — {planned} pass of {planned} checks" in text
    submission = target.loaded.submission
    assert submission is not None
    for sample in submission.samples:
        original = submission.model(sample.model).size
        row = next((r for r in text.splitlines() if r.startswith(f"| {sample.id} |")), None)
        if row is not None:
            assert f"| {original / sample.size:.2f} |" in row
            assert f"| {sample.size / original * 100:.2f} % |" in row


def test_the_values_in_the_readme_are_those_of_the_reference() -> None:
    text = read(ROOT / "README.md")
    known = facts.read(HERE / "submissions" / "digits-cnn.json")
    rows = [row.split(" | ") for row in text.splitlines() if " | top1 | " in row]
    assert len(rows) == 4
    for name, _, _, metric, *shown, _, verdict in rows:
        begins = f"samples {name.strip('| ')}@digits-cnn metrics {metric}@test"
        values = [known[f"{begins} {each}"] for each in ("reference", "value", "delta")]
        assert [float(each) for each in shown[:3]] == [float(f"{each:.5g}") for each in values]
        assert verdict.strip(" |") == known[f"{begins} verdict"]
    [finding] = [block.text for block in blocks(text, "text") if "METRIC-DELTA-001" in block.text]
    of_sample = "samples int4-tensors@digits-cnn metrics top1@test"
    value = {each: known[f"{of_sample} {each}"] for each in ("reference", "value", "delta", "loss")}
    assert f"loss {value['loss']:.6g} is beyond" in finding
    assert f"original {value['reference']:.10g}, sample {value['value']:.10g}," in finding
    low, high = (known[f"{of_sample} interval {each}"] for each in ("low", "high"))
    assert f"delta {value['delta']:.6g} (95% interval {low:+.6g} to {high:+.6g})" in finding


# --- docs/coordinators.md


def test_the_waivers_in_the_example_can_be_read(tmp_path: Path) -> None:
    [example] = blocks(read(ROOT / "docs" / "coordinators.md"), "json")
    file = tmp_path / "waivers.json"
    file.write_text(example.text, encoding="utf-8")
    [waiver] = read_waivers(file)
    assert waiver.check in {check.id for check in CHECKS}


# --- docs/cross-checkers.md


@pytest.fixture
def compare(tmp_path: Path):
    [program] = blocks(CROSS_CHECKERS, "python")

    def run(ours: dict, theirs: dict) -> subprocess.CompletedProcess[str]:
        for name, report in (("ours", ours), ("theirs", theirs)):
            (tmp_path / name).write_text(json.dumps(report), encoding="utf-8")
        return run_python(program.text, "ours", "theirs", folder=tmp_path)

    return run


def test_reports_that_differ_in_environment_and_timing_are_equal(compare) -> None:
    ours = {"environment": {"cpu": "a"}, "timing": {"seconds": 1}, "verdict": "pass"}
    theirs = {"verdict": "pass", "environment": {"cpu": "b"}, "timing": {"seconds": 2}}
    ended = compare(ours, theirs)
    assert (ended.returncode, ended.stdout.strip()) == (0, "equal")


def test_reports_that_differ_elsewhere_are_shown(compare) -> None:
    ours = {"environment": {}, "timing": {}, "verdict": "pass"}
    ended = compare(ours, {**ours, "verdict": "fail"})
    assert ended.returncode == 1
    assert '+ "verdict": "fail"' in ended.stdout


def test_blocks_of_the_environment_that_are_explained_exist() -> None:
    from conformance.evaluation.limits import Limits
    from conformance.session.environment import environment_block

    block = environment_block(Limits.for_machine())
    table = CROSS_CHECKERS.partition("| `environment` |")[2].partition("\n\n")[0]
    for row in table.splitlines()[2:]:
        for name in row.split("|")[1].split(","):
            place = block
            for key in name.strip(" `").split("."):
                place = place[key]


# --- docs/decoder-authors.md


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
    """An interpreter of its own, with this environment's packages and the codec installed."""
    folder = tmp_path_factory.mktemp("q8")
    environment = folder / "venv"
    venv.create(environment, symlinks=True)
    project = tomllib.loads(q8_files["pyproject.toml"])["project"]
    info = folder / f"q8_codec-{project['version']}.dist-info"
    info.mkdir()
    (folder / "q8_codec.py").write_text(q8_files["q8_codec.py"], encoding="utf-8")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = project["entry-points"].items()
    (info / "entry_points.txt").write_text(
        "\n".join(f"[{group}]\n{k} = {v}" for group, of in groups for k, v in of.items())
    )
    [packages] = environment.glob("lib/*/site-packages")
    reachable = [str(folder), str(ROOT), *(path for path in sys.path if "site-packages" in path)]
    (packages / "q8.pth").write_text("\n".join(reachable))
    return str(environment / "bin" / "python")


def write_q8_submission(root: Path, digests: dict[str, str]) -> None:
    """Write the tiny submission with ``sample.q8``, which is there already, as its only sample."""
    metadata = tiny_submission.write(root)
    entry = tiny_submission.entry(root, "sample.q8")
    roomy = {"type": "absolute", "bound": 0.3, "inclusive": True}
    sample = {
        **metadata["samples"][0],
        "codec": {"id": "q8", "params": {}},
        "files": [entry],
        "features": ["int8"],
        "metrics": [{"metric": "top1", "vectors": "test", "tolerance": roomy}],
        "claims": {
            "compressed_size": entry["size"],
            "metric_values": [],
            "tensor_digests": digests,
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
    digests = {name: tensor_digest(array) for name, array in decode(q8, q8_file).items()}
    write_q8_submission(q8_file.parent, digests)
    output = type_in(["run", "tiny"], tmp_path, q8_python)
    assert "tiny: PASS" in output, output
    report = json.loads((tmp_path / "reports/tiny/report.json").read_text(encoding="utf-8"))
    assert report["samples"][0]["codec"] == "q8"
    assert report["environment"]["versions"]["q8-codec"] == "1.0.0"


def test_a_damaged_sample_of_the_codec_is_malformed(
    q8_file: Path, q8_python: str, tmp_path: Path
) -> None:
    q8_file.write_bytes(q8_file.read_bytes()[:-1])
    write_q8_submission(q8_file.parent, {})
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
