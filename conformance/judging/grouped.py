"""What the findings of a target say of its samples: verdicts alone, so that one pass is enough.

>>> grouped = Grouped(target.reported(waivers))                # doctest: +SKIP
>>> grouped.is_proven_lossless("int8")                         # doctest: +SKIP
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from conformance.judging.run import Planned
from conformance.judging.waivers import WAIVER
from conformance.verdicts import Finding, Verdict

Reported = tuple[Planned, Finding]
"""A planned check, and one of the findings it made."""

LOSSLESS = "SAMPLE-LOSSLESS-001"
MISAPPLIED = "UPDATE-MUTATION-001"


class Grouped:
    """Findings in their order, and the verdicts of samples by id."""

    def __init__(self, reported: Iterable[Reported]) -> None:
        self.all: Sequence[Reported] = tuple(reported)
        self._required: dict[str, list[Verdict]] = defaultdict(list)
        self._of_check: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
        for planned, finding in self.all:
            sample = planned.subject.about.get("sample")
            if sample is not None:
                if planned.check.required:
                    self._required[sample].append(finding.verdict)
                self._of_check[planned.check.id, sample].append(_found(finding))

    def required_verdicts(self, sample: str) -> Sequence[Verdict]:
        """Return the verdicts of all required checks about the sample with this id."""
        return self._required.get(sample, ())

    def is_proven_lossless(self, sample: str) -> bool:
        """Return whether a sample was found to have the tensors of the original."""
        proofs = self._of_check.get((LOSSLESS, sample), ())
        return bool(proofs) and all(verdict is Verdict.PASS for verdict in proofs)

    def misapplications(self, sample: str) -> Sequence[Verdict]:
        """Return the verdict on each misapplied update that was planned of a sample.

        A waiver accepts a finding and hides nothing: what it accepts was missed all the same.
        """
        return self._of_check.get((MISAPPLIED, sample), ())


def _found(finding: Finding) -> Verdict:
    """Return the verdict of a finding before it was waived."""
    if finding.verdict is not Verdict.WAIVED:
        return finding.verdict
    return Verdict(finding.evidence[WAIVER]["verdict"])
