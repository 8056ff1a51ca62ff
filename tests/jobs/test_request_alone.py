"""A request, with its files and results copied to anywhere, is all that a job depends on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest

from conformance.jobs.dispatch import Dispatcher
from conformance.plan import jobs
from conformance.plan.jobs import Job
from conformance.plan.misapplications import misapplications
from conformance.plan.requests import REQUESTS, asked_of, files_in
from conformance.submission import Submission
from tests import tiny_submission
from tests.bitstreams import raw_stream
from tests.jobs.bench import LIMITS, add_sample, edit
from tests.jobs.in_process import DispatchingWorker, Evaluation
from tests.jobs.made import KINDS, a_job
from tests.jobs.two_formats import OTHER, add_turned
from tests.tiny_chain import TinyChain, difference

Ids = Mapping[str, Any] | Callable[[Submission], Mapping[str, Any]]
Recipe = tuple[Callable[[Path], Path], Ids]


def tiny(root: Path) -> Path:
    tiny_submission.write(root)
    add_sample(root, "stream", raw_stream(tiny_submission.weights()))
    return root


def in_several_files(root: Path) -> Path:
    """The original, and a sample that is a network, lie in two files each."""
    metadata = tiny_submission.write(root)
    for folder, owner in (("model", metadata["models"][0]), ("half", metadata["samples"][1])):
        made = onnx.load(root / owner["files"][0]["rel_filepath"])
        (root / folder / "data").mkdir(parents=True)
        onnx.save(
            made,
            root / folder / "net.onnx",
            save_as_external_data=True,
            location="data/weights.bin",
            size_threshold=0,
        )
        names = (f"{folder}/net.onnx", f"{folder}/data/weights.bin")
        owner["files"] = [tiny_submission.entry(root, name) for name in names]
    tiny_submission.save(root, metadata)
    return root


def two_formats(root: Path) -> Path:
    tiny_submission.write(root)
    add_turned(root)
    return root


def chain(root: Path) -> Path:
    made = TinyChain(root)
    made.whole()
    made.update("u", "base", difference(1), difference(2))
    made.update("v", "u")
    made.merge("m", u=1.0, v=3.0)
    made.layered("layers", made.original, difference(3))
    return made.save()


def misapplied(submission: Submission) -> Mapping[str, Any]:
    found = next(each for each in misapplications(submission) if each.kind == "wrong-parent")
    return {
        "sample": found.sample,
        "part": found.part,
        "misapplication": found.kind,
        "start": found.start,
        "steps": found.steps,
        "instead_of": found.instead_of,
    }


HALF, NETWORK = {"sample": "half"}, {"sample": "half-onnx"}
AGREEING = {"model": OTHER, "vectors": OTHER, "other_model": "linear", "other_vectors": "test"}
RECIPES: dict[type[Job], list[Recipe]] = {
    jobs.OpenModel: [(tiny, {}), (in_several_files, {})],
    jobs.KeepParameters: [(tiny, {}), (in_several_files, {})],
    jobs.OpenSample: [(tiny, NETWORK), (in_several_files, NETWORK)],
    jobs.DecodeTensors: [(tiny, HALF), (tiny, {"sample": "stream"})],
    jobs.Decode: [
        (tiny, {"sample": "stream"}),
        (in_several_files, NETWORK),
        (chain, {"sample": "u"}),
        (chain, {"sample": "layers"}),
    ],
    jobs.DecodeState: [
        (chain, {"sample": "base"}),
        (chain, {"sample": "u"}),
        (chain, {"sample": "m"}),
        (chain, {"sample": "layers", "part": 1}),
    ],
    jobs.DecodeLayers: [(chain, {"sample": "layers"})],
    jobs.Misapply: [(chain, misapplied)],
    jobs.Access: [(tiny, {"sample": "exact"}), (chain, {"sample": "layers", "part": 0})],
    jobs.ReadVectors: [(tiny, {})],
    jobs.Run: [(tiny, {}), (in_several_files, {"change": "shuffled-1"})],
    jobs.MeasureOriginal: [(tiny, {})],
    jobs.Original: [(tiny, {})],
    jobs.Control: [(tiny, {})],
    jobs.Agreement: [(two_formats, AGREEING)],
    jobs.RunSample: [(tiny, HALF), (in_several_files, NETWORK), (chain, {"sample": "v"})],
    jobs.Reconstruction: [(tiny, HALF), (chain, {"sample": "layers", "part": 0})],
    jobs.Swapped: [(tiny, {**HALF, "swapped": ("fc.bias",)})],
    jobs.TimeSample: [(in_several_files, NETWORK)],
}
"""Where jobs of each class are found: a submission, and the ids of one of its jobs."""

NAMES = {made: name for name, made in KINDS.items()}


def every_class(of: type[Job] = Job) -> list[type[Job]]:
    """Return the classes of jobs that are done, as the module of jobs has them now."""
    found = [of] if of.kind and getattr(jobs, of.__name__, None) is of else []
    return found + [each for below in of.__subclasses__() for each in every_class(below)]


class Recorder(DispatchingWorker):
    """Remembers the last message, and what came of it."""

    message: Any = None
    measured: Any = None

    def ask(self, request: Any) -> Any:
        answer = super().ask(request)
        self.message, self.measured = request, answer["measured"]
        return answer


def moved(message: Any, folder: Path) -> Any:
    """Copy all that a message names to a folder, under names that say nothing."""
    files: dict[str, str] = {}
    for ref in files_in(asked_of(json.loads(json.dumps(message["request"])))):
        alone = not ref.name or ref.name.startswith(".")
        target = folder / (ref.role + ref.name) if alone else _beside(folder, ref.role, ref.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(message["files"][ref.role], target)
        files[ref.role] = str(target)
    assert files.keys() == message["files"].keys()
    results = {role: str(folder / f"result-{role}") for role in message["results"]}
    for role, copy in results.items():
        shutil.copytree(message["results"][role], copy)
    out = folder / "out"
    out.mkdir(parents=True)
    return {"request": message["request"], "files": files, "results": results, "out": str(out)}


def _beside(folder: Path, role: str, name: str) -> Path:
    """Return the place of one of several files of a network, which finds the others by it."""
    return folder / role.rpartition(".")[0] / name


def shape_of(value: Any) -> Any:
    """Return the keys of what was measured, for what takes another time each time."""
    return {key: shape_of(each) for key, each in value.items()} if isinstance(value, dict) else 0


def job_in(
    root: Path, made: type[Job], ids: Ids, worker: DispatchingWorker | None = None
) -> tuple[Evaluation, Job]:
    evaluation = Evaluation(root, worker=worker)
    given = ids(evaluation.submission) if callable(ids) else ids
    return evaluation, a_job(evaluation.submission, NAMES[made], **given)


@pytest.mark.parametrize("made", every_class(), ids=lambda made: made.__name__)
def test_a_request_is_answered_alone_as_in_its_submission(
    made: type[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, (write, ids) in enumerate(RECIPES[made]):
        home = tmp_path / f"home-{place}"
        recorder = Recorder()
        evaluation, job = job_in(write(home / "submission"), made, ids, recorder)
        evidence = evaluation.executor.evidence(job)
        assert evidence.error is None, evidence.error
        assert recorder.message["request"]["kind"] == job.asks
        kept = {path.name: path.read_bytes() for path in evidence.folder.iterdir()}
        alone = tmp_path / f"alone-{place}"
        message = moved(recorder.message, alone)
        home.rename(tmp_path / f"gone-{place}")
        monkeypatch.chdir(alone)
        measured = json.loads(
            json.dumps(Dispatcher(LIMITS).evaluate(json.loads(json.dumps(message))))
        )
        if made is jobs.TimeSample:
            assert shape_of(measured) == shape_of(recorder.measured)
        else:
            assert measured == recorder.measured
        for path in Path(message["out"]).iterdir():
            assert path.read_bytes() == kept[path.name], path.name


def test_every_kind_of_request_is_asked(tmp_path: Path) -> None:
    asked = set()
    for made, recipes in RECIPES.items():
        for place, (write, ids) in enumerate(recipes):
            asked.add(job_in(write(tmp_path / f"{made.__name__}-{place}"), made, ids)[1].asks)
    assert asked == REQUESTS.keys()


def test_files_and_ids_of_another_name_are_the_same_request(tmp_path: Path) -> None:
    evaluation, job = job_in(tiny(tmp_path / "one"), jobs.Reconstruction, HALF)
    key = evaluation.executor.key(job)
    root = tiny(tmp_path / "other")
    (root / "half.safetensors").rename(root / "renamed.safetensors")

    def change(metadata: dict) -> None:
        metadata["samples"][0] |= {"id": "other", "title": "Another title"}
        metadata["samples"][0]["files"] = [tiny_submission.entry(root, "renamed.safetensors")]
        metadata["samples"].reverse()

    edit(root, change)
    other, renamed = job_in(root, jobs.Reconstruction, {"sample": "other"})
    assert other.executor.key(renamed) == key
