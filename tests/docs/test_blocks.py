"""Every block of code of the pages that users start with is run, or compared with what is real.

``PROOFS`` has, for each page, what is done with a block that begins so. A block for which it has
nothing fails; so does an entry that no block is left for. A reason in words stands where a test
cannot run a block: those are few.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import yaml

from conformance.checks import CHECKS
from conformance.judging.sizes import RATIO_TOLERANCE
from conformance.judging.waivers import read_waivers
from conformance.pytest_run.environment import environment_block
from conformance.pytest_run.exit_code import WORST_FIRST
from conformance.runtimes import RUNTIMES
from conformance.sandbox.limits import Limits
from conformance.submission.values import VALUE_TOLERANCE
from conformance.tensorfiles import tensor_digest
from conformance.verdicts import EXIT_OF_OVERALL, OPEN, REFUSING, ExitCode
from tests import tiny_submission
from tests.docs.pages import COMMAND, ROOT, Block, blocks, read
from tests.docs.typed import run_python, type_in, type_in_shell

BUNDLED = ROOT / "vectors" / "submissions" / "digits-cnn"
README = read(ROOT / "README.md")
SUBMITTERS = read(ROOT / "docs" / "submitters.md")
COORDINATORS = read(ROOT / "docs" / "coordinators.md")
CROSS_CHECKERS = read(ROOT / "docs" / "cross-checkers.md")

STRICT = {"type": "absolute", "bound": 0.001, "inclusive": True}
"""A tolerance that the sample int4-tensors misses."""


def strict(metadata: Path, *keep: str) -> None:
    """Give int4-tensors a tolerance that it misses; keep these samples, or all."""
    data = json.loads(metadata.read_text(encoding="utf-8"))
    for sample in list(data["samples"]):
        if keep and sample["id"] not in keep:
            data["samples"].remove(sample)
            for file in sample["files"]:
                (metadata.parent / file["rel_filepath"]).unlink()
    [sample] = (sample for sample in data["samples"] if sample["id"] == "int4-tensors")
    sample["metrics"][0]["tolerance"] = STRICT
    metadata.write_text(json.dumps(data), encoding="utf-8")


class Desk:
    """A folder with what the pages speak of: a clone, submissions, reports of two laboratories."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clone = folder / "vectors" / "submissions" / "digits-cnn"
        shutil.copytree(BUNDLED, clone)
        shutil.copytree(BUNDLED, folder / "strict")
        strict(folder / "strict" / "submission.json")
        shutil.copytree(BUNDLED, folder / "submissions" / "a")
        strict(folder / "submissions" / "a" / "submission.json", "int8-tensors", "int4-tensors")
        for name in ("submissions/b", "submission", "path/to/submission", "DIR"):
            tiny_submission.write(folder / name)
        [waivers] = blocks(COORDINATORS, "json")
        (folder / "waivers.json").write_text(waivers.text, encoding="utf-8")
        [compare] = blocks(CROSS_CHECKERS, "python")
        (folder / "compare.py").write_text(compare.text, encoding="utf-8")

    def type(self, line: str) -> str:
        return type_in_shell(line.replace("/path/to/", "path/to/"), self.folder)

    @cached_property
    def digits(self) -> str:
        """What the run of digits-cnn prints that README shows; its report is kept aside."""
        output = self.type(f"{COMMAND} run vectors/submissions/digits-cnn")
        report = self.folder / "reports" / "digits-cnn" / "report.md"
        shutil.copyfile(report, self.folder / "digits.md")
        return output

    @cached_property
    def reports(self) -> None:
        """Reports of two laboratories about one submission."""
        for name in ("ours", "theirs"):
            output = self.type(f"{COMMAND} run DIR --report {name} --no-cache")
            assert "exit code 0" in output, output
            (self.folder / name / "report.json").write_bytes(
                (self.folder / name / "tiny" / "report.json").read_bytes()
            )

    @cached_property
    def walk(self) -> set[str]:
        """Go the way of a submitter, block by block; the blocks that were typed or pasted."""
        return walk(Path(tempfile.mkdtemp(dir=self.folder)))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


