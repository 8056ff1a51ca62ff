"""Each job is done once, and only evidence of what was submitted is ever stored."""

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
import psutil
import pytest

from conformance.evidence.evidence import Evidence
from conformance.evidence.executor import Executor
from conformance.evidence.passing import new_folder
from conformance.evidence.store import EvidenceStore
from conformance.plan.jobs import Job
from conformance.plan.requests import key_of
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import PROGRAM, Worker
from conformance.sandbox.workers import Workers
from conformance.submission import Loaded, load
from conformance.submission.repair import apply, plan_repairs
from conformance.tensorfiles import write_tensors
from conformance.verdicts import (
    CaseTimeoutError,
    ConformanceError,
    EvaluationError,
    LimitError,
    Location,
    MalformedError,
    NotRunError,
    UnsupportedError,
)
from tests import tiny_submission
from tests.jobs.bench import edit
from tests.jobs.made import a_job

LIMITS = replace(Limits.for_machine(), wall_seconds=60.0, cpu_seconds=60)
MODEL = ("model", {})
ORIGINAL = ("original", {})
DECODE = ("decode", {"sample": "half"})
RECONSTRUCTION = ("reconstruction", {"sample": "half"})
OPENED = ["model linear"]
READ = ["vectors linear@test", "run linear@test", "measure linear@test", "original linear@test"]
COMPARED = ["parameters linear", "tensors half", "decode half"]
RUN = ["run half@test", "reconstruction half@test"]


class CountingWorker(Worker):
    """The real worker; all stages of all tests share one process."""

    def __init__(self) -> None:
        super().__init__(LIMITS)
        self.meanwhile: Callable[[], None] = lambda: None
        self.asked: list[Any] = []

    def ask(self, request: Any) -> Any:
        self.asked.append(request["request"])
        try:
            return super().ask(request)
        finally:
            self.meanwhile()

    def kill(self) -> None:
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)


class SharedWorkers(Workers):
    """The one worker for every stage; ``asked`` are the requests of one executor."""

    def __init__(self, worker: CountingWorker, limits: Limits = LIMITS) -> None:
        super().__init__(limits)
        self.worker = worker
        self.asked: list[Any] = []

    def of(self, stage: str, format: str = "", network: str = "") -> Worker:
        self.worker.asked = self.asked
        return self.worker

    def stop(self) -> None:
        self.worker.stop()


class NamingExecutor(Executor):
    """Does the jobs that tests name, and knows which of them a worker was asked for."""

    def __init__(
        self, loaded: Loaded, store: EvidenceStore, workers: SharedWorkers, **more: Any
    ) -> None:
        super().__init__(loaded, store, workers, **more)
        self.requests = workers.asked
        self.names: dict[str, str] = {}

    def of(self, named: tuple[str, Any]) -> Evidence:
        assert self.loaded.submission is not None
        job = a_job(self.loaded.submission, named[0], **named[1])
        self.names |= {self.key(each): each.name for each in with_others(job)}
        return self.evidence(job)

    @property
    def asked(self) -> list[str]:
        return [self.names[key_of(request)] for request in self.requests]


def with_others(job: Job) -> Iterator[Job]:
    """Yield a job and all that may have to be done for it."""
    yield job
    for each in (*job.needs(), *job.parts(), *job.results().values()):
        yield from with_others(each)


@pytest.fixture(scope="module")
def shared_worker() -> Iterator[CountingWorker]:
    worker = CountingWorker()
    yield worker
    worker.stop()


@pytest.fixture
def worker(shared_worker: CountingWorker) -> CountingWorker:
    shared_worker.meanwhile = lambda: None
    return shared_worker


@pytest.fixture
def execute(worker: CountingWorker, tiny: Path, tmp_path: Path) -> Callable[..., NamingExecutor]:
    def make(*, root: Path = tiny, limits: Limits = LIMITS, **more: Any) -> NamingExecutor:
        store = EvidenceStore(tmp_path / "store")
        return NamingExecutor(load(root), store, SharedWorkers(worker, limits), **more)

    return make


