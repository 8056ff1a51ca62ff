"""Results as the executor and the store give them: of the class of their job, or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from conformance.evidence.evidence import FORMAT, Evidence
from conformance.evidence.executor import Executor
from conformance.evidence.store import EvidenceStore
from conformance.evidence.stored import StoredResults
from conformance.plan.jobs import OpenModel, Original
from conformance.plan.keys import Keys
from conformance.plan.results import ModelResult, OriginalResult
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import Worker
from conformance.sandbox.workers import Workers
from conformance.submission import Loaded, load
from conformance.verdicts import EvaluationError
from tests.jobs.in_process import OneWorker
from tests.results import made

LIMITS = Limits.for_machine(600.0, 1 << 30)


@pytest.fixture
def loaded(tiny: Path) -> Loaded:
    return load(tiny)


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "store")


def opening(loaded: Loaded) -> OpenModel:
    assert loaded.submission is not None
    return OpenModel(loaded.submission, "linear")


def keep(store: EvidenceStore, loaded: Loaded, result: Any, **more: Any) -> Path:
    """Store a result of opening the model, and return the folder of its entry."""
    key = Keys().key(opening(loaded))
    return store.write(Evidence("model linear", key, store.draft(), result, **more)).folder


def opened(format: str = "onnx") -> dict[str, Any]:
    return made(ModelResult, {"format": format}).to_json()


class Answering(Worker):
    """A worker without a process that has measured the same of everything."""

    def __init__(self, measured: Any) -> None:
        super().__init__(LIMITS)
        self.measured = measured

    def ask(self, request: Any) -> Any:
        return {"limited": False, "measured": self.measured, "cost": {"seconds": 1.0}}


def answering(loaded: Loaded, store: EvidenceStore, measured: Any) -> Executor:
    return Executor(loaded, store, OneWorker(Answering(measured)))


def test_an_answer_is_of_the_class_of_its_job(loaded: Loaded, store: EvidenceStore) -> None:
    executor = answering(loaded, store, opened())
    assert executor.evidence(opening(loaded)).result_of(ModelResult).format == "onnx"
    again = Executor(loaded, store, Workers(LIMITS)).evidence(opening(loaded))
    assert again.reused
    assert again.result_of(ModelResult).format == "onnx"
    with pytest.raises(TypeError, match="has no OriginalResult"):
        again.result_of(OriginalResult)


@pytest.mark.parametrize("measured", [{}, None, {"format": 1}], ids=str)
def test_any_other_answer_is_an_error_and_is_not_stored(
    loaded: Loaded, store: EvidenceStore, measured: Any
) -> None:
    error = answering(loaded, store, measured).evidence(opening(loaded)).error
    assert isinstance(error, EvaluationError)
    assert (error.message, error.expected) == (
        "the worker did not answer what model linear measures",
        "a ModelResult",
    )
    assert error.found
    assert error.fix
    assert store.is_empty()


def test_an_entry_of_another_format_counts_as_none(loaded: Loaded, store: EvidenceStore) -> None:
    folder = keep(store, loaded, opened())
    data = json.loads((folder / "evidence.json").read_text("utf-8"))
    (folder / "evidence.json").write_text(json.dumps({**data, "format": FORMAT - 1}), "utf-8")
    content = (folder / "evidence.json").read_bytes()
    digests = {"evidence.json": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(digests), "utf-8")
    assert store.look_at(data["key"]) is None
    assert store.read(data["key"]) is None


def test_a_stored_result_that_is_no_such_is_computed_again(
    loaded: Loaded, store: EvidenceStore
) -> None:
    keep(store, loaded, {"format": "onnx"})
    executor = answering(loaded, store, opened("tflite"))
    assert executor.evidence(opening(loaded)).result_of(ModelResult).format == "tflite"


# --- For reports


def test_stored_results_are_what_the_store_has_by_now(loaded: Loaded, store: EvidenceStore) -> None:
    stored = StoredResults(loaded, store, LIMITS)
    assert stored.result(opening(loaded), ModelResult) is None
    keep(store, loaded, opened("onnx"))
    first = stored.result(opening(loaded), ModelResult)
    assert first is not None
    assert first.format == "onnx"
    assert stored.result(opening(loaded), ModelResult) is first
    keep(store, loaded, opened("tflite"))
    second = stored.result(opening(loaded), ModelResult)
    assert second is not None
    assert second.format == "tflite"


def test_an_entry_is_verified_once(
    loaded: Loaded, store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, loaded, opened())
    stored = StoredResults(loaded, store, LIMITS)
    assert stored.result(opening(loaded), ModelResult) is not None
    monkeypatch.setattr(EvidenceStore, "look_at", None)
    assert stored.result(opening(loaded), ModelResult) is not None


def test_an_error_or_a_damaged_entry_is_no_result(loaded: Loaded, store: EvidenceStore) -> None:
    folder = keep(store, loaded, opened())
    (folder / "evidence.json").write_text("{}", "utf-8")
    assert StoredResults(loaded, store, LIMITS).result(opening(loaded), ModelResult) is None
    assert folder.is_dir()
    keep(store, loaded, None, error=EvaluationError("killed"))
    assert StoredResults(loaded, store, LIMITS).result(opening(loaded), ModelResult) is None


def test_what_failed_by_another_limit_is_no_result(loaded: Loaded, store: EvidenceStore) -> None:
    keep(store, loaded, opened(), limit_bytes=LIMITS.memory_bytes - 1)
    assert StoredResults(loaded, store, LIMITS).result(opening(loaded), ModelResult) is None


def test_there_is_no_result_for_files_that_are_not_the_declared_ones(
    tiny: Path, loaded: Loaded, store: EvidenceStore
) -> None:
    keep(store, loaded, opened())
    assert loaded.submission is not None
    original = Original(loaded.submission, "linear", "test")
    ran = made(OriginalResult, {}).to_json()
    store.write(Evidence("original", Keys().key(original), store.draft(), ran))
    (tiny / "model.onnx").write_bytes(b"another")
    changed = load(tiny)
    assert changed.submission is not None
    again = Original(changed.submission, "linear", "test")
    assert StoredResults(loaded, store, LIMITS).result(original, OriginalResult) is not None
    stored = StoredResults(changed, store, LIMITS)
    assert stored.result(opening(changed), ModelResult) is None
    assert stored.result(again, OriginalResult) is None
