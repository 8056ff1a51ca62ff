"""The findings of a target by check and sample, so that a report takes one pass over them.

>>> grouped = Grouped(target.reported(waivers))                # doctest: +SKIP
>>> rows = grouped.evidence("METRIC-DELTA-001", sample.id)     # doctest: +SKIP
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from conformance.judging.run import Planned
from conformance.judging.waivers import WAIVER
from conformance.verdicts import Finding, Json, Verdict

Reported = tuple[Planned, Finding]
"""A planned check, and one of the findings it made."""


class Grouped:
    """Findings, looked up by the id of their check and of the sample they are about."""

    def __init__(self, reported: Iterable[Reported]) -> None:
        self.all: Sequence[Reported] = tuple(reported)
        self._by_sample: dict[tuple[str, str], list[Reported]] = defaultdict(list)
        self._by_check: dict[str, list[Reported]] = defaultdict(list)
        self._required: dict[str, list[Verdict]] = defaultdict(list)
        for planned, finding in self.all:
            self._by_check[planned.check.id].append((planned, finding))
            sample = planned.subject.sample
            if sample is not None:
                self._by_sample[planned.check.id, sample.id].append((planned, finding))
                if planned.check.required:
                    self._required[sample.id].append(finding.verdict)

    def of_check(self, check: str) -> Sequence[Reported]:
        """Return the findings of one check."""
        return self._by_check.get(check, ())

    def of_sample(self, check: str, sample: str) -> Sequence[Reported]:
        """Return the findings of one check about the sample with this id."""
        return self._by_sample.get((check, sample), ())

    def evidence(self, check: str, sample: str) -> list[dict[str, Json]]:
        """Return what the findings of one check measured on the sample with this id."""
        return [
            evidence_of(finding)
            for _, finding in self.of_sample(check, sample)
            if finding.evidence.keys() - {WAIVER}
        ]

    def used_parameter_bytes(self, model: str) -> int | None:
        """Return the bytes of the parameters that a network uses; None if it was not opened."""
        for planned, finding in self.of_check("MODEL-OPEN-001"):
            subject = planned.subject.model
            if subject is not None and subject.id == model:
                return finding.evidence.get("used_parameter_bytes")
        return None

    def required_verdicts(self, sample: str) -> Sequence[Verdict]:
        """Return the verdicts of all required checks about the sample with this id."""
        return self._required.get(sample, ())


def evidence_of(finding: Finding) -> dict[str, Json]:
    """Return what a finding measured, without the waiver that accepts it."""
    evidence: Mapping[str, Json] = finding.evidence
    return {key: value for key, value in evidence.items() if key != WAIVER}