def stored(tmp_path: Path) -> list[str]:
    """Return the names of the jobs in the store."""
    entries = (tmp_path / "store").glob("??/*/evidence.json")
    return sorted(json.loads(entry.read_text(encoding="utf-8"))["job"] for entry in entries)


def error_of(evidence: Evidence) -> ConformanceError:
    assert evidence.error is not None
    assert evidence.result is None
    return evidence.error


def test_evidence_holds_what_was_measured_and_its_cost(execute) -> None:
    executor = execute()
    evidence = executor.of(MODEL)
    assert evidence.error is None
    assert evidence.result is not None
    assert evidence.result.counts.parameters == 21
    assert evidence.cost["seconds"] > 0
    assert evidence.cost["peak_bytes"] > 0
    assert not evidence.reused
    assert executor.take_costs() == {"model linear": evidence.cost}
    assert executor.take_costs() == {}


def test_job_is_done_once_in_one_run(execute) -> None:
    executor = execute()
    assert executor.of(DECODE) is executor.of(DECODE)
    assert executor.asked == [*OPENED, *COMPARED]


def test_reconstruction_brings_what_it_needs(execute, tmp_path: Path) -> None:
    executor = execute()
    metrics = executor.of(RECONSTRUCTION).result.metrics
    assert executor.asked == [*OPENED, *READ, *COMPARED, *RUN]
    assert metrics["top1"].row.value == metrics["top1"].row.reference == 0.9
    assert 0 < metrics["distance"].row.value < 1e-4
    executor.of(ORIGINAL)
    assert len(executor.asked) == 10
    passing = {"parameters linear", "tensors half"}
    assert stored(tmp_path) == sorted(set(executor.asked) - passing)


def test_next_run_finds_the_evidence_in_the_store(execute) -> None:
    first = execute().of(RECONSTRUCTION)
    executor = execute()
    second = executor.of(RECONSTRUCTION)
    assert executor.asked == []
    assert second.reused
    assert second.result.to_json() == first.result.to_json()
    assert (second.key, second.folder) == (first.key, first.folder)


def test_decoded_tensors_and_parameters_are_kept_for_one_run_only(execute, tmp_path: Path) -> None:
    """A later run that needs them again decodes again, and runs nothing that it need not."""
    first = execute()
    first.of(RECONSTRUCTION)
    assert list((tmp_path / "store" / "passing").iterdir())
    first.close()
    assert not list((tmp_path / "store" / "passing").iterdir())
    executor = execute()
    executor.of(("swapped", {"sample": "half", "swapped": ("fc.bias",)}))
    assert executor.asked == [
        "tensors half",
        "run half@test",
        'swapped half@test ["fc.bias"]',
    ]


def test_processes_of_a_run_share_what_is_kept_for_it(execute, tmp_path: Path) -> None:
    passing = new_folder(tmp_path / "store")
    execute(passing=passing).of(DECODE)
    executor = execute(passing=passing, reuse=False)
    executor.of(DECODE)
    assert executor.asked == ["model linear", "decode half"]
    executor.close()
    assert list(passing.iterdir())


