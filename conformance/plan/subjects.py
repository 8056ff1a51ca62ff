"""The plan: every subject that the suites check, listed from a submission's metadata alone.

A subject is a typed value: it has what checks about it look at, and the jobs that hold evidence.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from conformance.checks import Over
from conformance.plan.jobs import (
    Access,
    Agreement,
    Control,
    Decode,
    DecodeLayers,
    DecodeState,
    Measuring,
    Misapply,
    OpenModel,
    Original,
    Reconstruction,
    TimeSample,
    is_network,
    last_step,
)
from conformance.plan.misapplications import Misapplication, misapplications
from conformance.plan.results import RunConditions
from conformance.registry import CODECS
from conformance.submission.update_graph import cumulative_sizes
from conformance.submission.values import (
    File,
    Layer,
    Metric,
    MetricUse,
    MetricValue,
    Model,
    Sample,
    Submission,
    Tolerance,
    VectorSet,
)
from conformance.verdicts import Json, Location

Value = TypeVar("Value", MetricValue, MetricUse)
S = TypeVar("S", bound="Subject")
METADATA = "submission.json"


@dataclass(frozen=True)
class Subject:
    """What one check is about. ``id`` is its stable name: ``digits-cnn/int8-qdq/top1``.

    The id depends on the submission alone; ``target`` names the submission among those of the run,
    of which several may have one id. ``pointer`` is the place in ``submission.json`` that speaks
    of the subject. The metadata as a whole are a subject of this class, all others have their own.
    """

    id: str
    target: str
    pointer: str = ""

    @property
    def label(self) -> str:
        """The id as pytest shows it: ASCII, and unique in the run."""
        _, slash, rest = self.id.partition("/")
        return f"{_NO_LABEL.sub('-', self.target)}{slash}{rest}"

    @property
    def about(self) -> dict[str, Json]:
        """The ids of what it is about, as report.json has them; what it has nothing of is absent.

        ``part`` is the place of a file of an update, or of a layer, in its sample.
        """
        return {}

    @property
    def alone(self: S) -> S:
        """The same subject of a run over its submission alone, which is called by its own id."""
        return self.among(self.id.partition("/")[0])

    def among(self: S, target: str) -> S:
        """Return the same subject of a run in which its submission is called ``target``."""
        return replace(self, target=target)

    def narrowed(self, kind: type[S], **given: Any) -> S:
        """Return a subject of another class about the same, and about what is ``given``."""
        known = {each.name: getattr(self, each.name) for each in fields(self)}
        return kind(**{**known, **given})


_NO_LABEL = re.compile(r"[^!-Z^-~]")


@dataclass(frozen=True, kw_only=True)
class ModelSubject(Subject):
    """An original network."""

    submission: Submission = field(repr=False, compare=False)
    model: Model

    @property
    def about(self) -> dict[str, Json]:
        return {**super().about, "model": self.model.id}

    @property
    def opened(self) -> OpenModel:
        """The original is opened."""
        return OpenModel(self.submission, self.model.id)

    @property
    def format_that_runs(self) -> str:
        """The format of the network that is run: the sample's own, or the original's."""
        return self.model.format

    def place_in_network(self, element: str | None = None) -> Location:
        """Return where the network that runs is: the sample itself, or the original's file."""
        return Location(self.model.files[0].rel_filepath, element=element)


@dataclass(frozen=True, kw_only=True)
class VectorsSubject(ModelSubject):
    """A network on a vector set."""

    vectors: VectorSet

    @property
    def about(self) -> dict[str, Json]:
        return {**super().about, "vectors": self.vectors.id}

    @property
    def on_vectors(self) -> tuple[Submission, str, str]:
        """What every job on the vectors begins with."""
        return self.submission, self.model.id, self.vectors.id

    @property
    def original(self) -> Original:
        """The original is run."""
        return Original(*self.on_vectors)

    @property
    def ran(self) -> Measuring[RunConditions]:
        """What the subject is about is run: the original, a sample or a layer."""
        return self.original


