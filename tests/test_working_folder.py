"""Commands started inside a folder of somebody else: none of its code runs, nothing is left there.

The witness is a file that every planted module writes when it is imported.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from conformance.cli import main as cli
from conformance.cli import nnc as cli_nnc
from conformance.submission import load
from tests import tiny_submission

BIN = Path(sys.executable).parent
COMMAND = str(BIN / "nnr-conformance")
PYTEST = str(BIN / "pytest")
SUITES = Path(__file__).parents[1] / "conformance"
STREAM = next((SUITES.parent / "vectors" / "bitstreams").rglob("*.nnc"))

MODULES = (
    *("_pytest", "pytest", "json", "pathlib", "collections", "typing", "sitecustomize"),
    *("usercustomize", "conformance", "xdist", "execnet", "numpy", "numba", "typer", "pluggy"),
    *("onnxruntime", "matplotlib", "jinja2", "intruder", "signal", "platform"),
)
"""What the interpreter, pytest, xdist or this package imports, and would find in the folder."""

PACKAGES = ("onnx", "scipy", "platformdirs")

SETTINGS = {
    "matplotlibrc": "backend: module://intruder\n",
    ".numba_config.yaml": "disable_jit: 1\n",
    "intruder.pth": "import intruder\n",
}
"""Settings that a library would read from the working folder."""


def planted(folder: Path, witness: Path) -> Path:
    """Put code into ``folder`` that writes ``witness`` wherever it is imported."""
    program = f"open({str(witness)!r}, 'a').write(__name__ + '\\n')\n"
    for name in MODULES:
        (folder / f"{name}.py").write_text(program, encoding="utf-8")
    for name in PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(program, encoding="utf-8")
    for name, text in SETTINGS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def listed(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def list_everything(folder: Path) -> None:
    """List all files as associated ones, so that what is planted is not a finding by itself."""
    metadata = json.loads((folder / "submission.json").read_text(encoding="utf-8"))
    known = {"submission.json", "model.onnx", "half.onnx", "half.safetensors"}
    known |= {"exact.safetensors", "inputs.npz", "targets.npz", "outputs.npz"}
    metadata["associated_files"] = [
        tiny_submission.entry(folder, name)
        for name in sorted(listed(folder) - known)
        if (folder / name).is_file()
    ]
    tiny_submission.save(folder, metadata)


Started = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / "witness"


@pytest.fixture
def hostile(tiny: Path, witness: Path) -> Path:
    """The tiny submission with code in it."""
    planted(tiny, witness)
    (tiny / ".numba_config.yaml").unlink()
    list_everything(tiny)
    return tiny


@pytest.fixture
def start(tmp_path: Path) -> Started:
    """Start a program in a folder, with an empty cache."""

    def start(
        folder: Path, *arguments: object, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("PYTEST", "PYTHON"))}
        return subprocess.run(
            [*map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=folder,
            env={**kept, "NNR_CONFORMANCE_CACHE": str(tmp_path / "evidence"), **environment},
        )

    return start


def report_of(folder: Path) -> dict:
    return json.loads((folder / "tiny" / "report.json").read_text(encoding="utf-8"))


def verdicts(report: dict) -> dict[str, str]:
    return {f"{f['check']} {f['subject']}": f["verdict"] for f in report["findings"]}


def test_run_inside_a_submission_runs_none_of_its_code(
    hostile: Path, witness: Path, start: Started, tmp_path: Path
) -> None:
    """Twice, for the second run finds what the first one left; then from outside."""
    before = listed(hostile)
    for _ in range(2):
        ended = start(hostile, COMMAND, "run", ".", "-n", "2")
        assert not witness.exists(), witness.read_text(encoding="utf-8")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "reports: ../reports/tiny/report.html" in ended.stdout
        assert listed(hostile) == before
    outside = start(tmp_path, COMMAND, "run", hostile, "--report", tmp_path / "outside")
    assert outside.returncode == 0
    assert verdicts(report_of(tmp_path / "reports")) == verdicts(report_of(tmp_path / "outside"))
    (advice,) = (f for f in report_of(tmp_path / "reports")["findings"] if f["verdict"] != "pass")
    assert advice["check"] == "SUBMISSION-FILE-005"
    assert not advice["required"]
    assert "1 advisory" in outside.stdout
    checked = start(hostile, COMMAND, "check", ".")
    assert checked.returncode == 0
    assert checked.stdout.startswith("advice: SUBMISSION-FILE-005 fail: tiny: ")


# every command


def of_the_package(name: str) -> str:
    return {"MODEL": "model.onnx", "ARRAYS": "inputs.npz", "STREAM": str(STREAM)}.get(name, name)


CALLS: dict[str, tuple[str, ...]] = {
    "check": ("check", "."),
    "checks": ("checks",),
    "compare-runtimes": ("compare-runtimes", "."),
    "describe": ("describe", "MODEL"),
    "digest": ("digest", "ARRAYS"),
    "init": ("init", "../new", "--model", "MODEL", "--input", "ARRAYS"),
    "localise": ("localise", ".", "half", "--metric", "distance"),
    "measure": ("measure", ".", "half"),
    "render": ("render", "../report.json", "--to", "../rendered"),
    "run": ("run", ".", "-n", "2", "-k", "test_readable"),
    "schema": ("schema",),
    "nnc decode": ("nnc", "decode", "STREAM", "--output", "../decoded.npz"),
    "nnc features": ("nnc", "features", "STREAM"),
    "nnc inspect": ("nnc", "inspect", "STREAM"),
    "nnc validate": ("nnc", "validate", "STREAM"),
    "nnc warm-up": ("nnc", "warm-up"),
}
"""A call of every command, from inside the submission."""

ENDS_OTHERWISE = {"compare-runtimes": 3, "nnc validate": None, "run": 3}
"""Exit codes other than 0: one format cannot be compared, and one check is not a whole run."""

ONE_CHECK = ("-n", "2", "-k", "test_readable")
"""Options that start processes of xdist, but judge little."""


@pytest.fixture(scope="session")
def a_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("once")
    tiny_submission.write(folder / "tiny")
    environment = {**os.environ, "NNR_CONFORMANCE_CACHE": str(folder / "evidence")}
    command = [COMMAND, "run", "tiny"]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder / "reports" / "tiny" / "report.json"


def names_of_commands() -> set[str]:
    own = {c.name or c.callback.__name__ for c in cli.app.registered_commands}
    return own | {f"nnc {c.name or c.callback.__name__}" for c in cli_nnc.app.registered_commands}


def test_every_command_is_called() -> None:
    assert CALLS.keys() == names_of_commands()


@pytest.mark.parametrize("name", CALLS)
def test_command_inside_a_submission_runs_none_of_its_code(
    hostile: Path, witness: Path, start: Started, tmp_path: Path, a_report: Path, name: str
) -> None:
    (hostile / ".numba_config.yaml").write_text("disable_jit: 1\n", encoding="utf-8")
    if CALLS[name][-1] == "." or "." in CALLS[name]:
        (hostile / ".numba_config.yaml").unlink()
    shutil.copy(a_report, tmp_path / "report.json")
    before = listed(hostile)
    arguments = [of_the_package(word) for word in CALLS[name]]
    ended = start(hostile, COMMAND, *arguments)
    assert not witness.exists(), witness.read_text(encoding="utf-8")
    assert ENDS_OTHERWISE.get(name, 0) in (ended.returncode, None), ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert listed(hostile) == before


@pytest.mark.parametrize("options", [("-P",), ()], ids=["safe-path", "plain"])
def test_module_inside_a_submission_runs_none_of_its_code(
    hostile: Path, witness: Path, start: Started, tmp_path: Path, options: Sequence[str]
) -> None:
    """Without ``-P`` Python itself has the first word: a ``conformance.py`` there would run."""
    if not options:
        for name in ("conformance", "collections", "typing", "pathlib", "signal", "platform"):
            (hostile / f"{name}.py").unlink()
        list_everything(hostile)
    module = (sys.executable, *options, "-m", "conformance")
    ended = start(hostile, *module, "run", ".", *ONE_CHECK)
    assert not witness.exists(), witness.read_text(encoding="utf-8")
    assert ended.returncode == 3, ended.stdout + ended.stderr


@pytest.mark.parametrize("entries", [":", "models:."], ids=["empty", "names"])
def test_relative_entries_of_the_search_path_lead_no_child_there(
    hostile: Path, witness: Path, start: Started, tmp_path: Path, entries: str
) -> None:
    """The first process is Python's own affair: site-packages imports are done when we begin."""
    for name in ("sitecustomize", "usercustomize", *MODULES):
        if name not in {"_pytest", "xdist", "execnet", "numpy"}:
            (hostile / f"{name}.py").unlink(missing_ok=True)
    list_everything(hostile)
    ended = start(hostile, COMMAND, "run", ".", *ONE_CHECK, PYTHONPATH=entries)
    assert not witness.exists(), witness.read_text(encoding="utf-8")
    assert ended.returncode == 3, ended.stdout + ended.stderr