def as_printed(block: Block, output: str) -> None:
    """Compare a console block with what was printed; ``...`` stands for anything."""
    first, _, printed = block.text.partition("\n")
    for line in printed.splitlines():
        for part in line.split("..."):
            assert part.strip() in output, f"{first}\n{output}"


# --- what is done with a block

Proof = Callable[[Block, Desk], None]


def ends_with(*codes: int) -> Proof:
    """Type in the lines of a block that call this tool; they end with these exit codes."""

    def proof(block: Block, desk: Desk) -> None:
        lines = [re.sub(r"^\s*- run: ", "", line) for line in block.text.splitlines()]
        typed = [line for line in lines if line.startswith((COMMAND, "python "))]
        assert len(typed) == len(codes)
        for line, code in zip(typed, codes, strict=True):
            output = desk.type(line)
            assert f"exit code {code}" in output, f"{line}\n{output}"

    return proof


def digits_run(block: Block, desk: Desk) -> None:
    as_printed(block, desk.digits)
    assert "exit code 0" in desk.digits


def strict_run(block: Block, desk: Desk) -> None:
    only = "METRIC-DELTA-001:digits-cnn/int4-tensors/top1"
    output = desk.type(f"{COMMAND} run strict --only {only} --report strict-reports")
    assert block.text.replace("/path/to/submission", str(desk.folder / "strict")) in output, output


def walked(block: Block, desk: Desk) -> None:
    assert block.text in desk.walk


def same_digest(block: Block, desk: Desk) -> None:
    printed = run_python(block.text, folder=desk.folder).stdout.strip()
    assert printed == tensor_digest(np.zeros((64, 128), np.float32))


def waives_what_fails(block: Block, desk: Desk) -> None:
    [waiver] = read_waivers(desk.folder / "waivers.json")
    assert waiver.check in {check.id for check in CHECKS}
    output = desk.type(f"{COMMAND} run submissions/a --waivers waivers.json --report waived")
    assert "1 waived" in output, output
    assert "exit code 0" in output, output


def compared(block: Block, desk: Desk) -> None:
    _ = desk.reports
    output = desk.type(block.text)
    assert output == "equal\n\nexit code 0"


def rendered(block: Block, desk: Desk) -> None:
    _ = desk.reports
    (desk.folder / "their").mkdir()
    shutil.copy(desk.folder / "theirs" / "report.json", desk.folder / "their")
    assert "exit code 0" in desk.type(block.text)
    for name in ("report.html", "report.md", "junit.xml"):
        assert (desk.folder / "pages" / name).stat().st_size


def in_the_container(block: Block, desk: Desk) -> None:
    """Without an engine: the options are those that container/test runs the image with."""
    tested = read(ROOT / "container" / "test")
    if block.language == "yaml":
        assert yaml.safe_load(block.text)["jobs"]
    else:
        subprocess.run(["bash", "-nc", block.text], check=True)
    words = shlex.split(block.text.partition("docker run")[2], comments=True)
    assert "--rm --network none --read-only" in " ".join(words)
    assert "run --rm --network none --read-only" in tested
    mounts = [words[i + 1].partition(":")[2] for i, word in enumerate(words) if word == "-v"]
    assert mounts == ["/submission:ro", "/reports"]
    assert all(f":{mount}" in tested for mount in mounts)


MAKE = "builds an environment of several gigabytes; test_docs.py compares the targets with Makefile"
BY_TESTS_BELOW = "run on reports by the tests below, and typed in as compare.py"

