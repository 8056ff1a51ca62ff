"""The plan: every subject that the suites check, listed from a submission's metadata alone."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from conformance.checks import Over
from conformance.plan.jobs import (
    Access,
    Agreement,
    Control,
    Decode,
    DecodeLayers,
    DecodeState,
    Job,
    Kind,
    Misapply,
    OpenModel,
    Original,
    Reconstruction,
    TimeSample,
    is_network,
    last_step,
)
from conformance.plan.misapplications import Mutation, mutations
from conformance.registry import CODECS
from conformance.submission.update_graph import cumulative_sizes
from conformance.submission.values import (
    Metric,
    MetricUse,
    MetricValue,
    Model,
    Sample,
    Submission,
    Tolerance,
    VectorSet,
)
from conformance.verdicts import Json

Value = TypeVar("Value", MetricValue, MetricUse)


@dataclass(frozen=True, slots=True)
class Subject:
    """What one check is about. ``id`` is its stable name: ``digits-cnn/int8-qdq/top1``.

    The id depends on the submission alone; ``target`` names the submission among those of the run,
    of which several may have one id. ``pointer`` is the place in
    ``submission.json`` that speaks of the subject. Of the others, only what the kind of subject
    needs is set. ``others`` are the same network and vectors in other formats.
    """

    id: str
    target: str
    pointer: str = ""
    model: Model | None = None
    sample: Sample | None = None
    vectors: VectorSet | None = None
    metric: Metric | None = None
    tolerances: tuple[Tolerance, ...] = ()
    declared: MetricValue | None = None
    use: MetricUse | None = None
    others: tuple[Subject, ...] = ()
    layer: str | None = None
    part: int | None = None
    mutation: Mutation | None = None
    leading_bytes: int = 0

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
        named = self.metric.id if self.metric else None
        value = self.use or self.declared
        part = self.part if self.mutation is None else self.mutation.part
        ids = {
            "model": self.model.id if self.model else None,
            "sample": self.sample.id if self.sample else None,
            "vectors": self.vectors.id if self.vectors else None,
            "metric": named if value is None else value.metric,
            "layer": self.layer,
            "part": part,
            "misapplication": self.mutation.kind if self.mutation else None,
        }
        return {name: each for name, each in ids.items() if each is not None}

    @property
    def alone(self) -> Subject:
        """The same subject of a run over its submission alone, which is called by its own id."""
        return self.among(self.id.partition("/")[0])

    def among(self, target: str) -> Subject:
        """Return the same subject of a run in which its submission is called ``target``."""
        return replace(self, target=target, others=tuple(o.among(target) for o in self.others))


_NO_LABEL = re.compile(r"[^!-Z^-~]")


def job_of(kind: Kind, subject: Subject, submission: Submission) -> Job:
    """Return the job of a kind that holds evidence about a subject."""
    if subject.model is None:
        raise ValueError(f"{subject.id} is not about a network")
    model = subject.model.id
    if kind == "model":
        return OpenModel(submission, model)
    if kind in ("original", "control", "agreement", "reconstruction", "compressed-run"):
        return _on_vectors(kind, subject, submission, model)
    if subject.sample is None:
        raise ValueError(f"{subject.id} is not about a sample")
    sample, mutation = subject.sample, subject.mutation
    if kind == "mutation" and mutation is not None:
        return Misapply(
            submission,
            sample.id,
            mutation.part,
            mutation.kind,
            mutation.start,
            mutation.steps,
            mutation.instead_of,
        )
    if kind == "state":
        part = last_step(sample)[1] if subject.part is None else subject.part
        return DecodeState(submission, sample.id, part)
    if kind == "access":
        return Access(submission, sample.id, subject.part)
    return (DecodeLayers if kind == "layering" else Decode)(submission, sample.id)


def _on_vectors(kind: Kind, subject: Subject, submission: Submission, model: str) -> Job:
    if subject.vectors is None:
        raise ValueError(f"{subject.id} is about no vectors")
    where = submission, model, subject.vectors.id
    if kind == "original":
        return Original(*where)
    if kind == "control":
        return Control(*where)
    if kind == "agreement":
        (other,) = subject.others
        if other.model is None or other.vectors is None:
            raise ValueError(f"{other.id} is about no vectors")
        return Agreement(*where, other.model.id, other.vectors.id)
    if subject.sample is None:
        raise ValueError(f"{subject.id} is not about a sample")
    if kind == "reconstruction":
        return Reconstruction(*where, subject.sample.id, subject.part)
    return TimeSample(*where, subject.sample.id)


def subjects(name: str, submission: Submission | None) -> Mapping[Over, tuple[Subject, ...]]:
    """Return the subjects of every kind, in the order of the metadata.

    ``name`` is the id of the submission and begins every subject's id. Without a valid
    ``submission`` only the metadata themselves are a subject.
    """
    listed: dict[Over, tuple[Subject, ...]] = {"submission": (Subject(name, name),)}
    if submission is None:
        return listed
    models, vectors = list(_models(name, submission)), list(_vectors(name, submission))
    samples = list(_samples(name, submission))
    listed["model"] = tuple(subject for subject, _ in models)
    listed["vectors"] = tuple(subject for subject, _ in vectors)
    listed["agreement"] = tuple(subject for subject, _ in _agreements(vectors))
    measures = list(_measures(vectors, submission))
    named = _named_vectors(submission)
    listed["measure"] = tuple(subject for subject, _ in measures)
    listed["controlled"] = tuple(subject for subject, on in measures if on.id in named)
    filled = {sample.model for _, sample in samples if not is_network(sample)}
    listed["replaced"] = tuple(subject for subject, model in models if model.id in filled)
    listed["declared_value"] = tuple(_declared_values(models, submission))
    listed["sample"] = tuple(subject for subject, _ in samples)
    listed["stream"] = tuple(s for s, sample in samples if CODECS.kind(sample.codec) == "bitstream")
    listed["lossless"] = tuple(subject for subject, sample in samples if sample.lossless)
    listed["unretrained"] = tuple(s for s, sample in samples if _is_like_original(sample))
    runs = list(_runs(samples, submission))
    listed["run"] = tuple(run for run, _ in runs)
    listed["direct_run"] = tuple(run for run, sample in runs if is_network(sample))
    listed["claim"] = tuple(_claims(samples, submission))
    deltas = list(_deltas(samples, submission))
    listed["delta"] = tuple(subject for subject, _, _ in deltas)
    listed["improvement"] = tuple(s for s, sample, _ in deltas if not sample.method.retraining)
    listed["noise"] = tuple(_noisy(deltas, vectors, submission))
    listed |= _chain_subjects(samples, submission)
    listed["computed"] = tuple(_computed(listed))
    return listed


def _computed(listed: Mapping[Over, tuple[Subject, ...]]) -> Iterator[Subject]:
    """Yield every run of an original, a sample or a layer.

    A sample may have the id of its original, which then says so: no two subjects of a check have
    one id.
    """
    runs = (*listed["run"], *listed["layer_run"])
    taken = {run.id for run in runs}
    for subject in listed["vectors"]:
        yield replace(subject, id=f"{subject.id}/original") if subject.id in taken else subject
    yield from runs


def _models(name: str, submission: Submission) -> Iterator[tuple[Subject, Model]]:
    for index, model in enumerate(submission.models):
        yield Subject(f"{name}/{model.id}", name, f"/models/{index}", model=model), model


def _vectors(name: str, submission: Submission) -> Iterator[tuple[Subject, VectorSet]]:
    for index, vectors in enumerate(submission.vectors):
        model = submission.model(vectors.model)
        own = f"{name}/{model.id}@{vectors.id}"
        yield Subject(own, name, f"/vectors/{index}", model=model, vectors=vectors), vectors


def _agreements(
    listed: Sequence[tuple[Subject, VectorSet]],
) -> Iterator[tuple[Subject, VectorSet]]:
    """Yield every vector set that equals another, which is the only one of its ``others``."""
    by_id = {vectors.id: subject for subject, vectors in listed}
    for subject, vectors in listed:
        if vectors.equivalent_to is not None:
            others = (by_id[vectors.equivalent_to.vectors],)
            pointer = f"{subject.pointer}/equivalent_to"
            yield replace(subject, pointer=pointer, others=others), vectors


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


def kind_in_format(metric: Metric, other: Subject) -> Kind:
    """Return the kind of case that tells what ``metric`` is worth in the format of ``other``.

    A metric that compares with the original's outputs says nothing on the original itself. It is
    measured between the outputs of a format and those of the format it is said to equal.
    """
    return "agreement" if metric.against == "original" and other.others else "original"


def _noisy(
    deltas: Sequence[tuple[Subject, Sample, MetricUse]],
    listed: Sequence[tuple[Subject, VectorSet]],
    submission: Submission,
) -> Iterator[Subject]:
    """Yield every judged metric of a network that is measured in several formats.

    Its ``others`` are the vector sets of all formats, with what they are said to equal.
    """
    by_id = {vectors.id: subject for subject, vectors in (*listed, *_agreements(listed))}
    used = {
        vectors.id: {
            m.id for m in submission.metrics_on(vectors.id, submission.model(vectors.model))
        }
        for vectors in submission.vectors
    }
    groups: dict[str, tuple[str, ...]] = {}
    for subject, _, use in deltas:
        if use.vectors not in groups:
            group = formats_of(use.vectors, submission)
            groups |= dict.fromkeys(group, group)
        measured = tuple(by_id[v] for v in groups[use.vectors] if use.metric in used[v])
        if len(measured) > 1:
            yield replace(subject, others=measured)


def _measures(
    listed: Sequence[tuple[Subject, VectorSet]], submission: Submission
) -> Iterator[tuple[Subject, VectorSet]]:
    positions = {metric.id: index for index, metric in enumerate(submission.metrics)}
    for subject, vectors in listed:
        for metric in submission.metrics_on(vectors.id, submission.model(vectors.model)):
            own = replace(
                subject,
                id=f"{subject.id}/{metric.id}",
                pointer=f"/metrics/{positions[metric.id]}",
                metric=metric,
                tolerances=_tolerances(submission, vectors.id, metric),
            )
            yield own, vectors


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


def _declared_values(
    models: Sequence[tuple[Subject, Model]], submission: Submission
) -> Iterator[Subject]:
    for subject, model in models:
        for index, value, label in _named(model.metric_values):
            yield replace(
                subject,
                id=f"{subject.id}/{label}",
                pointer=f"{subject.pointer}/metric_values/{index}",
                vectors=submission.vector_set(value.vectors),
                declared=value,
            )


def _samples(name: str, submission: Submission) -> Iterator[tuple[Subject, Sample]]:
    for index, sample in enumerate(submission.samples):
        yield (
            Subject(
                f"{name}/{sample.id}",
                name,
                f"/samples/{index}",
                model=submission.model(sample.model),
                sample=sample,
            ),
            sample,
        )


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


def _runs(
    samples: Sequence[tuple[Subject, Sample]], submission: Submission
) -> Iterator[tuple[Subject, Sample]]:
    for subject, sample in samples:
        for vectors in vectors_of(sample):
            own = f"{subject.id}@{vectors}"
            yield replace(subject, id=own, vectors=submission.vector_set(vectors)), sample


def _claims(samples: Sequence[tuple[Subject, Sample]], submission: Submission) -> Iterator[Subject]:
    for subject, sample in samples:
        for index, value, label in _named(sample.claims.metric_values):
            yield replace(
                subject,
                id=f"{subject.id}/{label}",
                pointer=f"{subject.pointer}/claims/metric_values/{index}",
                vectors=submission.vector_set(value.vectors),
                declared=value,
            )


def _deltas(
    samples: Sequence[tuple[Subject, Sample]], submission: Submission
) -> Iterator[tuple[Subject, Sample, MetricUse]]:
    for subject, sample in samples:
        for index, use, label in _named(sample.metrics):
            own = replace(
                subject,
                id=f"{subject.id}/{label}",
                pointer=f"{subject.pointer}/metrics/{index}",
                vectors=submission.vector_set(use.vectors),
                use=use,
            )
            yield own, sample, use


def _named(items: tuple[Value, ...]) -> Iterator[tuple[int, Value, str]]:
    """Yield position, item and its metric's id, with ``@vectors`` where that is ambiguous."""
    count = Counter(item.metric for item in items)
    for index, item in enumerate(items):
        name = item.metric if count[item.metric] == 1 else f"{item.metric}@{item.vectors}"
        yield index, item, name


