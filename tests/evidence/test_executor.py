"""Each case is evaluated once, and only evidence of what was submitted is ever stored."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.evidence.evidence import Evidence
from conformance.evidence.executor import Executor
from conformance.evidence.store import EvidenceStore
from conformance.plan.case import Case
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import PROGRAM, Worker
from conformance.submission import load
from conformance.submission.repair import apply, plan_repairs
from conformance.tensorfiles import write_tensors
from conformance.verdicts import (
    CaseTimeoutError,
    ConformanceError,
    EvaluationError,
    Location,
    MalformedError,
    NotRunError,
    UnsupportedError,
)
from tests import tiny_submission
from tests.jobs.bench import edit

LIMITS = replace(Limits.for_machine(), wall_seconds=60.0, cpu_seconds=60)
MODEL = Case("model", "linear")
ORIGINAL = Case("original", "linear", vectors="test")
CONTROL = Case("control", "linear", vectors="test")
DECODE = Case("decode", "linear", sample="half")
RECONSTRUCTION = Case("reconstruction", "linear", sample="half", vectors="test")


class CountingWorker(Worker):
    """The real worker, which tells the cases it was asked for; all tests share one process."""

    def __init__(self) -> None:
        super().__init__(LIMITS)
        self.asked: list[str] = []
        self.networks: dict[str, int] = {}
        self.meanwhile: Callable[[], None] = lambda: None

    def ask(self, request: Any) -> Any:
        self.asked.append(Case(**request["case"]).name)
        self.networks[self.asked[-1]] = request["networks"]
        try:
            return super().ask(request)
        finally:
            self.meanwhile()

    def kill(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="module")
def shared_worker() -> Iterator[CountingWorker]:
    worker = CountingWorker()
    yield worker
    worker.stop()


@pytest.fixture
def worker(shared_worker: CountingWorker, monkeypatch: pytest.MonkeyPatch) -> CountingWorker:
    shared_worker.asked = []
    shared_worker.meanwhile = lambda: None
    monkeypatch.setattr("conformance.sandbox.workers.Worker", lambda limits: shared_worker)
    return shared_worker


@pytest.fixture
def execute(worker: CountingWorker, tiny: Path, tmp_path: Path) -> Callable[..., Executor]:
    def make(*, root: Path = tiny, reuse: bool = True, limits: Limits = LIMITS) -> Executor:
        return Executor(load(root), EvidenceStore(tmp_path / "store"), limits, reuse=reuse)

    return make


def stored(tmp_path: Path) -> list[str]:
    """Return the names of the cases in the store."""
    entries = (tmp_path / "store").glob("??/*/evidence.json")
    return sorted(json.loads(entry.read_text(encoding="utf-8"))["case"] for entry in entries)


def error_of(evidence: Evidence) -> ConformanceError:
    assert evidence.error is not None
    assert evidence.result is None
    return evidence.error


def test_evidence_holds_what_was_measured_and_its_cost(execute) -> None:
    evidence = execute().evidence(MODEL)
    assert evidence.error is None
    assert evidence.result is not None
    assert evidence.result["counts"]["parameters"] == 21
    assert evidence.cost["seconds"] > 0
    assert evidence.cost["peak_bytes"] > 0
    assert not evidence.reused


def test_case_is_evaluated_once_in_one_run(execute, worker: CountingWorker) -> None:
    executor = execute()
    assert executor.evidence(DECODE) is executor.evidence(DECODE)
    assert worker.asked == ["model linear", "decode half"]


def test_control_has_the_time_of_four_networks(execute, worker: CountingWorker) -> None:
    executor = execute()
    executor.evidence(CONTROL)
    executor.evidence(DECODE)
    assert worker.networks[CONTROL.name] == 4
    assert {worker.networks[name] for name in worker.asked if name != CONTROL.name} == {1}


def test_reconstruction_brings_what_it_needs(execute, worker: CountingWorker, tmp_path) -> None:
    executor = execute()
    metrics = executor.evidence(RECONSTRUCTION).result["metrics"]
    assert worker.asked == [
        "model linear",
        "original linear@test",
        "decode half",
        "reconstruction half@test",
    ]
    assert metrics["top1"]["value"] == metrics["top1"]["reference"] == 0.9
    assert 0 < metrics["distance"]["value"] < 1e-4
    executor.evidence(ORIGINAL)
    assert len(worker.asked) == 4
    assert stored(tmp_path) == sorted(worker.asked)


def test_next_run_finds_the_evidence_in_the_store(execute, worker: CountingWorker) -> None:
    first = execute().evidence(RECONSTRUCTION)
    worker.asked.clear()
    second = execute().evidence(RECONSTRUCTION)
    assert worker.asked == []
    assert second.reused
    assert (second.result, second.key, second.folder) == (first.result, first.key, first.folder)


def test_same_bytes_in_another_folder_are_the_same_case(
    execute, worker: CountingWorker, tmp_path: Path
) -> None:
    execute().evidence(RECONSTRUCTION)
    worker.asked.clear()
    tiny_submission.write(tmp_path / "copy")
    assert execute(root=tmp_path / "copy").evidence(RECONSTRUCTION).reused
    assert worker.asked == []


def test_changed_sample_is_another_case_but_its_original_is_not(
    execute, worker: CountingWorker, tiny: Path
) -> None:
    before = execute().evidence(RECONSTRUCTION)
    worker.asked.clear()
    doubled = {n: 2 * a.astype(np.float16) for n, a in tiny_submission.weights().items()}
    write_tensors(tiny / "half.safetensors", doubled)
    apply(plan_repairs(tiny))
    (tiny / "submission.json.bak").unlink()
    after = execute().evidence(RECONSTRUCTION)
    assert worker.asked == ["decode half", "reconstruction half@test"]
    assert after.key != before.key
    assert after.result["metrics"]["distance"]["value"] > 0.1


def test_no_cache_computes_anew_and_once(execute, worker: CountingWorker) -> None:
    first = execute().evidence(MODEL)
    executor = execute(reuse=False)
    second = executor.evidence(MODEL)
    assert executor.evidence(MODEL) is second
    assert worker.asked == ["model linear"] * 2
    assert not second.reused
    assert (second.result, second.key) == (first.result, first.key)
    assert execute().evidence(MODEL).reused


def test_damaged_evidence_is_computed_anew(execute, worker: CountingWorker) -> None:
    folder = execute().evidence(ORIGINAL).folder
    (folder / "statistics.safetensors").write_bytes(b"")
    worker.asked.clear()
    assert not execute().evidence(ORIGINAL).reused
    assert worker.asked == ["original linear@test"]


def test_an_error_that_points_into_the_metadata_is_found_anew(execute, tiny: Path) -> None:
    edit(tiny, lambda m: m["samples"][0]["codec"].update(id="nobody-has-it"))
    first = error_of(execute().evidence(DECODE))
    edit(tiny, lambda m: m["samples"].reverse())
    second = error_of(execute().evidence(DECODE))
    assert isinstance(first, UnsupportedError)
    assert isinstance(second, UnsupportedError)
    last = len(json.loads((tiny / "submission.json").read_bytes())["samples"]) - 1
    assert first.where == Location("submission.json", pointer="/samples/0/codec/id")
    assert second.where == Location("submission.json", pointer=f"/samples/{last}/codec/id")


def test_lasting_error_is_stored(execute, worker, tiny: Path, tmp_path: Path) -> None:
    (tiny / "half.safetensors").write_bytes((tiny / "half.safetensors").read_bytes()[:-3])
    edit(tiny, lambda m: m["samples"][0]["files"].__setitem__(0, entry(tiny)))
    first = error_of(execute().evidence(DECODE))
    second = execute().evidence(DECODE)
    assert isinstance(first, MalformedError)
    assert isinstance(error_of(second), MalformedError)
    assert second.reused
    assert (error_of(second).message, error_of(second).where) == (first.message, first.where)
    assert worker.asked == ["model linear", "decode half"]
    assert stored(tmp_path) == ["decode half", "model linear"]


def entry(root: Path) -> dict:
    return tiny_submission.entry(root, "half.safetensors")


DYING = ("-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_death_of_the_worker_is_not_stored(
    execute, worker: CountingWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = execute()
    executor.evidence(MODEL)
    worker.kill()
    monkeypatch.setattr(worker, "_program", DYING)
    error = error_of(executor.evidence(DECODE))
    assert isinstance(error, EvaluationError)
    assert "SIGKILL" in error.found
    assert stored(tmp_path) == ["model linear"]
    assert not list((tmp_path / "store" / "drafts").iterdir())
    assert error_of(executor.evidence(DECODE)) is error
    monkeypatch.setattr(worker, "_program", PROGRAM)
    assert execute().evidence(DECODE).error is None


def test_case_after_a_death_has_a_fresh_worker(execute, worker: CountingWorker) -> None:
    executor = execute()
    executor.evidence(MODEL)
    worker.kill()
    assert executor.evidence(DECODE).error is None
    assert executor.evidence(ORIGINAL).error is None


def test_reason_for_not_running_is_passed_on(
    execute, worker: CountingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = NotRunError("the format needs a library", fix="Run: pip install it")
    monkeypatch.setattr(worker, "ask", lambda _: raise_(missing))
    error = error_of(execute().evidence(RECONSTRUCTION))
    assert (error.message, error.fix) == (missing.message, missing.fix)


def raise_(error: Exception) -> None:
    raise error


def test_timeout_is_not_stored(execute, worker, tmp_path: Path, monkeypatch) -> None:
    worker.stop()  # a fresh worker is still importing when its time is over
    monkeypatch.setattr(worker, "limits", replace(LIMITS, wall_seconds=0.02))
    assert isinstance(error_of(execute().evidence(MODEL)), CaseTimeoutError)
    assert stored(tmp_path) == []
    monkeypatch.setattr(worker, "limits", LIMITS)
    assert execute().evidence(MODEL).error is None


@pytest.mark.parametrize("name", ["model.onnx", "half.safetensors"])
def test_nothing_is_run_on_files_that_are_not_in_order(
    execute, worker: CountingWorker, tiny: Path, name: str
) -> None:
    (tiny / name).write_bytes(b"something else")
    error = error_of(execute().evidence(DECODE))
    assert isinstance(error, NotRunError)
    assert error.message == f"{name} is not the file that was declared"
    assert "SUBMISSION-FILE" in error.expected
    assert "decode half" not in worker.asked


def test_other_samples_do_not_mind_a_broken_file(execute, tiny: Path) -> None:
    (tiny / "half.onnx").unlink()
    executor = execute()
    assert executor.evidence(DECODE).error is None
    broken = Case("decode", "linear", sample="half-onnx")
    assert isinstance(error_of(executor.evidence(broken)), NotRunError)


@pytest.mark.parametrize("kind", ["touch", "replace", "remove"])
def test_file_that_changes_meanwhile_is_an_error(
    execute, worker: CountingWorker, tiny: Path, tmp_path: Path, kind: str
) -> None:
    file = tiny / "half.safetensors"

    def change() -> None:
        if kind == "replace":
            shutil.copy(file, tiny / "new")
            (tiny / "new").rename(file)
        elif kind == "remove":
            file.unlink()
        else:
            os.utime(file, ns=(1, 1))

    executor = execute()
    executor.evidence(MODEL)
    worker.meanwhile = change
    error = error_of(executor.evidence(DECODE))
    assert isinstance(error, EvaluationError)
    assert error.message == "half.safetensors changed while it was evaluated"
    assert "leave the folder alone" in error.fix
    assert stored(tmp_path) == ["model linear"]


@pytest.mark.parametrize("content", [None, b"", b"another file"], ids=["gone", "empty", "other"])
def test_error_about_another_file_is_not_stored_under_this_ones_digest(
    execute, tiny: Path, tmp_path: Path, content: bytes | None
) -> None:
    executor = execute()
    file = tiny / "half.safetensors"
    right = file.read_bytes()
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert isinstance(error_of(executor.evidence(DECODE)), EvaluationError)
    assert stored(tmp_path) == ["model linear"]
    file.write_bytes(right)
    assert execute().evidence(DECODE).error is None


def test_metadata_that_change_meanwhile_are_an_error(execute, tiny: Path) -> None:
    executor = execute()
    edit(tiny, lambda metadata: metadata.update(title="Another title"))
    error = error_of(executor.evidence(MODEL))
    assert isinstance(error, EvaluationError)
    assert "submission.json changed" in error.message


def test_nothing_is_reconstructed_from_a_sample_that_does_not_decode(
    execute, worker: CountingWorker, tiny: Path, tmp_path: Path
) -> None:
    edit(tiny, lambda metadata: metadata["samples"][0]["codec"].update(id="nobody-has-it"))
    error = error_of(execute().evidence(RECONSTRUCTION))
    assert isinstance(error, NotRunError)
    assert error.message == "decode half has to succeed first"
    assert "nobody-has-it" in error.found
    assert "reconstruction half@test" not in worker.asked + stored(tmp_path)


@pytest.mark.parametrize("flaw", ["missing", "shape", "nan"])
def test_nothing_is_reconstructed_from_unusable_tensors(
    execute, worker: CountingWorker, tiny: Path, flaw: str
) -> None:
    arrays = tiny_submission.weights()
    if flaw == "missing":
        del arrays["fc.bias"]
    elif flaw == "shape":
        arrays["fc.weight"] = arrays["fc.weight"].T.copy()
    else:
        arrays["fc.bias"][0] = np.nan
    write_tensors(tiny / "half.safetensors", arrays)
    edit(tiny, lambda m: m["samples"][0]["files"].__setitem__(0, entry(tiny)))
    error = error_of(execute().evidence(RECONSTRUCTION))
    assert isinstance(error, NotRunError)
    assert "missing, of another shape or type, or not finite" in error.found
    assert "reconstruction half@test" not in worker.asked


def test_nothing_is_reconstructed_beside_an_original_that_does_not_run(
    execute, worker: CountingWorker, tiny: Path
) -> None:
    np.savez(tiny / "inputs.npz", wrong=np.zeros((40, 6), np.float32))
    file = tiny_submission.entry(tiny, "inputs.npz")
    edit(tiny, lambda m: m["vectors"][0]["shards"][0].update(inputs=[file]))
    error = error_of(execute().evidence(RECONSTRUCTION))
    assert isinstance(error, NotRunError)
    assert error.message == "original linear@test has to succeed first"
    assert worker.asked == ["model linear", "original linear@test"]


def test_nothing_is_done_for_an_original_that_does_not_open(
    execute, worker: CountingWorker, tiny: Path
) -> None:
    (tiny / "model.onnx").write_bytes(b"no network")
    file = tiny_submission.entry(tiny, "model.onnx")
    edit(tiny, lambda metadata: metadata["models"][0].update(files=[file]))
    executor = execute()
    assert isinstance(error_of(executor.evidence(MODEL)), MalformedError)
    for case in (ORIGINAL, DECODE):
        error = error_of(executor.evidence(case))
        assert isinstance(error, NotRunError)
        assert error.message == "model linear has to succeed first"
    assert worker.asked == ["model linear"]


def test_store_may_be_named_from_the_working_folder(
    worker: CountingWorker, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    executor = Executor(load(tiny), EvidenceStore(Path("store")), LIMITS)
    assert executor.evidence(RECONSTRUCTION).error is None
    assert "reconstruction half@test" in stored(tmp_path)


def test_invalid_submission_has_nothing_to_evaluate(execute, tiny: Path) -> None:
    edit(tiny, lambda metadata: metadata.pop("license"))
    with pytest.raises(ValueError, match="not valid"):
        execute().evidence(MODEL)


def test_worker_runs_only_between_warming_up_and_closing(
    worker: CountingWorker, tiny: Path, tmp_path: Path
) -> None:
    worker.stop()
    executor = Executor(load(tiny), EvidenceStore(tmp_path / "store"), LIMITS)
    assert worker._process is None
    executor.warm_up()
    process = worker._process
    assert process is not None
    assert process.poll() is None
    executor.close()
    assert process.poll() is not None