def test_run_from_a_third_folder_gives_workers_no_code_of_it(
    hostile: Path, witness: Path, start: Started, tmp_path: Path
) -> None:
    """Plain pytest stays in the caller's folder, but its child processes take nothing from it."""
    (third := tmp_path / "third").mkdir()
    planted(third, witness)
    reports = f"--report={tmp_path / 'reports'}"
    before = listed(third)
    ended = start(third, PYTEST, SUITES, f"--submission={hostile}", reports, *ONE_CHECK)
    assert not witness.exists(), witness.read_text(encoding="utf-8")
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert listed(third) == before


# what is refused


PLAIN = {
    "suites": ((str(SUITES), "--submission=."), "."),
    "suites-two-words": ((str(SUITES), "--submission", "."), "."),
    "options-first": (("--submission", ".", str(SUITES)), "."),
    "pyargs": (("--pyargs", "conformance", "--submission=."), "."),
    "below": ((str(SUITES), "--submission=.."), "below"),
    "another-is-judged": ((str(SUITES), "--submission=../other"), "."),
    "processes": ((str(SUITES), "--submission=.", "-n", "2"), "."),
    "tests-of-it": ((str(SUITES), "tiny/test_mine.py", "--submission=tiny"), ".."),
    "conftest-of-it": ((str(SUITES), "tiny", "--submission=tiny"), ".."),
}
"""Plain pytest inside a submission, or told to search it: arguments, and where it starts."""