@dataclass(frozen=True, kw_only=True)
class AgreementSubject(VectorsSubject):
    """A network on a vector set, said to equal another format of it, ``other``."""

    other: VectorsSubject

    @property
    def agreement(self) -> Agreement:
        """The outputs in both formats are compared."""
        return Agreement(*self.on_vectors, self.other.model.id, self.other.vectors.id)


@dataclass(frozen=True, kw_only=True)
class MetricSubject(VectorsSubject):
    """A metric on a vector set."""

    metric: Metric

    @property
    def about(self) -> dict[str, Json]:
        return {**super().about, "metric": self.metric.id}


@dataclass(frozen=True, kw_only=True)
class MeasureSubject(MetricSubject):
    """A metric as it is measured on the original, with all tolerances that it is used with."""

    tolerances: tuple[Tolerance, ...]

    @property
    def control(self) -> Control:
        """It is measured on networks that have lost what the original has learned."""
        return Control(*self.on_vectors)


@dataclass(frozen=True, kw_only=True)
class DeclaredValueSubject(MetricSubject):
    """A value that is declared of a metric: of the original, unless a subclass says otherwise."""

    declared: MetricValue


@dataclass(frozen=True, kw_only=True)
class SampleSubject(ModelSubject):
    """A sample."""

    sample: Sample

    @property
    def about(self) -> dict[str, Json]:
        return {**super().about, "sample": self.sample.id}

    @property
    def decode(self) -> Decode:
        """The sample is decoded."""
        return Decode(self.submission, self.sample.id)

    @property
    def layering(self) -> DecodeLayers:
        """All its layers are decoded at once."""
        return DecodeLayers(self.submission, self.sample.id)

    @property
    def access(self) -> Access:
        """Tensors are decoded alone."""
        return Access(self.submission, self.sample.id)

    @property
    def state(self) -> DecodeState:
        """The parameters after its last part."""
        return DecodeState(self.submission, *last_step(self.sample))

    @property
    def files(self) -> tuple[File, ...]:
        """The files that it is about."""
        return self.sample.files

    @property
    def format_that_runs(self) -> str:
        return self.sample.codec if is_network(self.sample) else self.model.format

    def place_in_sample(self, element: str | None = None) -> Location:
        """Return where the sample is, or the part of it that the subject is about.

        A merge has no file: what is said about it is said of its metadata.
        """
        if not self.files:
            return Location(METADATA, pointer=self.pointer, element=element)
        return Location(self.files[0].rel_filepath, element=element)

    def place_in_network(self, element: str | None = None) -> Location:
        if is_network(self.sample):
            return self.place_in_sample(element)
        return super().place_in_network(element)


@dataclass(frozen=True, kw_only=True)
class RunSubject(VectorsSubject, SampleSubject):
    """A sample on a vector set."""

    @property
    def reconstruction(self) -> Reconstruction:
        """What was decoded is run."""
        return Reconstruction(*self.on_vectors, self.sample.id)

    @property
    def ran(self) -> Measuring[RunConditions]:
        return self.reconstruction

    @property
    def timed(self) -> TimeSample:
        """The sample, which is a network, is timed."""
        return TimeSample(*self.on_vectors, self.sample.id)


@dataclass(frozen=True, kw_only=True)
class ClaimSubject(DeclaredValueSubject, RunSubject):
    """A value that is claimed of a metric of a sample."""


@dataclass(frozen=True, kw_only=True)
class DeltaSubject(MetricSubject, RunSubject):
    """A metric that a sample is judged by."""

    use: MetricUse


@dataclass(frozen=True, kw_only=True)
class NoiseSubject(DeltaSubject):
    """The same of a network that comes in several ``formats``, its own among them."""

    formats: tuple[VectorsSubject, ...]


@dataclass(frozen=True, kw_only=True)
class DerivedSubject(SampleSubject):
    """A sample that builds upon others, with the bytes of all files that lead to it."""

    leading_bytes: int


@dataclass(frozen=True, kw_only=True)
class EqualSubject(SampleSubject):
    """A sample that is said to have the tensors of the ``other``."""

    other: SampleSubject


