"""Requests of jobs and their keys, each found once; and the names that stand in results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from conformance.plan.computing import computed_by
from conformance.plan.jobs import Job
from conformance.plan.requests import (
    error_spelled,
    key_of,
    prefix_of,
    request_json,
    spelled,
)
from conformance.verdicts import ConformanceError, Json


@final
class Keys:
    """Requests and keys of the jobs of one submission."""

    def __init__(self) -> None:
        self._requests: dict[Job, tuple[str, dict[str, Json]]] = {}
        self._names: dict[str, Mapping[str, str]] = {}

    def key(self, job: Job) -> str:
        """Return the key of a job's result: the hash of its request."""
        return self._found(job)[0]

    def request(self, job: Job) -> dict[str, Json]:
        """Return the request of a job, as JSON."""
        return self._found(job)[1]

    def spelled(self, result: Json) -> Json:
        """Return a result with the names of the submission in the place of tokens."""
        return spelled(result, self._name_of)

    def error_spelled(self, error: ConformanceError) -> ConformanceError:
        """Return an error with the names of the submission in the place of tokens."""
        return error_spelled(error, self._name_of)

    def _name_of(self, prefix: str, name: str) -> str | None:
        return self._names.get(prefix, {}).get(name)

    def _found(self, job: Job) -> tuple[str, dict[str, Json]]:
        """Look up those whose results it reads first, without recursion: chains are long."""
        waiting = [job]
        while waiting:
            current = waiting[-1]
            read = current.results()
            missing = [each for each in read.values() if each not in self._requests]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if current not in self._requests:
                keys = {role: self._requests[each][0] for role, each in read.items()}
                by = computed_by(network=current.stage == "run")
                request = request_json(current.asks, current.request(keys), by)
                key = key_of(request)
                self._requests[current] = key, request
                self._names[prefix_of(key)] = current.names()
        return self._requests[job]
