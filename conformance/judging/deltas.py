"""Judge the difference between a sample's metric and the original's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from conformance.judging.conditions import conditions_of
from conformance.judging.counted import counts_in_words, shortage_of
from conformance.metrics import Interval, Judgement, NoInterval, items_to_decide, judge
from conformance.plan.results import (
    MeasuredInterval,
    MissingInterval,
    ReconstructedRow,
    RunConditions,
)
from conformance.submission.values import Metric, MetricUse, Tolerance
from conformance.verdicts import Json, Problem, Verdict, json_number


@dataclass(frozen=True, slots=True)
class JudgedDelta:
    """A judged difference, in words, and as a row of the table of samples."""

    verdict: Verdict
    words: Problem
    row: Mapping[str, Json]

    @property
    def passes(self) -> bool:
        """Whether the difference lies within the tolerance."""
        return self.verdict is Verdict.PASS


def judge_delta(
    use: MetricUse,
    metric: Metric,
    measured: ReconstructedRow,
    runs: Mapping[str, RunConditions],
) -> JudgedDelta:
    """Judge one measured row by the tolerance that holds for this sample.

    ``runs`` are those of the ``original`` and of the ``sample``.
    """
    interval = _interval(measured.interval)
    known = interval or _no_interval(measured.no_interval)
    reference, value = float(measured.reference), float(measured.value)
    judgement = judge(use.tolerance, metric.direction, reference, value, known)
    # A value that is not finite, where the original's is, is a loss whatever was counted.
    broken = math.isfinite(reference) and not math.isfinite(value)
    short = None if broken else shortage_of(measured)
    verdict = Verdict.UNDECIDED if short else judgement.verdict
    needed = items_to_decide(known, judgement) if known else None
    row = {
        "metric": metric.id,
        "kind": metric.kind,
        "vectors": use.vectors,
        "direction": metric.direction,
        "reference": json_number(reference),
        "value": json_number(value),
        "delta": json_number(judgement.delta),
        "loss": json_number(judgement.loss),
        "tolerance": asdict(use.tolerance),
        "interval": _row_interval(interval),
        "p_value": interval.p_value if interval else None,
        "items": measured.items,
        "distinct_items": known.distinct_items if known else None,
        "counted": dict(measured.counted),
        "items_to_decide": needed,
        "verdict": verdict.value,
        "runs": {which: conditions_of(run) for which, run in runs.items()},
    }
    words = Problem(
        message=f"{metric.id}: {short.explanation if short else judgement.explanation}",
        expected=(f"{short.expected}; " if short else "") + _expected(use.tolerance, metric),
        found=difference_text(measured)
        + (f"; {counts_in_words(measured.counted)}" if short else ""),
        fix=short.fix if short else _fix(judgement, interval, needed),
    )
    return JudgedDelta(verdict, words, row)


def is_improvement(better: str, measured: ReconstructedRow) -> bool:
    """Return whether the sample is better than the original beyond the interval of the difference.

    ``better`` is the direction of the metric's kind, "higher" or "lower". Without an interval
    nobody knows what chance explains.
    """
    interval = _interval(measured.interval)
    if interval is None:
        return False
    return interval.low > 0 if better == "higher" else interval.high < 0


def difference_text(measured: ReconstructedRow) -> str:
    """Return what was measured of the original and the sample, in words."""
    reference, value = float(measured.reference), float(measured.value)
    return (
        f"original {reference:.10g}, sample {value:.10g}, "
        f"delta {value - reference:+.6g}{_interval_text(_interval(measured.interval))}"
    )


@dataclass(frozen=True, slots=True)
class JudgedChange:
    """Whether a metric fell from one layer to the next, in words."""

    passes: bool
    explanation: str
    expected: str


def judge_change(use: MetricUse, metric: Metric, before: float, value: float) -> JudgedChange:
    """Judge the change of a metric from one layer to the next by the sample's tolerance.

    A layer may improve the network by any amount, and values are compared as they are: an upper
    bound and a confidence are for the whole sample.
    """
    tolerance = Tolerance(use.tolerance.type, use.tolerance.bound, use.tolerance.inclusive)
    judgement = judge(tolerance, metric.direction, before, value)
    return JudgedChange(
        judgement.verdict is Verdict.PASS,
        judgement.explanation,
        _expected(tolerance, metric).replace("the original's", "the layer before's"),
    )


def _expected(tolerance: Tolerance, metric: Metric) -> str:
    unit = "" if tolerance.type == "absolute" else " of the original's value"
    sign = "≤" if tolerance.inclusive else "<"
    text = f"{metric.direction} is better; loss {sign} {tolerance.bound:g}{unit}"
    if tolerance.upper_bound is not None:
        text += f", improvement {sign} {tolerance.upper_bound:g}{unit}"
    if tolerance.confidence is not None:
        text += f", at {tolerance.confidence:.0%} confidence"
    return text


def _fix(judgement: Judgement, interval: Interval | None, needed: int | None) -> str:
    if not math.isfinite(judgement.loss):
        return "find out why the metric is no finite number on this network"
    if judgement.verdict is not Verdict.UNDECIDED:
        return "compress less, or declare a tolerance that the use case accepts"
    # Without an interval, less confidence decides nothing either.
    other = "ask for less confidence" if interval else 'leave "confidence" out of the tolerance'
    if needed is None:
        return f"submit more reference vectors, or {other}"
    what = "decide it" if interval else "give an interval"
    return f"submit more reference vectors (about {needed} distinct items would {what}), or {other}"


def _interval(measured: MeasuredInterval | None) -> Interval | None:
    if measured is None:
        return None
    edges = {"low": float(measured.low), "high": float(measured.high)}
    return Interval(**{**asdict(measured), **edges})


def _no_interval(measured: MissingInterval | None) -> NoInterval | None:
    return None if measured is None else NoInterval(**asdict(measured))


def _row_interval(interval: Interval | None) -> dict[str, Json] | None:
    if interval is None:
        return None
    return {
        "level": interval.level,
        "low": json_number(interval.low),
        "high": json_number(interval.high),
        "method": interval.method,
    }


def _interval_text(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f" ({interval.level:.0%} interval {interval.low:+.6g} to {interval.high:+.6g})"