@dataclass(frozen=True, kw_only=True)
class MisappliedSubject(SampleSubject):
    """A misapplied update."""

    misapplication: Misapplication

    @property
    def about(self) -> dict[str, Json]:
        return {
            **super().about,
            "part": self.misapplication.part,
            "misapplication": self.misapplication.kind,
        }

    @property
    def misapplied(self) -> Misapply:
        """The bitstreams are applied where they do not belong."""
        wrong = self.misapplication
        return Misapply(
            self.submission,
            self.sample.id,
            wrong.part,
            wrong.kind,
            wrong.start,
            wrong.steps,
            wrong.instead_of,
        )


@dataclass(frozen=True, kw_only=True)
class PartSubject(SampleSubject):
    """A part of a sample, by its place: a bitstream of an update, or a layer."""

    part: int

    @property
    def about(self) -> dict[str, Json]:
        return {**super().about, "part": self.part}

    @property
    def files(self) -> tuple[File, ...]:
        return self.sample.parts[self.part].files

    @property
    def state(self) -> DecodeState:
        return DecodeState(self.submission, self.sample.id, self.part)


@dataclass(frozen=True, kw_only=True)
class LayerSubject(PartSubject):
    """A layer of a sample."""

    layer: Layer

    @property
    def about(self) -> dict[str, Json]:
        return {**super().about, "layer": self.layer.id}

    @property
    def access(self) -> Access:
        return Access(self.submission, self.sample.id, self.part)

    @property
    def states(self) -> Iterator[DecodeState]:
        """The parameters after each layer up to this one."""
        for part in range(self.part + 1):
            yield DecodeState(self.submission, self.sample.id, part)


@dataclass(frozen=True, kw_only=True)
class LayerRunSubject(RunSubject, LayerSubject):
    """The network up to a layer on a vector set."""

    @property
    def reconstruction(self) -> Reconstruction:
        return Reconstruction(*self.on_vectors, self.sample.id, self.part)


@dataclass(frozen=True, kw_only=True)
class LayerValueSubject(ClaimSubject, LayerRunSubject):
    """A value that is claimed of a metric of the network up to a layer."""


@dataclass(frozen=True, kw_only=True)
class LayerStepSubject(DeltaSubject, LayerRunSubject):
    """A metric that a sample is judged by, on a layer and on the one before."""

    @property
    def reconstruction_before(self) -> Reconstruction:
        """The network up to the layer before is run."""
        return Reconstruction(*self.on_vectors, self.sample.id, self.part - 1)


def subjects(name: str, submission: Submission | None) -> Mapping[Over, tuple[Subject, ...]]:
    """Return the subjects of every kind, in the order of the metadata.

    ``name`` is the id of the submission and begins every subject's id. Without a valid
    ``submission`` only the metadata themselves are a subject.
    """
    listed: dict[Over, tuple[Subject, ...]] = {"submission": (Subject(name, name),)}
    return listed if submission is None else listed | Plan(name, submission).listed()


