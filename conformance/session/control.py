"""Judge the control: whether a metric notices that a network is empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from conformance.evaluation.plan import Subject
from conformance.metrics import judge
from conformance.submission.values import Metric
from conformance.verdicts import Json, Verdict


@dataclass(frozen=True, slots=True)
class JudgedControl:
    """Whether the empty network was noticed, and the numbers in words."""

    noticed: bool
    found: str


def judge_control(
    subject: Subject,
    metric: Metric,
    direction: Literal["higher", "lower"],
    control: Mapping[str, Json],
) -> JudgedControl:
    """Judge the empty network by every tolerance that the metric is used with.

    ``direction`` is the one of the metric's kind, ``control`` has ``items``, and the values
    ``reference`` of the original and ``value`` of the empty network on them.
    """
    reference, value = float(control["reference"]), float(control["value"])
    items = "1 item" if control["items"] == 1 else f"{control['items']} items"
    said = f"original {reference:.6g}, empty network {value:.6g} on {items}"
    for tolerance in subject.tolerances or (metric.tolerance,):
        plain = replace(tolerance, confidence=None)
        judgement = judge(plain, direction, reference, value)
        if judgement.verdict is Verdict.PASS:
            return JudgedControl(False, f"{said}: {judgement.explanation}")
    return JudgedControl(True, said)