def test_what_was_used_longest_ago_gives_way(execute, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but what is in use; it is computed again if it is asked for again."""
    monkeypatch.setattr("conformance.evidence.passing.ROOM_BYTES", 1)
    executor = execute()
    assert executor.of(RECONSTRUCTION).error is None
    assert executor.asked.count("tensors half") == 2
    assert executor.of(("decode", {"sample": "exact"})).error is None


def test_large_outputs_are_not_kept_and_the_network_runs_again(execute, tiny: Path) -> None:
    first = execute(kept_bytes=0)
    first.of(RECONSTRUCTION)
    first.close()
    edit(tiny, lambda m: m["metrics"][0].update(args={"k": 2}))
    again = execute(kept_bytes=0)
    assert again.of(RECONSTRUCTION).error is None
    runs = ["run linear@test", "run half@test"]
    assert [name for name in again.asked if name.startswith("run")] == runs
    assert again.take_repeated() == runs
    assert again.take_repeated() == []


def test_kept_outputs_serve_another_metric(execute, tiny: Path) -> None:
    execute().of(RECONSTRUCTION)
    edit(tiny, lambda m: m["metrics"][0].update(args={"k": 2}))
    executor = execute()
    executor.of(RECONSTRUCTION)
    changed = ["measure linear@test", "original linear@test", "reconstruction half@test"]
    assert executor.asked == changed
    assert executor.take_repeated() == []


def test_same_bytes_in_another_folder_are_the_same_job(execute, tmp_path: Path) -> None:
    execute().of(RECONSTRUCTION)
    tiny_submission.write(tmp_path / "copy")
    executor = execute(root=tmp_path / "copy")
    assert executor.of(RECONSTRUCTION).reused
    assert executor.asked == []


def test_results_have_the_names_of_the_submission_that_asks(execute, tmp_path: Path) -> None:
    execute().of(RECONSTRUCTION)
    root = tmp_path / "copy"
    tiny_submission.write(root)
    (root / "half.safetensors").rename(root / "narrow.safetensors")

    def rename(metadata: dict) -> None:
        metadata["samples"].reverse()
        sample = next(each for each in metadata["samples"] if each["id"] == "half")
        sample.update(id="narrow", files=[tiny_submission.entry(root, "narrow.safetensors")])
        metadata["metrics"][0]["id"] = "first"
        for owner in (*metadata["models"], *(each["claims"] for each in metadata["samples"])):
            for value in owner["metric_values"]:
                value["metric"] = value["metric"].replace("top1", "first")
        for each in metadata["samples"]:
            for use in each["metrics"]:
                use["metric"] = use["metric"].replace("top1", "first")

    edit(root, rename)
    executor = execute(root=root)
    evidence = executor.of(("reconstruction", {"sample": "narrow"}))
    assert executor.asked == []
    assert evidence.job == "reconstruction narrow@test"
    assert evidence.result.metrics.keys() == {"first", "distance"}


def test_changed_sample_is_another_job_but_its_original_is_not(execute, tiny: Path) -> None:
    before = execute().of(RECONSTRUCTION)
    doubled = {n: 2 * a.astype(np.float16) for n, a in tiny_submission.weights().items()}
    write_tensors(tiny / "half.safetensors", doubled)
    apply(plan_repairs(tiny))
    (tiny / "submission.json.bak").unlink()
    executor = execute()
    after = executor.of(RECONSTRUCTION)
    assert executor.asked == [*COMPARED, *RUN]
    assert after.key != before.key
    assert after.result.metrics["distance"].row.value > 0.1


def test_no_cache_computes_anew_and_once(execute) -> None:
    first = execute().of(MODEL)
    executor = execute(reuse=False)
    second = executor.of(MODEL)
    assert executor.of(MODEL) is second
    assert executor.asked == ["model linear"]
    assert not second.reused
    assert (second.result, second.key) == (first.result, first.key)
    assert execute().of(MODEL).reused


def test_damaged_evidence_is_computed_anew(execute) -> None:
    executor = execute()
    executor.of(ORIGINAL)
    measured = a_job(executor.loaded.submission, "measure")
    (executor.evidence(measured).folder / "statistics.safetensors").write_bytes(b"")
    again = execute()
    again.of(RECONSTRUCTION)
    assert "measure linear@test" in again.asked


def test_an_error_points_to_where_the_metadata_have_it_now(execute, tiny: Path) -> None:
    edit(tiny, lambda m: m["samples"][0]["codec"].update(id="nobody-has-it"))
    first = execute().of(DECODE)
    edit(tiny, lambda m: m["samples"].reverse())
    second = execute().of(DECODE)
    assert isinstance(error_of(first), UnsupportedError)
    assert isinstance(error_of(second), UnsupportedError)
    last = len(json.loads((tiny / "submission.json").read_bytes())["samples"]) - 1
    assert error_of(first).where == Location("submission.json", pointer="/samples/0/codec/id")
    assert error_of(second).where == Location(
        "submission.json", pointer=f"/samples/{last}/codec/id"
    )


def test_lasting_error_is_stored(execute, tiny: Path, tmp_path: Path) -> None:
    (tiny / "half.safetensors").write_bytes((tiny / "half.safetensors").read_bytes()[:-3])
    edit(tiny, lambda m: m["samples"][0]["files"].__setitem__(0, entry(tiny)))
    first = error_of(execute().of(DECODE))
    executor = execute()
    second = error_of(executor.of(DECODE))
    assert isinstance(first, MalformedError)
    assert isinstance(second, MalformedError)
    assert (second.message, second.where) == (first.message, first.where)
    assert second.where is not None
    assert second.where.file == "half.safetensors"
    assert executor.asked == ["parameters linear"]
    assert stored(tmp_path) == ["model linear", "tensors half"]


def test_what_failed_by_a_limit_is_tried_again_under_another(execute, worker, tiny: Path) -> None:
    """And what did not depend on one is not."""
    executor = execute(limits=replace(LIMITS, memory_bytes=LIMITS.memory_bytes // 2))
    refused = LimitError("too large")
    worker.meanwhile = lambda: raise_(refused)
    assert isinstance(error_of(executor.of(MODEL)), LimitError)
    worker.meanwhile = lambda: None
    same = execute(limits=executor.limits)
    assert isinstance(error_of(same.of(MODEL)), LimitError)
    assert same.asked == []
    larger = execute()
    assert larger.of(MODEL).error is None
    assert larger.asked == ["model linear"]
    smaller = execute(limits=executor.limits)
    assert smaller.of(MODEL).error is None
    assert smaller.asked == []


def entry(root: Path) -> dict:
    return tiny_submission.entry(root, "half.safetensors")


DYING = ("-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_death_of_the_worker_is_not_stored(
    execute, worker: CountingWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = execute()
    executor.of(MODEL)
    worker.kill()
    monkeypatch.setattr(worker, "program", DYING)
    error = error_of(executor.of(DECODE))
    assert isinstance(error, EvaluationError)
    assert "SIGKILL" in error.found
    assert stored(tmp_path) == ["model linear"]
    assert not list((tmp_path / "store" / "drafts").iterdir())
    assert error_of(executor.of(DECODE)) is error
    monkeypatch.setattr(worker, "program", PROGRAM)
    assert execute().of(DECODE).error is None


def test_case_after_a_death_has_a_fresh_worker(execute, worker: CountingWorker) -> None:
    executor = execute()
    executor.of(MODEL)
    worker.kill()
    assert executor.of(DECODE).error is None
    assert executor.of(ORIGINAL).error is None


def test_reason_for_not_running_is_passed_on(
    execute, worker: CountingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = NotRunError("the format needs a library", fix="Run: pip install it")
    monkeypatch.setattr(worker, "ask", lambda _: raise_(missing))
    error = error_of(execute().of(RECONSTRUCTION))
    assert (error.message, error.fix) == (missing.message, missing.fix)


def raise_(error: Exception) -> None:
    raise error


def test_timeout_is_not_stored(execute, worker, tmp_path: Path, monkeypatch) -> None:
    worker.stop()  # a fresh worker is still importing when its time is over
    monkeypatch.setattr(worker, "limits", replace(LIMITS, wall_seconds=0.02))
    assert isinstance(error_of(execute().of(MODEL)), CaseTimeoutError)
    assert stored(tmp_path) == []
    monkeypatch.setattr(worker, "limits", LIMITS)
    assert execute().of(MODEL).error is None


@pytest.mark.parametrize("name", ["model.onnx", "half.safetensors"])
def test_nothing_is_run_on_files_that_are_not_in_order(execute, tiny: Path, name: str) -> None:
    (tiny / name).write_bytes(b"something else")
    executor = execute()
    error = error_of(executor.of(DECODE))
    assert isinstance(error, NotRunError)
    assert error.message == f"{name} is not the file that was declared"
    assert "SUBMISSION-FILE" in error.expected
    assert "tensors half" not in executor.asked


def test_other_samples_do_not_mind_a_broken_file(execute, tiny: Path) -> None:
    (tiny / "half.onnx").unlink()
    executor = execute()
    assert executor.of(DECODE).error is None
    broken = ("decode", {"sample": "half-onnx"})
    assert isinstance(error_of(executor.of(broken)), NotRunError)


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
    executor.of(MODEL)
    worker.meanwhile = change
    error = error_of(executor.of(DECODE))
    assert isinstance(error, EvaluationError)
    assert error.message == "half.safetensors changed while it was evaluated"
    assert "without modifying the folder" in error.fix
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
    assert isinstance(error_of(executor.of(DECODE)), EvaluationError)
    assert stored(tmp_path) == ["model linear"]
    file.write_bytes(right)
    assert execute().of(DECODE).error is None


def test_metadata_that_change_meanwhile_change_nothing(execute, tiny: Path) -> None:
    """A worker never reads them."""
    executor = execute()
    (tiny / "submission.json").write_bytes(b"")
    assert executor.of(MODEL).error is None


def test_nothing_is_reconstructed_from_a_sample_that_does_not_decode(execute, tiny: Path) -> None:
    edit(tiny, lambda metadata: metadata["samples"][0]["codec"].update(id="nobody-has-it"))
    executor = execute()
    error = error_of(executor.of(RECONSTRUCTION))
    assert isinstance(error, NotRunError)
    assert error.message == "decode half must succeed first"
    assert "nobody-has-it" in error.found
    assert not set(RUN) & set(executor.asked)


@pytest.mark.parametrize("flaw", ["missing", "shape", "nan"])
def test_nothing_is_reconstructed_from_unusable_tensors(execute, tiny: Path, flaw: str) -> None:
    arrays = tiny_submission.weights()
    if flaw == "missing":
        del arrays["fc.bias"]
    elif flaw == "shape":
        arrays["fc.weight"] = arrays["fc.weight"].T.copy()
    else:
        arrays["fc.bias"][0] = np.nan
    write_tensors(tiny / "half.safetensors", arrays)
    edit(tiny, lambda m: m["samples"][0]["files"].__setitem__(0, entry(tiny)))
    executor = execute()
    error = error_of(executor.of(RECONSTRUCTION))
    assert isinstance(error, NotRunError)
    assert "missing, of another shape or type, or not finite" in error.found
    assert not set(RUN) & set(executor.asked)


def test_nothing_is_reconstructed_beside_an_original_that_does_not_run(execute, tiny: Path) -> None:
    np.savez(tiny / "inputs.npz", wrong=np.zeros((40, 6), np.float32))
    file = tiny_submission.entry(tiny, "inputs.npz")
    edit(tiny, lambda m: m["vectors"][0]["shards"][0].update(inputs=[file]))
    executor = execute()
    error = error_of(executor.of(RECONSTRUCTION))
    assert isinstance(error, NotRunError)
    assert error.message == "original linear@test must succeed first"
    assert executor.asked == ["model linear", "vectors linear@test"]


def test_nothing_is_done_for_an_original_that_does_not_open(execute, tiny: Path) -> None:
    (tiny / "model.onnx").write_bytes(b"no network")
    file = tiny_submission.entry(tiny, "model.onnx")
    edit(tiny, lambda metadata: metadata["models"][0].update(files=[file]))
    executor = execute()
    assert isinstance(error_of(executor.of(MODEL)), MalformedError)
    for named in (ORIGINAL, DECODE):
        error = error_of(executor.of(named))
        assert isinstance(error, NotRunError)
        assert error.message == "model linear must succeed first"
    assert executor.asked == ["model linear"]


def test_store_may_be_named_from_the_working_folder(
    worker: CountingWorker, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    executor = NamingExecutor(load(tiny), EvidenceStore(Path("store")), SharedWorkers(worker))
    assert executor.of(RECONSTRUCTION).error is None
    assert "reconstruction half@test" in stored(tmp_path)


def test_invalid_submission_has_nothing_to_evaluate(execute, tiny: Path) -> None:
    edit(tiny, lambda metadata: metadata.pop("license"))
    with pytest.raises(ValueError, match="not valid"):
        execute().warm_up()


def test_worker_runs_only_between_warming_up_and_closing(
    worker: CountingWorker, tiny: Path, tmp_path: Path
) -> None:
    worker.stop()
    executor = Executor(load(tiny), EvidenceStore(tmp_path / "store"), SharedWorkers(worker))
    assert worker.pid is None
    executor.warm_up()
    pid = worker.pid
    assert pid is not None
    assert psutil.pid_exists(pid)
    executor.close()
    assert worker.pid is None
    assert not psutil.pid_exists(pid)