class Plan:
    """The subjects of one valid submission, of which ``name`` begins every id."""

    def __init__(self, name: str, submission: Submission) -> None:
        self._name = name
        self._submission = submission
        self.models = tuple(self._models())
        self.vectors = tuple(self._vectors())
        self.agreements = tuple(self._agreements())
        self.samples = tuple(self._samples())
        self.runs = tuple(self._runs())
        self.deltas = tuple(self._deltas())
        self.layers = tuple(layer for sample in self.samples for layer in _layers(sample))

    def listed(self) -> dict[Over, tuple[Subject, ...]]:
        """Return all subjects by what they are about."""
        measures = tuple(self._measures())
        named = _named_vectors(self._submission)
        filled = {s.model.id for s in self.samples if not is_network(s.sample)}
        streams = (s for s in self.samples if CODECS.kind(s.sample.codec) == "bitstream")
        layer_runs = tuple(self._layer_runs())
        sizes = cumulative_sizes(self._submission)
        return {
            "model": self.models,
            "vectors": self.vectors,
            "agreement": self.agreements,
            "measure": measures,
            "controlled": tuple(each for each in measures if each.vectors.id in named),
            "replaced": tuple(each for each in self.models if each.model.id in filled),
            "declared_value": tuple(self._declared_values()),
            "sample": self.samples,
            "stream": tuple(streams),
            "lossless": tuple(each for each in self.samples if each.sample.lossless),
            "unretrained": tuple(s for s in self.samples if _is_like_original(s.sample)),
            "run": self.runs,
            "direct_run": tuple(run for run in self.runs if is_network(run.sample)),
            "claim": tuple(self._claims()),
            "delta": self.deltas,
            "improvement": tuple(d for d in self.deltas if not d.sample.method.retraining),
            "noise": tuple(self.noisy()),
            "update": tuple(each for sample in self.samples for each in _updates(sample)),
            "merge": tuple(each for each in self.samples if each.sample.merge_of),
            "derived": tuple(
                each.narrowed(DerivedSubject, leading_bytes=sizes[each.sample.id])
                for each in self.samples
                if each.sample.is_derived
            ),
            "equal": tuple(self._equal()),
            "misapplication": tuple(self._misapplied()),
            "access": tuple(each for sample in self.samples for each in _accesses(sample)),
            "layered": tuple(each for each in self.samples if each.sample.layers),
            "layer": self.layers,
            "layer_run": layer_runs,
            "layer_value": tuple(self._layer_values()),
            "layer_step": tuple(self._layer_steps()),
            "computed": tuple(self._computed(layer_runs)),
        }

    def _computed(self, layer_runs: Iterable[LayerRunSubject]) -> Iterator[VectorsSubject]:
        """Yield every run of an original, a sample or a layer.

        A sample may have the id of its original, which then says so: no two subjects of a check
        have one id.
        """
        runs = (*self.runs, *layer_runs)
        taken = {run.id for run in runs}
        for each in self.vectors:
            yield replace(each, id=f"{each.id}/original") if each.id in taken else each
        yield from runs

    def _models(self) -> Iterator[ModelSubject]:
        for index, model in enumerate(self._submission.models):
            yield ModelSubject(
                f"{self._name}/{model.id}",
                self._name,
                f"/models/{index}",
                submission=self._submission,
                model=model,
            )

    def _vectors(self) -> Iterator[VectorsSubject]:
        for index, vectors in enumerate(self._submission.vectors):
            yield VectorsSubject(
                f"{self._name}/{vectors.model}@{vectors.id}",
                self._name,
                f"/vectors/{index}",
                submission=self._submission,
                model=self._submission.model(vectors.model),
                vectors=vectors,
            )

    def _agreements(self) -> Iterator[AgreementSubject]:
        """Yield every vector set that equals another."""
        by_id = {each.vectors.id: each for each in self.vectors}
        for each in self.vectors:
            equal = each.vectors.equivalent_to
            if equal is not None:
                pointer, other = f"{each.pointer}/equivalent_to", by_id[equal.vectors]
                yield each.narrowed(AgreementSubject, pointer=pointer, other=other)

    def noisy(self) -> Iterator[NoiseSubject]:
        """Yield every judged metric of a network that is measured in several formats."""
        submission = self._submission
        by_id = {each.vectors.id: each for each in (*self.vectors, *self.agreements)}
        used = {
            vectors.id: {
                m.id for m in submission.metrics_on(vectors.id, submission.model(vectors.model))
            }
            for vectors in submission.vectors
        }
        groups: dict[str, tuple[str, ...]] = {}
        for each in self.deltas:
            if each.vectors.id not in groups:
                group = formats_of(each.vectors.id, submission)
                groups |= dict.fromkeys(group, group)
            names = groups[each.vectors.id]
            measured = tuple(by_id[name] for name in names if each.metric.id in used[name])
            if len(measured) > 1:
                yield each.narrowed(NoiseSubject, formats=measured)

    def _measures(self) -> Iterator[MeasureSubject]:
        submission = self._submission
        positions = {metric.id: index for index, metric in enumerate(submission.metrics)}
        for each in self.vectors:
            for metric in submission.metrics_on(each.vectors.id, each.model):
                yield each.narrowed(
                    MeasureSubject,
                    id=f"{each.id}/{metric.id}",
                    pointer=f"/metrics/{positions[metric.id]}",
                    metric=metric,
                    tolerances=_tolerances(submission, each.vectors.id, metric),
                )

    def _on(self, value: MetricValue | MetricUse) -> dict[str, Any]:
        """Return the fields that say which metric is meant, and on which vectors."""
        return {
            "vectors": self._submission.vector_set(value.vectors),
            "metric": self._submission.metric(value.metric),
        }

    def _declared_values(self) -> Iterator[DeclaredValueSubject]:
        for each in self.models:
            for index, value, label in _named(each.model.metric_values):
                yield each.narrowed(
                    DeclaredValueSubject,
                    id=f"{each.id}/{label}",
                    pointer=f"{each.pointer}/metric_values/{index}",
                    declared=value,
                    **self._on(value),
                )

    def _samples(self) -> Iterator[SampleSubject]:
        for index, sample in enumerate(self._submission.samples):
            yield SampleSubject(
                f"{self._name}/{sample.id}",
                self._name,
                f"/samples/{index}",
                submission=self._submission,
                model=self._submission.model(sample.model),
                sample=sample,
            )

    def _runs(self) -> Iterator[RunSubject]:
        for each in self.samples:
            for name in vectors_of(each.sample):
                vectors = self._submission.vector_set(name)
                yield each.narrowed(RunSubject, id=f"{each.id}@{name}", vectors=vectors)

    def _claims(self) -> Iterator[ClaimSubject]:
        for each in self.samples:
            for index, value, label in _named(each.sample.claims.metric_values):
                yield each.narrowed(
                    ClaimSubject,
                    id=f"{each.id}/{label}",
                    pointer=f"{each.pointer}/claims/metric_values/{index}",
                    declared=value,
                    **self._on(value),
                )

    def _deltas(self) -> Iterator[DeltaSubject]:
        for each in self.samples:
            for index, use, label in _named(each.sample.metrics):
                yield each.narrowed(
                    DeltaSubject,
                    id=f"{each.id}/{label}",
                    pointer=f"{each.pointer}/metrics/{index}",
                    use=use,
                    **self._on(use),
                )

    def _equal(self) -> Iterator[EqualSubject]:
        by_id = {each.sample.id: each for each in self.samples}
        for each in self.samples:
            if each.sample.same_tensors_as is not None:
                yield each.narrowed(EqualSubject, other=by_id[each.sample.same_tensors_as])

    def _misapplied(self) -> Iterator[MisappliedSubject]:
        by_id = {each.sample.id: each for each in self.samples}
        for misapplication in misapplications(self._submission):
            each = by_id[misapplication.sample]
            number = f"-{misapplication.part + 1}" if len(each.sample.parts) > 1 else ""
            own = f"{each.id}/{misapplication.kind}{number}"
            yield each.narrowed(MisappliedSubject, id=own, misapplication=misapplication)

    def _layer_runs(self) -> Iterator[LayerRunSubject]:
        for each in self.layers:
            used = [use.vectors for use in each.sample.metrics]
            used += [value.vectors for value in each.layer.claims.metric_values]
            for name in dict.fromkeys(used):
                vectors = self._submission.vector_set(name)
                yield each.narrowed(LayerRunSubject, id=f"{each.id}@{name}", vectors=vectors)

    def _layer_values(self) -> Iterator[LayerValueSubject]:
        for each in self.layers:
            for index, value in enumerate(each.layer.claims.metric_values):
                yield each.narrowed(
                    LayerValueSubject,
                    id=f"{each.id}/{value.metric}@{value.vectors}",
                    pointer=f"{each.pointer}/claims/metric_values/{index}",
                    declared=value,
                    **self._on(value),
                )

    def _layer_steps(self) -> Iterator[LayerStepSubject]:
        """Yield, for each layer after the first, every metric that its sample is judged by."""
        for each in self.layers:
            for use in each.sample.metrics if each.part else ():
                own = f"{each.id}/{use.metric}@{use.vectors}"
                yield each.narrowed(LayerStepSubject, id=own, use=use, **self._on(use))


