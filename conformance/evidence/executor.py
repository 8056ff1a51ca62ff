"""Do jobs: each once, in an isolated worker, through the evidence store.

The executor belongs to one submission and one process; several processes share their work through
the store. Nothing raised by submitted material escapes: it becomes the evidence's ``error``.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from conformance.evidence.evidence import Evidence
from conformance.evidence.passing import PassingStore
from conformance.evidence.store import EvidenceStore
from conformance.plan.jobs import Job, OpenModel, is_network
from conformance.plan.keys import Keys
from conformance.plan.requests import files_in
from conformance.plan.results import Result
from conformance.sandbox.workers import Workers
from conformance.submission import FileFacts, Loaded
from conformance.submission.values import Submission
from conformance.verdicts import ConformanceError, EvaluationError, Json, NotRunError, Verdict

KEPT_BYTES = 64 << 20
"""Outputs of one run that are kept for later runs, in bytes, unless another number is given."""


class Executor:
    """Evidence for the jobs of one submission.

    ``workers`` do the jobs, under their limits, and end with it. ``passing`` is the folder for what
    is kept during this run only; runs in several processes share one. Outputs of up to
    ``kept_bytes`` for each run of a network are kept longer.
    """

    def __init__(
        self,
        loaded: Loaded,
        store: EvidenceStore,
        workers: Workers,
        *,
        reuse: bool = True,
        passing: Path | None = None,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self.loaded = loaded
        self.store = store
        self.limits = workers.limits
        self.reuse = reuse
        self.kept_bytes = kept_bytes
        self._repeated: dict[str, None] = {}
        self._passing = PassingStore(passing or store.root, shared=passing is not None)
        self._workers = workers
        self._known: dict[Job, Evidence] = {}
        self._keys = Keys()
        self._costs: dict[str, Mapping[str, float]] = {}

    def warm_up(self) -> None:
        """Start the first workers if they will be needed: they import while the caller goes on."""
        submission = self._submission()
        model = submission.models[0]
        first = OpenModel(submission, model.id)
        if not self.reuse or not self.store.folder(self.key(first)).is_dir():
            self._workers.prepare(
                model.format,
                model.id,
                codecs={each.codec for each in submission.samples if not is_network(each)},
                metrics={metric.kind for metric in submission.metrics},
            )

    def close(self) -> None:
        """End the workers, and remove what was kept for this run."""
        self._workers.stop()
        self._passing.close()

    def take_costs(self) -> dict[str, Mapping[str, float]]:
        """Return what was computed since the last call, by the name of the job, and its cost."""
        costs, self._costs = self._costs, {}
        return costs

    def take_repeated(self) -> list[str]:
        """Return the runs that were done again since the last call, and had been done before.

        Their outputs were too large to be kept.
        """
        repeated, self._repeated = list(self._repeated), {}
        return repeated

    def evidence(self, job: Job) -> Evidence:
        """Return the evidence of ``job``: remembered, stored, or computed now.

        What must come first is looked up step by step and not by recursion: a chain may have a
        thousand steps.
        """
        waiting = [(job, self._needs(job))]
        while waiting:
            current, needs = waiting[-1]
            first = next(needs, None)
            if first is not None:
                waiting.append((first, self._needs(first)))
                continue
            if current not in self._known:
                self._known[current] = self._find(current)
            waiting.pop()
        return self._known[job]

    def key(self, job: Job) -> str:
        """Return the key of a job's evidence: the hash of its request."""
        return self._keys.key(job)

    def _needs(self, job: Job) -> Iterator[Job]:
        """Yield what to do before ``job``, one by one; it ends where nothing could come of it."""
        if job in self._known or self._blocked(job) is not None:
            return
        for needed in job.needs():
            if needed not in self._known:
                yield needed
            if _obstacle(needed, self._known[needed]) is not None:
                return

    def _find(self, job: Job) -> Evidence:
        blocked = self._blocked(job)
        if blocked is not None:
            return self._failed(job, blocked)
        for needed in job.needs():
            obstacle = _obstacle(needed, self._known[needed])
            if obstacle is not None:
                return self._failed(job, obstacle)
        key = self.key(job)
        with self.store.lock(key):
            stored = self._stored(job, key)
        return stored or self._computed(job, key)

    def _stored(self, job: Job, key: str) -> Evidence | None:
        """Return the evidence that an earlier run, or another process of this one, has left."""
        passing = self._passing.read(key)
        if passing is not None:
            return passing.of_job(job, self._keys)
        if not self.reuse:
            return None
        stored = self.store.read(key)
        if stored is None or stored.limit_bytes not in (None, self.limits.memory_bytes):
            return None
        if not stored.has_arrays:
            self._repeated[job.name] = None
            return None
        try:
            return stored.of_job(job, self._keys)
        except ValueError:
            return None  # Not what this job measures: as if nothing were stored.

    def _computed(self, job: Job, key: str) -> Evidence:
        """Do a job, its parts first; what fails in one of them has failed here."""
        for part in job.parts():
            error = self.evidence(part).error
            if error is not None and not (job.takes_failures and self._known[part].lasting):
                return self._failed(job, error)
        with ExitStack() as held:
            results = {
                role: str(self._held(needed, held)) for role, needed in job.results().items()
            }
            with self.store.lock(key):
                return self._stored(job, key) or self._evaluate(job, key, results)

    def _held(self, job: Job, held: ExitStack) -> Path:
        """Return the folder of what a job left, which stays until ``held`` ends."""
        while True:
            folder = self.evidence(job).folder
            if self._passing.hold(folder, held):
                return folder
            del self._known[job]

    def _evaluate(self, job: Job, key: str, results: Mapping[str, str]) -> Evidence:
        draft = self.store.draft()
        message = {
            "request": self._keys.request(job),
            "files": {role: str(path) for role, path in self._files(job).items()},
            "results": results,
            "out": str(draft),
        }
        try:
            evidence = self._answered(job, key, draft, self._ask(job, message))
        except ConformanceError as error:
            limit = self.limits.memory_bytes if error.by_limit else None
            evidence = Evidence(job.name, key, draft, None, error, limit_bytes=limit)
        else:
            self._costs[job.name] = evidence.cost
        return self._kept(job, evidence).of_job(job, self._keys)

    def _answered(self, job: Job, key: str, draft: Path, answer: Json) -> Evidence:
        """Return evidence with what the worker measured; EvaluationError for anything else."""
        limit = self.limits.memory_bytes if answer["limited"] else None
        measured, cost = answer["measured"], answer["cost"]
        evidence = Evidence(job.name, key, draft, measured, None, cost, limit_bytes=limit)
        try:
            evidence.of_job(job, self._keys)
        except ValueError as error:
            raise EvaluationError(
                f"the worker did not answer what {job.name} measures",
                expected=f"a {(job.Result or Result).__name__}",
                found=str(error)[:500],
                fix="report this as a defect of the tool, or of the plug-in that was at work",
            ) from error
        return evidence

    def _kept(self, job: Job, evidence: Evidence) -> Evidence:
        """Put evidence where it belongs: into the store, what is large for this run only."""
        if not evidence.lasting:
            shutil.rmtree(evidence.folder, ignore_errors=True)
            return evidence
        if job.passing and evidence.error is None:
            return self._passing.write(evidence)
        size = sum(path.stat().st_size for path in evidence.folder.iterdir())
        if job.kind != "run" or size <= self.kept_bytes:
            return self.store.write(evidence)
        record = dataclasses.replace(evidence, folder=self.store.draft(), has_arrays=False)
        self.store.write(record)
        return self._passing.write(evidence)

    def _ask(self, job: Job, message: Json) -> Json:
        """Return the worker's answer, if it is about the files whose digests were verified.

        An error of the worker counts as little as a measurement if they changed in the meantime: it
        would be stored under the digests of files that it does not speak of.
        """
        try:
            return self._workers.of(job.stage, job.format, job.network).ask(message)
        finally:
            for path in self._files(job).values():
                self._refuse_changed(path)

    def _refuse_changed(self, path: Path) -> None:
        """Raise if a file is no longer the one whose digest was verified."""
        name = path.relative_to(self.loaded.root).as_posix()
        if _changed(path, self.loaded.files[name]):
            raise EvaluationError(
                f"{name} changed while it was evaluated",
                expected="a submission folder that stays as it is during a run",
                found="no file, or a different size, time of change or inode than when hashed",
                fix="run again without modifying the folder",
            )

    def _files(self, job: Job) -> dict[str, Path]:
        """Return where the files lie that the request of a job names, by role."""
        known = job.files()
        named = files_in(job.request(dict.fromkeys(job.results(), "")))
        return {ref.role: self.loaded.root / known[ref.role].rel_filepath for ref in named}

    def _blocked(self, job: Job) -> ConformanceError | None:
        """Return why nothing can be run if a file of the job, or a part of it, is not in order."""
        for part in job.parts():
            blocked = self._blocked(part)
            if blocked is not None:
                return blocked
        for path in self._files(job).values():
            name = path.relative_to(self.loaded.root).as_posix()
            if name not in self.loaded.files:
                return NotRunError(
                    f"{name} is not the file that was declared",
                    expected="the SUBMISSION-FILE checks pass for it",
                    found="one of them did not pass",
                    fix="fix the finding on that file first",
                )
        return None

    def _failed(self, job: Job, error: ConformanceError) -> Evidence:
        return Evidence(job.name, "", self.store.root, None, error)

    def _submission(self) -> Submission:
        if self.loaded.submission is None:
            raise ValueError("there is nothing to evaluate in a submission that is not valid")
        return self.loaded.submission


