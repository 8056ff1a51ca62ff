"""Results that the evidence store has of a submission: nothing is computed for them.

>>> stored = StoredResults(loaded, store, limits)           # doctest: +SKIP
>>> stored.result(OpenModel(submission, "cnn"), ModelResult)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator

from conformance.evidence.evidence import Evidence
from conformance.evidence.store import EvidenceStore
from conformance.plan.jobs import Job
from conformance.plan.keys import Keys
from conformance.plan.results import R
from conformance.sandbox.limits import Limits
from conformance.submission import Loaded


class StoredResults:
    """What is in the store for the jobs of one submission; an entry is verified once."""

    def __init__(self, loaded: Loaded, store: EvidenceStore, limits: Limits) -> None:
        self._loaded = loaded
        self._store = store
        self._memory_bytes = limits.memory_bytes
        self._keys = Keys()
        self._read: dict[Job, tuple[object, Evidence | None]] = {}
        self._in_order: dict[Job, bool] = {}

    def result(self, job: Job, kind: type[R]) -> R | None:
        """Return the result of a job, which is of this class; None if the store has none.

        There is none for files that are not the declared ones.
        """
        if not self._has_its_files(job):
            return None
        evidence = self._evidence(job)
        return evidence.result if evidence and isinstance(evidence.result, kind) else None

    def _evidence(self, job: Job) -> Evidence | None:
        key = self._keys.key(job)
        stamp = self._store.stamp(key)
        if job not in self._read or self._read[job][0] != stamp:
            stored = None if stamp is None else self._store.look_at(key)
            if stored is not None and stored.limit_bytes not in (None, self._memory_bytes):
                stored = None
            try:
                known = None if stored is None else stored.of_job(job, self._keys)
            except ValueError:
                known = None
            self._read[job] = stamp, known
        return self._read[job][1]

    def _has_its_files(self, job: Job) -> bool:
        """Return whether all files that a job, or what it is built on, reads are in order."""
        waiting = [job]
        while waiting:
            current = waiting[-1]
            missing = [each for each in _built_upon(current) if each not in self._in_order]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            files = (file.rel_filepath for file in current.files().values())
            self._in_order[current] = all(file in self._loaded.files for file in files) and all(
                self._in_order[each] for each in _built_upon(current)
            )
        return self._in_order[job]


def _built_upon(job: Job) -> Iterator[Job]:
    yield from job.needs()
    yield from job.parts()
    yield from job.results().values()
