from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.evidence.evidence import Evidence
from conformance.evidence.store import EvidenceStore
from conformance.verdicts import (
    CaseTimeoutError,
    EvaluationError,
    Location,
    MalformedError,
    NotRunError,
    UnsupportedError,
)

KEY = "ab" + "0" * 62


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "store")


def write(store: EvidenceStore, value: float = 0.5) -> Evidence:
    draft = store.draft()
    (draft / "statistics.safetensors").write_bytes(b"some arrays")
    return store.write(Evidence("decode half", KEY, draft, {"value": value}, None, {"seconds": 1}))


def test_what_was_written_is_read(store: EvidenceStore) -> None:
    written = write(store)
    read = store.read(KEY)
    assert read is not None
    assert read.result == {"value": 0.5}
    assert read.cost == {"seconds": 1}
    assert (read.folder / "statistics.safetensors").read_bytes() == b"some arrays"
    assert (written.reused, read.reused) == (False, True)


def test_unknown_key_reads_as_none(store: EvidenceStore) -> None:
    assert store.read(KEY) is None


def test_error_is_kept_with_all_it_says(store: EvidenceStore) -> None:
    error = MalformedError("cut short", expected="10 bytes", found="9 bytes", fix="send it again")
    store.write(Evidence("decode half", KEY, store.draft(), None, error))
    read = store.read(KEY)
    assert read is not None
    assert isinstance(read.error, MalformedError)
    assert read.error.to_json() == error.to_json()


@pytest.mark.parametrize("file", ["evidence.json", "statistics.safetensors", "manifest.json"])
def test_damaged_entry_is_discarded(store: EvidenceStore, file: str) -> None:
    folder = write(store).folder
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / file).write_bytes(bytes(data))
    assert store.read(KEY) is None
    assert not folder.exists()


@pytest.mark.parametrize("file", ["evidence.json", "statistics.safetensors", "manifest.json"])
def test_entry_that_lacks_a_file_is_discarded(store: EvidenceStore, file: str) -> None:
    folder = write(store).folder
    (folder / file).unlink()
    assert store.read(KEY) is None


def test_entry_with_a_planted_file_is_discarded(store: EvidenceStore) -> None:
    (write(store).folder / "outputs-00000.safetensors").write_bytes(b"planted")
    assert store.read(KEY) is None


def test_entry_under_another_key_is_discarded(store: EvidenceStore) -> None:
    folder = write(store).folder
    other = "ab" + "1" * 62
    folder.rename(folder.with_name(other))
    assert store.read(other) is None


def test_entry_of_a_killed_writer_is_no_entry(store: EvidenceStore) -> None:
    draft = store.draft()
    (draft / "evidence.json").write_text(json.dumps({"key": KEY}), encoding="utf-8")
    assert store.read(KEY) is None


def test_file_in_the_place_of_an_entry_is_discarded(store: EvidenceStore) -> None:
    folder = store.folder(KEY)
    folder.parent.mkdir(parents=True)
    folder.write_text("no folder", encoding="utf-8")
    assert store.read(KEY) is None
    write(store)
    assert store.read(KEY) is not None


def test_endlessly_nested_manifest_is_discarded(store: EvidenceStore) -> None:
    (write(store).folder / "manifest.json").write_text("[" * 100_000, encoding="utf-8")
    assert store.read(KEY) is None


def test_equal_entry_stays_where_another_process_may_read_it(store: EvidenceStore) -> None:
    before = write(store).folder.stat().st_ino
    assert write(store).folder.stat().st_ino == before
    assert not list((store.root / "drafts").iterdir())


def test_writing_again_replaces_the_entry(store: EvidenceStore) -> None:
    write(store, 0.5)
    write(store, 0.75)
    read = store.read(KEY)
    assert read is not None
    assert read.result == {"value": 0.75}


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        (None, True),
        (MalformedError("broken"), True),
        (UnsupportedError("unknown", where=Location("model.onnx")), True),
        (CaseTimeoutError("slow"), False),
        (EvaluationError("killed"), False),
        (NotRunError("not installed"), False),
    ],
    ids=["success", "malformed", "unsupported", "timeout", "died", "not-run"],
)
def test_only_repeatable_evidence_lasts(error: Exception | None, lasting: bool) -> None:
    evidence = Evidence("case", KEY, Path(), None if error else {}, error)
    assert evidence.lasting is lasting


COUNTING = """
import sys, time
from pathlib import Path
from conformance.evidence.evidence import Evidence
from conformance.evidence.store import EvidenceStore
store, key = EvidenceStore(Path(sys.argv[1])), sys.argv[2]
with store.lock(key):
    if store.read(key) is None:
        with open(Path(sys.argv[1]) / "computed", "a") as log:
            log.write("once\\n")
        time.sleep(0.3)
        store.write(Evidence("case", key, store.draft(), {}))
"""


def test_concurrent_processes_compute_a_case_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COUNTING, str(tmp_path), KEY]
    running = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    assert (tmp_path / "computed").read_text(encoding="utf-8") == "once\n"


HOLDING = """
import sys, time
from pathlib import Path
from conformance.evidence.store import EvidenceStore
with EvidenceStore(Path(sys.argv[1])).lock(sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(tmp_path), KEY]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
        holder.wait()
    with EvidenceStore(tmp_path).lock(KEY):
        pass