def _changed(path: Path, facts: FileFacts) -> bool:
    try:
        now = path.lstat()
    except OSError:
        return True
    return (now.st_size, now.st_mtime_ns, now.st_ino) != (facts.size, facts.mtime_ns, facts.inode)


def _obstacle(needed: Job, found_of_it: Evidence) -> ConformanceError | None:
    """Return why nothing can be built on ``needed``, or None.

    What was not run itself passes its reason on: the library that is missing, with the command that
    installs it. So does a state that nothing can be built on: of a whole network that is judged
    by itself no other check would report.
    """
    error, result = found_of_it.error, found_of_it.result
    if error is not None:
        if error.verdict is Verdict.NOT_RUN:
            return error
        if error.verdict is Verdict.UNSUPPORTED and needed.kind == "state":
            return _passed_on(error)
        found = error.message
    elif isinstance(result, Result) and result.obstacle:
        found = result.obstacle
    else:
        return None
    return NotRunError(
        f"{needed.name} must succeed first",
        expected=f"usable evidence of {needed.name}",
        found=found,
        fix=f"fix the findings on {needed.name} first",
    )


def _passed_on(error: ConformanceError) -> ConformanceError:
    return NotRunError(
        error.message,
        where=error.where,
        expected=error.expected,
        found=error.found,
        fix=error.fix,
    )