@pytest.mark.parametrize(("arguments", "folder"), PLAIN.values(), ids=PLAIN)
def test_plain_pytest_inside_a_submission_is_refused(
    tiny: Path, witness: Path, start: Started, arguments: Sequence[str], folder: str
) -> None:
    (tiny / "below").mkdir()
    shutil.copytree(tiny, tiny.parent / "other")
    program = f"open({str(witness)!r}, 'a').write(__name__)\n"
    for name in ("conftest", "test_mine", "_pytest", "execnet"):
        (tiny / f"{name}.py").write_text(program, encoding="utf-8")
    before = listed(tiny)
    ended = start(tiny / folder, PYTEST, *arguments)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 2, said
    assert "nnr-conformance run DIR" in said
    assert "Traceback" not in said
    assert not witness.exists()
    assert listed(tiny) == before


SETTINGS_OF_PYTEST = {
    "pytest.ini": "[pytest]\naddopts = -p intruder\n",
    "pytest.toml": '[pytest]\naddopts = ["-p", "intruder"]\n',
    ".pytest.ini": "[pytest]\naddopts = -p intruder\n",
    ".pytest.toml": '[pytest]\naddopts = ["-p", "intruder"]\n',
    "tox.ini": "[pytest]\naddopts = -p intruder\n",
    "setup.cfg": "[tool:pytest]\naddopts = -p intruder\n",
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-p intruder"\n',
}


@pytest.mark.parametrize("name", SETTINGS_OF_PYTEST)
def test_settings_of_a_submission_are_not_read(
    tiny: Path, witness: Path, start: Started, tmp_path: Path, name: str
) -> None:
    """By no way of starting a run but ``--pyargs``, which is refused after they were read."""
    planted(tiny, witness)
    settings = SETTINGS_OF_PYTEST[name].replace("addopts", f"pythonpath = {tiny}\naddopts")
    (tiny / name).write_text(settings, encoding="utf-8")
    before = listed(tiny)
    assert start(tiny, PYTEST, SUITES, "--submission=.").returncode == 2
    assert not witness.exists()
    ended = start(tiny, COMMAND, "run", ".", *(ONE_CHECK if "ini" in name else ONE_CHECK[2:]))
    assert not witness.exists()
    assert ended.returncode == 3, ended.stdout + ended.stderr
    refused = {problem.message for problem in load(tiny).problems}
    assert f"{name!r} may not be in a submission" in refused
    assert listed(tiny) == before