PROOFS: Mapping[str, Mapping[tuple[str, str], Proof | str]] = {
    "README.md": {
        ("sh", "make conformance    # builds"): MAKE,
        ("sh", "make conformance SUBMISSION="): MAKE,
        ("console", f"$ {COMMAND} run vectors/submissions/digits-cnn"): digits_run,
        ("text", "METRIC-DELTA-001 fail: "): strict_run,
        ("sh", f"{COMMAND} run /path/to/submission"): ends_with(ExitCode.PASS),
        ("sh", "docker run "): in_the_container,
    },
    "docs/submitters.md": {
        ("sh", ""): walked,
        ("console", ""): walked,
        ("json", ""): walked,
        ("python", ""): same_digest,
    },
    "docs/coordinators.md": {
        ("sh", f"{COMMAND} run submissions/* "): ends_with(ExitCode.FAIL),
        ("sh", "for submission in "): in_the_container,
        ("sh", f"{COMMAND} check submissions/a"): ends_with(0),
        ("json", ""): waives_what_fails,
        ("sh", f"{COMMAND} run submissions/a --waivers "): ends_with(ExitCode.PASS),
        ("sh", f"{COMMAND} run submissions/a -n auto "): ends_with(
            ExitCode.FAIL, ExitCode.INCOMPLETE
        ),
        ("sh", f"{COMMAND} run vectors/submissions/digits-cnn --only "): ends_with(
            ExitCode.INCOMPLETE
        ),
        ("sh", f"{COMMAND} render "): rendered,
        ("yaml", "name: conformance"): in_the_container,
        ("yaml", "      - uses: actions/setup-python"): ends_with(ExitCode.PASS),
    },
    "docs/cross-checkers.md": {
        ("sh", f"{COMMAND} run DIR "): ends_with(ExitCode.PASS),
        ("sh", "docker run "): in_the_container,
        ("python", ""): BY_TESTS_BELOW,
        ("sh", "python compare.py "): compared,
    },
}

BLOCKS = [(page, block) for page in PROOFS for block in blocks(read(ROOT / page))]


def entries_for(page: str, block: Block) -> list[tuple[str, str]]:
    return [
        (language, start)
        for language, start in PROOFS[page]
        if block.language == language and block.text.startswith(start)
    ]


@pytest.mark.parametrize(
    ("page", "block"),
    BLOCKS,
    ids=[f"{page}:{block.before.count(chr(10)) + 1}" for page, block in BLOCKS],
)
def test_block_is_true(page: str, block: Block, desk: Desk) -> None:
    found = entries_for(page, block)
    assert len(found) == 1, f"run this block, or compare it with what is real:\n{block.text}"
    proof = PROOFS[page][found[0]]
    if not isinstance(proof, str):
        proof(block, desk)


@pytest.mark.parametrize("page", PROOFS)
def test_every_proof_has_a_block(page: str) -> None:
    found = [entry for of, block in BLOCKS if of == page for entry in entries_for(page, block)]
    assert set(found) == set(PROOFS[page])


# --- the way of a submitter


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


def walk(at: Path) -> set[str]:
    """Type in and paste the blocks of docs/submitters.md in their order; return their texts."""
    [copying] = blocks(SUBMITTERS, "sh")
    lines = copying.text.replace("../vectors", str(ROOT / "vectors"))
    subprocess.run(["bash", "-ec", lines], check=True, cwd=at)
    done = {copying.text}
    folder = at / "try"
    metadata = folder / "my-submission" / "submission.json"
    for block in blocks(SUBMITTERS, "console", "json"):
        done.add(block.text)
        if block.language == "json":
            assert block.pointer is not None, block.text
            fill_in(metadata, block.pointer, json.loads(block.text))
            continue
        if "--fix" in block.text:
            with (folder / "my-submission" / "samples" / "int8.safetensors").open("ab") as file:
                file.write(b"\0")
        first = block.text.partition("\n")[0]
        output = type_in(shlex.split(first.removeprefix(f"$ {COMMAND} ")), folder)
        as_printed(block, output)
        assert "exit code 0" in output, output
        if f"{COMMAND} measure" in block.text:
            paste_measured(metadata, output)
    report = json.loads((folder / "reports/my-submission/report.json").read_text(encoding="utf-8"))
    assert (report["verdict"], report["exit_code"]) == ("pass", 0)
    return done


# --- numbers and tables


def table_after(text: str, header: str) -> list[list[str]]:
    """Return the cells of the rows of the table whose first line begins with ``header``."""
    rows = text.partition(f"\n{header}")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


SHOWN_IN_README = {
    *("factor", "percent", "metric", "original"),
    *("value", "delta", "tolerance", "verdict"),
}


