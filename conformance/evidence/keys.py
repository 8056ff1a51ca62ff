"""Requests of jobs and their keys, and evidence by them in the words of a submission."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from conformance.evidence.evidence import Evidence
from conformance.plan.computing import computed_by
from conformance.plan.jobs import Job
from conformance.plan.requests import error_spelled, key_of, prefix_of, request_json, spelled
from conformance.plan.results import Result, result_from_json
from conformance.verdicts import Json


class Requests:
    """The requests of jobs of one submission: found from its metadata alone, each once."""

    def __init__(self) -> None:
        self._requests: dict[Job, tuple[str, dict[str, Json]]] = {}
        self._names: dict[str, Mapping[str, str]] = {}

    def key(self, job: Job) -> str:
        """Return the key of a job's evidence: the hash of its request."""
        return self._of(job)[0]

    def json(self, job: Job) -> dict[str, Json]:
        """Return the request of a job as JSON."""
        return self._of(job)[1]

    def evidence(self, job: Job, stored: Evidence) -> Evidence:
        """Return evidence with the names of the submission in it, and its result typed.

        ValueError if the result is not of the class that the job has.
        """
        error, result = stored.error, stored.result
        self._of(job)
        return dataclasses.replace(
            stored,
            job=job.name,
            result=self._typed(job, spelled(result, self._name_of)) if error is None else None,
            error=None if error is None else error_spelled(error, self._name_of),
        )

    @staticmethod
    def _typed(job: Job, result: Json) -> Result | Mapping[str, Json]:
        if job.Result is not None:
            return result_from_json(job.Result, result)
        if not isinstance(result, dict):
            raise ValueError(f"Expected `object`, got `{result!r}`")
        return result

    def _of(self, job: Job) -> tuple[str, dict[str, Json]]:
        """Return key and request of a job; without recursion, for a chain may be long."""
        waiting = [job]
        while waiting:
            current = waiting[-1]
            missing = [each for each in current.results().values() if each not in self._requests]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if current not in self._requests:
                keys = {role: self._requests[each][0] for role, each in current.results().items()}
                by = computed_by(network=current.stage == "run")
                request = request_json(current.asks, current.request(keys), by)
                key = key_of(request)
                self._requests[current] = key, request
                self._names[prefix_of(key)] = current.names()
        return self._requests[job]

    def _name_of(self, prefix: str, name: str) -> str | None:
        return self._names.get(prefix, {}).get(name)