def formats_of(vectors: str, submission: Submission) -> tuple[str, ...]:
    """Return the ids of all vector sets that equal ``vectors``, by any way; itself included."""
    neighbours: dict[str, list[str]] = defaultdict(list)
    for each in submission.vectors:
        if each.equivalent_to is not None:
            neighbours[each.id].append(each.equivalent_to.vectors)
            neighbours[each.equivalent_to.vectors].append(each.id)
    group, waiting = {vectors}, [vectors]
    while waiting:
        found = set(neighbours[waiting.pop()]) - group
        group |= found
        waiting += found
    return tuple(each.id for each in submission.vectors if each.id in group)


def job_in_format(metric: Metric, other: VectorsSubject) -> Original | Agreement:
    """Return the job that says what ``metric`` is worth in the format of ``other``.

    A metric that compares with the original's outputs says nothing on the original itself. It is
    measured between the outputs of a format and those of the format it is said to equal.
    """
    if metric.against == "original" and isinstance(other, AgreementSubject):
        return other.agreement
    return other.original


def _tolerances(submission: Submission, vectors: str, metric: Metric) -> tuple[Tolerance, ...]:
    """Return every tolerance by which some sample is judged with ``metric`` on ``vectors``.

    Where there is none it is the metric's own.
    """
    uses = (use for sample in submission.samples for use in sample.metrics)
    own = [u.tolerance for u in uses if (u.metric, u.vectors) == (metric.id, vectors)]
    return tuple(dict.fromkeys(own or [metric.tolerance]))


