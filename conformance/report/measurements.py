"""What was measured of a submission, for the tables of its report: from results, not findings.

A check that was not selected, or that a waiver accepts, changes nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from conformance.judging.deltas import judge_delta
from conformance.judging.noise import spread_of, value_in
from conformance.plan.jobs import (
    Decode,
    DecodeState,
    Job,
    OpenModel,
    Original,
    Reconstruction,
    TimeSample,
    is_network,
)
from conformance.plan.results import (
    DecodeResult,
    ModelResult,
    OriginalResult,
    R,
    ReconstructionResult,
    Result,
    StateResult,
    TimingResult,
)
from conformance.plan.subjects import (
    NoiseSubject,
    Plan,
    VectorsSubject,
    job_in_format,
    vectors_of,
)
from conformance.submission.values import Layer, Metric, Model, Sample, Submission
from conformance.verdicts import Json

Row = Mapping[str, Json]
"""A row of a table of metrics, as report.json has it."""

Key = tuple[str, str]
"""Ids of a metric and of vectors."""

RELATIVE = "SUBMISSION-TOLERANCE-001"
"""The check of the metadata without which no relative tolerance can be applied."""


class Results(Protocol):
    """Results by job."""

    def result(self, job: Job, kind: type[R]) -> R | None:
        """Return the result of a job, which is of this class; None if nobody has it."""


@dataclass(frozen=True, slots=True)
class LayerSizes:
    """Bytes of one layer, and of all layers up to it; None where nothing measured them."""

    size: int | None
    cumulative: int | None


class Measurements:
    """What the results of one submission say; ``refusing`` are the checks its metadata failed."""

    def __init__(
        self, submission: Submission, results: Results, refusing: Iterable[str] = ()
    ) -> None:
        self._submission = submission
        self._results = results
        self._relative = RELATIVE not in set(refusing)
        self._judged: dict[str, tuple[Row, ...]] = {}

    def opened(self, model: str) -> ModelResult | None:
        """Return what a model is; None if it was not opened."""
        return self._results.result(OpenModel(self._submission, model), ModelResult)

    def used_parameter_bytes(self, model: str) -> int | None:
        """Return the bytes of the parameters that a model uses; None if it was not opened."""
        opened = self.opened(model)
        return None if opened is None else opened.used_parameter_bytes

    def declared(self, model: Model) -> Iterator[Row]:
        """Yield the declared values of the original that were measured, next to these."""
        for value in model.metric_values:
            ran = self._original(model.id, value.vectors)
            outcome = ran.metrics.get(value.metric) if ran is not None else None
            if outcome is not None and outcome.error is None:
                yield {
                    "metric": value.metric,
                    "vectors": value.vectors,
                    "declared": value.value,
                    "measured": outcome.row.value,
                }

    def decoded(self, sample: Sample) -> DecodeResult | None:
        """Return what a sample decodes to; None if it was not decoded."""
        return self._results.result(Decode(self._submission, sample.id), DecodeResult)

    def judged(self, sample: Sample) -> tuple[Row, ...]:
        """Return the row of every metric that a sample is judged by and that was measured."""
        if sample.id not in self._judged:
            self._judged[sample.id] = tuple(self._judge(sample))
        return self._judged[sample.id]

    def _judge(self, sample: Sample) -> Iterator[Row]:
        for use in sample.metrics:
            original = self._original(sample.model, use.vectors)
            ran = self._reconstructed(sample, use.vectors)
            outcome = ran.metrics.get(use.metric) if ran is not None else None
            if original is None or ran is None or outcome is None or outcome.error is not None:
                continue
            if self._relative or use.tolerance.type != "relative":
                metric = self._submission.metric(use.metric)
                runs = {"original": original, "sample": ran}
                yield judge_delta(use, metric, outcome.row, runs).row

    def noise_floors(self, sample: Sample) -> Mapping[Key, float]:
        """Return how far each metric of a sample moves with the format of the original alone."""
        floors: dict[Key, float] = {}
        for subject in self._noisy.get(sample.id, ()):
            values = [
                value_in(self._in_format(subject.metric, other), subject.metric.id)
                for other in subject.formats
            ]
            if None not in values:
                known = [value for value in values if value is not None]
                floors[subject.use.metric, subject.use.vectors] = spread_of(known)
        return floors

    def layer_rows(self, sample: Sample, layer: Layer) -> list[Row]:
        """Return what was measured on the network that ``layer`` and those before it give.

        The last layer gives the whole sample: what only the sample was measured by is true of it
        too.
        """
        place = sample.layers.index(layer)
        rows: dict[Key, Row] = {}
        if place == len(sample.layers) - 1:
            rows = {(row["metric"], row["vectors"]): row for row in self.judged(sample)}
        for value in layer.claims.metric_values:
            ran = self._reconstructed(sample, value.vectors, place)
            outcome = ran.metrics.get(value.metric) if ran is not None else None
            if outcome is not None and outcome.error is None:
                rows[value.metric, value.vectors] = {
                    "metric": value.metric,
                    "vectors": value.vectors,
                    "direction": self._submission.metric(value.metric).direction,
                    "reference": outcome.row.reference,
                    "value": outcome.row.value,
                }
        return list(rows.values())

    def layer_sizes(self, sample: Sample) -> Iterator[tuple[Layer, LayerSizes]]:
        """Yield each layer with its sizes: as measured, else those of its files.

        Layers of units share a file, so that only a decoder knows their sizes.
        """
        total: int | None = 0
        for place, layer in enumerate(sample.layers):
            state = self._results.result(
                DecodeState(self._submission, sample.id, place), StateResult
            )
            size = None if state is None else state.size
            if size is None and not layer.part.units:
                size = sum(file.size for file in layer.part.files)
            total = None if total is None or size is None else total + size
            yield layer, LayerSizes(size, total)

    def compressed_inference(self) -> Iterator[Row]:
        """Yield time and memory of each sample that is a network, with those of its original."""
        for sample in filter(is_network, self._submission.samples):
            for vectors in vectors_of(sample):
                job = TimeSample(self._submission, sample.model, vectors, sample.id)
                timed = self._results.result(job, TimingResult)
                if timed is not None:
                    yield {"sample": sample.id, "vectors": vectors, **timed.to_json()}

    def _original(self, model: str, vectors: str) -> OriginalResult | None:
        return self._results.result(Original(self._submission, model, vectors), OriginalResult)

    def _reconstructed(
        self, sample: Sample, vectors: str, part: int | None = None
    ) -> ReconstructionResult | None:
        job = Reconstruction(self._submission, sample.model, vectors, sample.id, part)
        return self._results.result(job, ReconstructionResult)

    @cached_property
    def _noisy(self) -> Mapping[str, list[NoiseSubject]]:
        """The metrics that are measured in several formats, by sample."""
        found: dict[str, list[NoiseSubject]] = {}
        if not any(vectors.equivalent_to for vectors in self._submission.vectors):
            return found
        for subject in Plan(self._submission.id, self._submission).noisy():
            found.setdefault(subject.sample.id, []).append(subject)
        return found

    def _in_format(self, metric: Metric, other: VectorsSubject) -> Result | None:
        job = job_in_format(metric, other)
        return self._results.result(job, job.Result)