# --- Update chains and layers


def _chain_subjects(
    samples: Sequence[tuple[Subject, Sample]], submission: Submission
) -> Mapping[Over, tuple[Subject, ...]]:
    """Return the subjects that are about samples which build upon others, and about layers."""
    by_id = {sample.id: subject for subject, sample in samples}
    sizes = cumulative_sizes(submission)
    layers = [
        (layer, sample, place)
        for subject, sample in samples
        for place, layer in enumerate(_layers(subject, sample))
    ]
    return {
        "update": tuple(each for subject, sample in samples for each in _updates(subject, sample)),
        "merge": tuple(subject for subject, sample in samples if sample.merge_of),
        "derived": tuple(
            replace(subject, leading_bytes=sizes[sample.id])
            for subject, sample in samples
            if sample.is_derived
        ),
        "equal": tuple(
            replace(subject, others=(by_id[sample.same_tensors_as],))
            for subject, sample in samples
            if sample.same_tensors_as is not None
        ),
        "mutation": tuple(_mutations(by_id, submission)),
        "access": tuple(each for subject, sample in samples for each in _accesses(subject, sample)),
        "layered": tuple(subject for subject, sample in samples if sample.layers),
        "layer": tuple(layer for layer, _, _ in layers),
        "layer_run": tuple(each for layer in layers for each in _layer_runs(*layer, submission)),
        "layer_value": tuple(
            each for layer in layers for each in _layer_values(*layer, submission)
        ),
        "layer_step": tuple(each for layer in layers for each in _uses(*layer, submission)),
    }