def _named_vectors(submission: Submission) -> set[str]:
    """Return the vector sets that some sample, or a layer of one, is judged or claimed on."""
    named: set[str] = set()
    for sample in submission.samples:
        named |= {use.vectors for use in sample.metrics}
        named |= {value.vectors for value in sample.claims.metric_values}
        named |= {v.vectors for layer in sample.layers for v in layer.claims.metric_values}
    return named


def _is_like_original(sample: Sample) -> bool:
    """Return whether the parameters of a sample should be like the original's.

    A network as a sample has names, types and layouts of its own: none of its tensors is known to
    stand for one of the original's.
    """
    return not (sample.lossless or sample.method.retraining or is_network(sample))


def vectors_of(sample: Sample) -> tuple[str, ...]:
    """Return the ids of the vector sets that a sample is run on."""
    used = (use.vectors for use in sample.metrics)
    claimed = (value.vectors for value in sample.claims.metric_values)
    return tuple(dict.fromkeys([*used, *claimed]))


def _named(items: tuple[Value, ...]) -> Iterator[tuple[int, Value, str]]:
    """Yield position, item and its metric's id, with ``@vectors`` where that is ambiguous."""
    count = Counter(item.metric for item in items)
    for index, item in enumerate(items):
        name = item.metric if count[item.metric] == 1 else f"{item.metric}@{item.vectors}"
        yield index, item, name


def _updates(subject: SampleSubject) -> Iterator[PartSubject]:
    """Yield each bitstream of an update; it is numbered where there are several."""
    if subject.sample.update_of is None:
        return
    several = len(subject.sample.parts) > 1
    for part in range(len(subject.sample.parts)):
        own = f"{subject.id}/file-{part + 1}" if several else subject.id
        yield subject.narrowed(PartSubject, id=own, part=part)


def _layers(subject: SampleSubject) -> Iterator[LayerSubject]:
    for place, layer in enumerate(subject.sample.layers):
        yield subject.narrowed(
            LayerSubject,
            id=f"{subject.id}/{layer.id}",
            pointer=f"{subject.pointer}/layers/{place}",
            layer=layer,
            part=place,
        )


def _accesses(subject: SampleSubject) -> Iterator[SampleSubject]:
    """Yield the sample, or each of its layers that has files of its own, if it claims access."""
    sample = subject.sample
    if sample.claims.random_access:
        apart = sample.layers and not any(part.units for part in sample.parts)
        yield from _layers(subject) if apart else (subject,)
