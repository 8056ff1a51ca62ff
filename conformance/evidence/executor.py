"""Evaluate cases: each once, in an isolated worker, through the evidence store.

The executor belongs to one submission and one process; several processes share their work through
the store. Nothing raised by submitted material escapes: it becomes the evidence's ``error``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from conformance.evidence.evidence import Evidence
from conformance.evidence.store import EvidenceStore
from conformance.plan.case import Case, evidence_key, files_of
from conformance.plan.dependencies import key_of, prerequisites, states
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import Worker
from conformance.sandbox.workers import Workers
from conformance.submission import FileFacts, Loaded
from conformance.submission.values import Submission
from conformance.verdicts import ConformanceError, EvaluationError, Json, NotRunError, Verdict


class Executor:
    """Evidence for the cases of one submission."""

    def __init__(
        self,
        loaded: Loaded,
        store: EvidenceStore,
        limits: Limits,
        *,
        reuse: bool = True,
        worker: Worker | None = None,
    ) -> None:
        self.loaded = loaded
        self.store = store
        self.limits = limits
        self.reuse = reuse
        self._workers = Workers(limits, worker)
        self._known: dict[Case, Evidence] = {}

    def warm_up(self) -> None:
        """Start the first worker if it will be needed: it imports while the caller goes on."""
        submission = self._submission()
        first = Case("model", submission.models[0].id)
        if not self.reuse or not self.store.folder(self._key(first, submission)).is_dir():
            self._workers.prepare(
                submission.models[0].format,
                codecs={sample.codec for sample in submission.samples},
                metrics={metric.kind for metric in submission.metrics},
            )

    def close(self) -> None:
        """End the workers."""
        self._workers.stop()

    def evidence(self, case: Case) -> Evidence:
        """Return the evidence of ``case``: remembered, stored, or computed now.

        What has to come first is looked up step by step and not by recursion: a chain may have a
        thousand steps.
        """
        waiting = [(case, self._needs(case))]
        while waiting:
            current, needs = waiting[-1]
            first = next(needs, None)
            if first is not None:
                waiting.append((first, self._needs(first)))
                continue
            if current not in self._known:
                self._known[current] = self._find(current)
            waiting.pop()
        return self._known[case]

    def _needs(self, case: Case) -> Iterator[Case]:
        """Yield what to evaluate before ``case``, one by one; it ends where that is in vain."""
        submission = self._submission()
        if case in self._known or self._blocked(case, submission) is not None:
            return
        for needed in prerequisites(case, submission):
            if needed not in self._known:
                yield needed
            if _obstacle(self._known[needed]) is not None:
                return

    def _find(self, case: Case) -> Evidence:
        submission = self._submission()
        blocked = self._blocked(case, submission)
        if blocked is not None:
            return blocked
        # What must come first is looked up before the lock is taken: no lock is ever held while
        # another is asked for.
        for needed in prerequisites(case, submission):
            obstacle = _obstacle(self._known[needed])
            if obstacle is not None:
                return self._failed(case, obstacle)
        key = self._key(case, submission)
        with self.store.lock(key):
            stored = self.store.read(key) if self.reuse else None
            return stored or self._evaluate(case, key)

    def _key(self, case: Case, submission: Submission) -> str:
        limits = {"memory": self.limits.memory_bytes}
        keys = {each.name: self._known[each].key for each in states(case, submission)}
        return evidence_key(case, submission, limits=limits, states=keys)

    def _evaluate(self, case: Case, key: str) -> Evidence:
        draft = self.store.draft()
        reference = self._known[case.reference] if case.reference else None
        own = self._known[case.own] if case.own else None
        request = {
            "root": str(self.loaded.root),
            "metadata_sha256": self.loaded.metadata_sha256,
            "case": asdict(case),
            "networks": case.networks,
            "out": str(draft),
            "reference": str(reference.folder) if reference else None,
            "own": str(own.folder) if own else None,
            "states": self._state_folders(case),
        }
        try:
            answer = self._ask(case, request)
        except ConformanceError as error:
            evidence = Evidence(case.name, key, draft, None, error)
        else:
            evidence = Evidence(case.name, key, draft, answer["measured"], None, answer["cost"])
        if evidence.lasting:
            return self.store.write(evidence)
        shutil.rmtree(draft, ignore_errors=True)
        return evidence

    def _state_folders(self, case: Case) -> dict[str, str]:
        """Return, by step, the folder of the evidence of each state that the case reads."""
        return {
            key_of((each.sample or "", each.part or 0)): str(self._known[each].folder)
            for each in states(case, self._submission())
        }

    def _ask(self, case: Case, request: Json) -> Json:
        """Return the worker's answer, if it is about the files whose digests were verified.

        An error of the worker counts as little as a measurement if they changed meanwhile: it
        would be stored under the digests of files that it does not speak of.
        """
        try:
            return self._workers.ask(self._submission().model(case.model).format, request)
        finally:
            self._refuse_changed_files(case)

    def _refuse_changed_files(self, case: Case) -> None:
        """Raise if a file is no longer the one whose digest was verified."""
        for file in files_of(case, self._submission()):
            if _changed(self.loaded.root / file.rel_filepath, self.loaded.files[file.rel_filepath]):
                raise EvaluationError(
                    f"{file.rel_filepath} changed while it was evaluated",
                    expected="a submission folder that stays as it is during a run",
                    found="no file, or another size, time of change or inode than when hashed",
                    fix="run again, and leave the folder alone meanwhile",
                )

    def _blocked(self, case: Case, submission: Submission) -> Evidence | None:
        """Return evidence that says why nothing was run if a file of the case is not in order."""
        for file in files_of(case, submission):
            if file.rel_filepath not in self.loaded.files:
                error = NotRunError(
                    f"{file.rel_filepath} is not the file that was declared",
                    expected="the SUBMISSION-FILE checks pass for it",
                    found="one of them did not pass",
                    fix="fix the finding on that file first",
                )
                return self._failed(case, error)
        return None

    def _failed(self, case: Case, error: ConformanceError) -> Evidence:
        return Evidence(case.name, "", self.store.root, None, error)

    def _submission(self) -> Submission:
        if self.loaded.submission is None:
            raise ValueError("there is nothing to evaluate in a submission that is not valid")
        return self.loaded.submission


_UNFIT = "tensors that are missing, of another shape or type, or not finite"


def _changed(path: Path, facts: FileFacts) -> bool:
    try:
        now = path.lstat()
    except OSError:
        return True
    return (now.st_size, now.st_mtime_ns, now.st_ino) != (facts.size, facts.mtime_ns, facts.inode)


def _obstacle(needed: Evidence) -> ConformanceError | None:
    """Return why nothing can be built on ``needed``, or None.

    What was not run itself passes its reason on: the library that is missing, with the command that
    installs it. So does a state that nothing can be built upon: of a whole network that is judged
    by itself no other check would tell.
    """
    if needed.error is not None:
        if needed.error.verdict is Verdict.NOT_RUN:
            return needed.error
        if needed.error.verdict is Verdict.UNSUPPORTED and needed.case.startswith("state "):
            return _passed_on(needed.error)
        found = needed.error.message
    elif needed.result is not None and not needed.result.get("usable", True):
        wrong = needed.result.get("identity", {}).get("wrong")
        found = "another parent than the one that it names" if wrong else _UNFIT
    else:
        return None
    return NotRunError(
        f"{needed.case} has to succeed first",
        expected=f"usable evidence of {needed.case}",
        found=found,
        fix=f"fix the findings on {needed.case} first",
    )


def _passed_on(error: ConformanceError) -> ConformanceError:
    return NotRunError(
        error.message,
        where=error.where,
        expected=error.expected,
        found=error.found,
        fix=error.fix,
    )