def _updates(subject: Subject, sample: Sample) -> Iterator[Subject]:
    """Yield each bitstream of an update; it is numbered where there are several."""
    if sample.update_of is None:
        return
    several = len(sample.parts) > 1
    for part in range(len(sample.parts)):
        own = f"{subject.id}/file-{part + 1}" if several else subject.id
        yield replace(subject, id=own, part=part)


def _mutations(by_id: Mapping[str, Subject], submission: Submission) -> Iterator[Subject]:
    for mutation in mutations(submission):
        subject = by_id[mutation.sample]
        several = len(submission.sample(mutation.sample).parts) > 1
        number = f"-{mutation.part + 1}" if several else ""
        yield replace(subject, id=f"{subject.id}/{mutation.kind}{number}", mutation=mutation)


def _layers(subject: Subject, sample: Sample) -> Iterator[Subject]:
    for place, layer in enumerate(sample.layers):
        yield replace(
            subject,
            id=f"{subject.id}/{layer.id}",
            pointer=f"{subject.pointer}/layers/{place}",
            layer=layer.id,
            part=place,
        )


def _accesses(subject: Subject, sample: Sample) -> Iterator[Subject]:
    """Yield the sample, or each of its layers that has files of its own, if it claims access."""
    if sample.claims.random_access:
        apart = sample.layers and not any(part.units for part in sample.parts)
        yield from _layers(subject, sample) if apart else (subject,)