def test_the_table_of_samples_in_the_readme_is_that_of_the_report(desk: Desk) -> None:
    assert "exit code 0" in desk.digits
    page = read(desk.folder / "digits.md")
    header = page.partition("| Sample | Codec |")[2].partition("\n")[0]
    columns = [cell.strip().lower() for cell in f"Sample | Codec |{header}".split("|")[:-1]]
    columns[columns.index("sample", 1)] = "value"
    reported = [dict(zip(columns, row, strict=True)) for row in table_after(page, "| Sample |")]
    names = [name for name in columns[1:] if name in SHOWN_IN_README]
    shown = table_after(README, "| sample |")
    assert shown
    for sample, *cells in shown:
        rows = [row for row in reported if row["sample"] == f"digits-cnn/{sample}"]
        [row] = (row for row in rows if row["metric"] == cells[names.index("metric")])
        names = (
            "factor",
            "percent",
            "metric",
            "original",
            "value",
            "delta",
            "tolerance",
            "verdict",
        )
        assert len(cells) == len(names)
        for name, cell in zip(names, cells, strict=True):
            assert cell.lower() == row[name].lower(), f"{sample}: {name}"


@pytest.mark.parametrize("page", [README, COORDINATORS], ids=["README", "coordinators"])
def test_exit_codes_are_those_of_the_tool(page: str) -> None:
    rows = {int(row[0]): " ".join(row[1:]) for row in table_after(page, "| exit code |")}
    assert set(rows) == set(WORST_FIRST)
    for verdict, code in EXIT_OF_OVERALL.items():
        assert verdict in rows[code]
    for code, verdicts in ((ExitCode.FAIL, REFUSING), (ExitCode.INCOMPLETE, OPEN)):
        assert set(re.findall(r"`([a-z-]+)`", rows[code])) == {v.value for v in verdicts}


def test_the_order_of_exit_codes_is_that_of_the_tool() -> None:
    assert f"counts: {', '.join(map(str, WORST_FIRST))}." in COORDINATORS


def test_the_table_of_formats_in_the_readme_is_whole() -> None:
    rows = table_after(README, "| format |")
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row[0])}
    assert named == set(RUNTIMES.names())
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    extras = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row[3])}
    assert extras <= project["optional-dependencies"].keys()


def test_limits_that_are_printed_are_those_of_the_tool() -> None:
    limits = Limits.for_machine()
    assert f"{limits.wall_seconds:.0f} by default" in COORDINATORS
    assert (limits.wall_seconds, "longer than ten minutes" in SUBMITTERS) == (600, True)
    assert (VALUE_TOLERANCE, "10⁻⁶ unless you declare another" in SUBMITTERS) == (1e-6, True)
    assert (RATIO_TOLERANCE, "right to half a per cent" in SUBMITTERS) == (0.005, True)


def test_the_sizes_in_the_example_are_right() -> None:
    original, sample = (
        (BUNDLED / name).stat().st_size
        for name in ("models/digits-cnn.onnx", "samples/int8-tensors.safetensors")
    )
    assert f"{original:,} to {sample:,} bytes" in SUBMITTERS
    assert f"| {original / sample:.2f} |" in SUBMITTERS
    assert f"| {sample / original * 100:.2f} |" in SUBMITTERS


def test_findings_that_the_table_explains_exist() -> None:
    known = {check.id for check in CHECKS}
    rows = table_after(SUBMITTERS, "| finding |")
    named = {name for row in rows for name in re.findall(r"[A-Z]+-[A-Z]+-\d{3}", row[0])}
    assert named
    assert named <= known


def test_the_table_of_advice_is_whole() -> None:
    advice = [check.id for check in CHECKS if not check.required]
    assert len(advice) == 10, "docs/coordinators.md says ten"
    rows = table_after(COORDINATORS, "| check | what it points out |")
    assert [row[0].strip("`") for row in rows] == advice


# --- the comparison of docs/cross-checkers.md


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
    block = environment_block(Limits.for_machine())
    for row in table_after(CROSS_CHECKERS, "| `environment` |"):
        for name in row[0].split(","):
            place = block
            for key in name.strip(" `").split("."):
                place = place[key]