def test_settings_that_pytest_reads_by_itself_lead_to_no_verdict(
    tiny: Path, start: Started
) -> None:
    """With ``--pyargs`` pytest reads the settings before it asks anybody: too late, but noticed."""
    (tiny / "pytest.ini").write_text("[pytest]\naddopts = -q\n", encoding="utf-8")
    ended = start(tiny, PYTEST, "--pyargs", "conformance", "--submission=.")
    assert ended.returncode == 2
    assert "distrust this run" in ended.stderr
    assert not (tiny / "reports").exists()


@pytest.mark.parametrize(
    "arguments", [("tiny", "-x", "other"), ("tiny", "-n", "2", "other")], ids=["flag", "value"]
)
def test_folder_after_options_is_no_place_for_tests(
    tiny: Path, witness: Path, start: Started, arguments: Sequence[str]
) -> None:
    (other := tiny.parent / "other").mkdir()
    for name in ("conftest.py", "test_mine.py"):
        program = f"open({str(witness)!r}, 'a').write(__name__)\n"
        (other / name).write_text(program, encoding="utf-8")
    ended = start(tiny.parent, COMMAND, "run", *arguments)
    assert ended.returncode == 2
    assert "other is neither an option nor the value of one" in ended.stderr
    assert not witness.exists()


OUTPUTS = {
    "report": ("--report", "out"),
    "evidence": ("--evidence", "out"),
    "evidence-one-word": ("--evidence=out",),
    "junit": ("--junitxml", "out.xml"),
    "log": ("--log-file=out.log",),
    "temporary": ("--basetemp=out",),
}


@pytest.mark.parametrize("options", OUTPUTS.values(), ids=OUTPUTS)
def test_nothing_is_written_into_a_submission_though_it_is_asked_for(
    tiny: Path, start: Started, options: Sequence[str]
) -> None:
    before = listed(tiny)
    ended = start(tiny, COMMAND, "run", ".", *options)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "nothing is written into a submission" in ended.stderr
    assert listed(tiny) == before


def test_places_named_by_the_environment_may_not_lie_in_a_submission(
    tiny: Path, start: Started
) -> None:
    (tiny / "temporary").mkdir()
    before = listed(tiny)
    for variable, place in (("NNR_CONFORMANCE_CACHE", "cache"), ("TMPDIR", "temporary")):
        ended = start(tiny, COMMAND, "run", ".", **{variable: place})
        assert ended.returncode == 2, ended.stdout + ended.stderr
        assert variable in ended.stderr
    assert listed(tiny) == before


def test_options_with_paths_mean_the_callers_folder(tiny: Path, start: Started) -> None:
    (tiny.parent / "waivers.json").write_text("[]", encoding="utf-8")
    ended = start(
        tiny,
        *(COMMAND, "run", ".", "--waivers", "../waivers.json", "--junitxml=../out.xml"),
        *("--evidence", "../store", "-o", "cache_dir=../cache", "--report", "../r"),
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    left = {path.name for path in tiny.parent.iterdir()}
    assert left >= {"out.xml", "store", "cache", "r", "waivers.json"}
    assert "reports: ../r/tiny/report.html" in ended.stdout


def test_image_starts_outside_the_submission() -> None:
    """`container/test` shows on an image that planted code does not run."""
    root = SUITES.parent
    lines = (root / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("WORKDIR")][-1] == "WORKDIR /"
    assert any(line.strip().startswith("PYTHONSAFEPATH=1") for line in lines)
    entrypoint = (root / "container" / "entrypoint").read_text(encoding="utf-8").splitlines()
    first = next(line for line in entrypoint if line and not line.startswith(("#", "set ")))
    assert first == "cd /"


def test_run_in_a_checkout_passes_each_time(tiny: Path, start: Started) -> None:
    (tiny / ".git").mkdir()
    for name in (".git/config", ".gitignore", ".gitlab-ci.yml"):
        (tiny / name).write_text("?", encoding="utf-8")
    before = listed(tiny)
    for _ in range(2):
        ended = start(tiny, COMMAND, "run", ".")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert listed(tiny) == before
    report = report_of(tiny.parent / "reports")
    assert report["submission"]["ignored"] == [".git", ".gitignore", ".gitlab-ci.yml"]