def _layer_runs(
    subject: Subject, sample: Sample, place: int, submission: Submission
) -> Iterator[Subject]:
    values = sample.layers[place].claims.metric_values
    used = [use.vectors for use in sample.metrics]
    for vectors in dict.fromkeys([*used, *(value.vectors for value in values)]):
        yield replace(subject, id=f"{subject.id}@{vectors}", vectors=submission.vector_set(vectors))


def _layer_values(
    subject: Subject, sample: Sample, place: int, submission: Submission
) -> Iterator[Subject]:
    for index, value in enumerate(sample.layers[place].claims.metric_values):
        yield replace(
            subject,
            id=f"{subject.id}/{value.metric}@{value.vectors}",
            pointer=f"{subject.pointer}/claims/metric_values/{index}",
            vectors=submission.vector_set(value.vectors),
            declared=value,
        )


def _uses(
    subject: Subject, sample: Sample, place: int, submission: Submission
) -> Iterator[Subject]:
    """Yield, for each layer after the first, every metric that its sample is judged by."""
    if not place:
        return
    for use in sample.metrics:
        vectors = submission.vector_set(use.vectors)
        yield replace(
            subject,
            id=f"{subject.id}/{use.metric}@{use.vectors}",
            vectors=vectors,
            use=use,
            others=(replace(subject, part=place - 1, vectors=vectors),),
        )
