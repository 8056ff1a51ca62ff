"""The command ``localise``: the parameters of a sample that carry the loss of a metric."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance.cli.inquiry import inquiry, result_of, sample_subject, valid
from conformance.cli.localising import Localisation, Part, Tell, localise
from conformance.evidence.executor import Executor
from conformance.plan.jobs import Original, Swapped
from conformance.plan.results import ParameterError
from conformance.sandbox.limits import Limits
from conformance.submission.values import MetricUse, Sample, Submission
from conformance.text import one_line
from conformance.verdicts import ConformanceError

MOST_NAMES = 4


def localise_loss(
    folder: Path,
    sample: str,
    limits: Limits | None = None,
    *,
    metric: str | None,
    seconds: float,
    tell: Tell,
) -> str:
    """Return a table of the parameters of ``sample`` that carry the loss of ``metric``.

    ``metric`` defaults to the first that the sample is judged by. The search ends after
    ``seconds``, runs that are under way are finished. Raises ConformanceError if the sample cannot
    be run or has no such metric.
    """
    with inquiry(folder, limits) as (loaded, executor):
        subject = sample_subject(loaded, sample)
        submission = valid(loaded)
        chosen = submission.sample(sample)
        use = _use(chosen, metric)
        errors = result_of(executor, subject.decode).parameters
        names = _names(chosen, errors)
        loss = _LossOf(executor, submission, chosen, use)
        found = localise(names, loss, seconds=seconds, tell=tell)
    return "\n".join(map(one_line, _table(use, found, errors)))


class _LossOf:
    """The loss of the metric with some parameters of the sample in the original."""

    def __init__(
        self, executor: Executor, submission: Submission, sample: Sample, use: MetricUse
    ) -> None:
        self._executor = executor
        self._sample = sample.id
        self._use = use
        self._where = submission, sample.model, use.vectors
        self._sign = 1 if submission.metric(use.metric).direction == "higher" else -1
        original = result_of(executor, Original(*self._where))
        self._reference = float(original.metrics[use.metric].row.value)

    def __call__(self, swapped: tuple[str, ...]) -> float:
        job = Swapped(*self._where, self._sample, swapped)
        measured = result_of(self._executor, job)
        value = float(measured.metrics[self._use.metric].row.value)
        return self._sign * (self._reference - value)


def _use(sample: Sample, metric: str | None) -> MetricUse:
    for use in sample.metrics:
        if metric in (None, use.metric):
            return use
    names = ", ".join(use.metric for use in sample.metrics)
    raise ConformanceError(
        f"sample {sample.id!r} is not judged by {metric!r}" if metric else "nothing can be lost",
        expected=f"one of {names}" if names else "a sample that is judged by a metric",
        found=metric or f"{sample.id!r}, which is lossless",
        fix="name one of the metrics of the sample" if names else "name a lossy sample",
    )


def _names(sample: Sample, errors: Mapping[str, ParameterError]) -> list[str]:
    """Return the parameters that differ from the original's: the others can lose nothing."""
    if not errors:
        raise ConformanceError(
            "the parameters of this sample cannot be swapped",
            expected="a lossy sample that decodes to the parameters of the original",
            found=f"{sample.id!r} of codec {sample.codec!r}",
            fix="name a sample of tensors",
        )
    different = [name for name, row in errors.items() if row.max_abs_error != 0.0]
    if not different:
        raise ConformanceError(
            "no parameter of the sample differs from the original's",
            expected="a sample with a loss",
            found="equal parameters",
            fix="declare the sample as lossless",
        )
    return different


def _table(
    use: MetricUse, found: Localisation, errors: Mapping[str, ParameterError]
) -> Iterator[str]:
    yield f"{use.metric} on {use.vectors}: the whole sample loses {found.total:.6g}"
    if not found.total:
        yield "the metric loses nothing: there is nothing to find; try another with --metric"
        return
    yield f"{found.runs} runs; each line swaps these parameters alone"
    yield ""
    yield f"{'loss alone':>14}  {'of the whole':>12}  {'relative error':>14}  parameter"
    for part in found.singles:
        error = errors[part.names[0]].relative_error
        shown = "" if error is None else f"{float(error):.4g}"
        yield f"{part.loss:>14.6g}  {_share(part, found):>12}  {shown:>14}  {part.names[0]}"
    for title, parts in (
        ("not divided, negligible together", found.negligible),
        ("NOT DIVIDED: time was up", found.unfinished),
    ):
        for part in parts:
            names = _some(part.names)
            yield f"{part.loss:>14.6g}  {_share(part, found):>12}  {'':>14}  {names} ({title})"


def _share(part: Part, found: Localisation) -> str:
    if not math.isfinite(found.total):
        return "" if math.isfinite(part.loss) else "all"
    return f"{part.loss / found.total:.0%}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
