"""The plan: every subject that the suites check, listed from a submission's metadata alone."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from conformance.checks import Over
from conformance.evaluation.case import Case, Kind
from conformance.evaluation.chain_plan import chain_subjects
from conformance.evaluation.mutations import Mutation
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

    def among(self, target: str) -> Subject:
        """Return the same subject of a run in which its submission is called ``target``."""
        return replace(self, target=target, others=tuple(o.among(target) for o in self.others))

    def case(self, kind: Kind) -> Case:
        """Return the case of this kind that holds evidence about the subject."""
        if self.model is None:
            raise ValueError(f"{self.id} is not about a network")
        if kind in ("state", "layering", "mutation"):
            return self._case_of_parts(kind, self.model)
        other = self.others[0] if kind == "agreement" else None
        return Case(
            kind,
            self.model.id,
            sample=self.sample.id if self.sample and kind in _OF_SAMPLES else None,
            vectors=self.vectors.id if self.vectors and kind in _ON_VECTORS else None,
            other_model=other.model.id if other and other.model else None,
            other_vectors=other.vectors.id if other and other.vectors else None,
            part=self.part if kind in ("reconstruction", "access") else None,
        )

    def _case_of_parts(self, kind: Kind, model: Model) -> Case:
        """Return the case of a state (the last one, without a part), of layers, of a wrong turn."""
        if self.sample is None:
            raise ValueError(f"{self.id} is not about a sample")
        mutation = self.mutation
        if kind == "mutation" and mutation is not None:
            return Case(
                kind,
                model.id,
                sample=self.sample.id,
                part=mutation.part,
                mutation=mutation.kind,
                start=mutation.start,
                steps=mutation.steps,
                instead_of=mutation.instead_of,
            )
        if kind == "layering":
            return Case(kind, model.id, sample=self.sample.id)
        last = len(self.sample.parts) - 1
        return Case(
            kind, model.id, sample=self.sample.id, part=last if self.part is None else self.part
        )


BITSTREAM_CODECS = frozenset({"nnc"})
"""Codecs whose samples are bitstreams with rules that decoding alone does not enforce."""

MODEL_CODECS = frozenset({"onnx", "tflite"})
"""Codecs whose samples are networks that run as they are."""

_NO_LABEL = re.compile(r"[^!-Z^-~]")
_ON_VECTORS = ("original", "control", "agreement", "reconstruction", "compressed-run")
_OF_SAMPLES = ("decode", "reconstruction", "compressed-run", "access")


def subjects(name: str, submission: Submission | None) -> Mapping[Over, tuple[Subject, ...]]:
    """Return the subjects of every kind, in the order of the metadata.

    ``name`` is the id of the submission and begins every subject's id. Without a valid
    ``submission`` only the metadata themselves are a subject.
    """
    listed: dict[Over, tuple[Subject, ...]] = {"submission": (Subject(name, name),)}
    if submission is None:
        return listed
    listed["model"] = tuple(_models(name, submission))
    listed["vectors"] = tuple(_vectors(name, submission))
    listed["agreement"] = tuple(_agreements(name, submission))
    listed["measure"] = tuple(_measures(name, submission))
    named = _named_vectors(submission)
    listed["controlled"] = tuple(
        s for s in listed["measure"] if s.vectors and s.vectors.id in named
    )
    listed["replaced"] = tuple(_replaced(name, submission))
    listed["declared_value"] = tuple(_declared_values(name, submission))
    samples = list(_samples(name, submission))
    listed["sample"] = tuple(subject for subject, _ in samples)
    listed["stream"] = tuple(s for s, sample in samples if sample.codec in BITSTREAM_CODECS)
    listed["lossless"] = tuple(subject for subject, sample in samples if sample.lossless)
    listed["unretrained"] = tuple(s for s, sample in samples if _is_like_original(sample))
    listed["run"] = tuple(_runs(name, submission))
    listed["direct_run"] = tuple(
        run for run in listed["run"] if run.sample and run.sample.codec in MODEL_CODECS
    )
    listed["claim"] = tuple(_claims(name, submission))
    listed["delta"] = tuple(_deltas(name, submission))
    listed["improvement"] = tuple(
        s for s in listed["delta"] if s.sample and not s.sample.method.retraining
    )
    listed["noise"] = tuple(_noisy(listed["delta"], name, submission))
    listed |= chain_subjects(listed["sample"], submission)
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


def _models(name: str, submission: Submission) -> Iterator[Subject]:
    for index, model in enumerate(submission.models):
        yield Subject(f"{name}/{model.id}", name, f"/models/{index}", model=model)


def _replaced(name: str, submission: Submission) -> Iterator[Subject]:
    """Yield every model that the tensors of some sample are put into."""
    filled = {s.model for s in submission.samples if s.codec not in MODEL_CODECS}
    yield from (
        each for each in _models(name, submission) if each.model and each.model.id in filled
    )


def _vectors(name: str, submission: Submission) -> Iterator[Subject]:
    for index, vectors in enumerate(submission.vectors):
        model = submission.model(vectors.model)
        own = f"{name}/{model.id}@{vectors.id}"
        yield Subject(own, name, f"/vectors/{index}", model=model, vectors=vectors)


def _agreements(name: str, submission: Submission) -> Iterator[Subject]:
    """Yield every vector set that equals another, which is the first of its ``others``."""
    by_id = {s.vectors.id: s for s in _vectors(name, submission) if s.vectors is not None}
    for subject in by_id.values():
        equal = subject.vectors.equivalent_to if subject.vectors else None
        if equal is not None:
            others = (by_id[equal.vectors],)
            yield replace(subject, pointer=f"{subject.pointer}/equivalent_to", others=others)


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


def _noisy(deltas: Iterable[Subject], name: str, submission: Submission) -> Iterator[Subject]:
    """Yield every judged metric of a network that is measured in several formats.

    Its ``others`` are the vector sets of all formats, with what they are said to equal.
    """
    listed = (*_vectors(name, submission), *_agreements(name, submission))
    by_id = {s.vectors.id: s for s in listed if s.vectors is not None}
    used = {
        vectors.id: {
            m.id for m in submission.metrics_on(vectors.id, submission.model(vectors.model))
        }
        for vectors in submission.vectors
    }
    groups: dict[str, tuple[str, ...]] = {}
    for subject in deltas:
        if subject.vectors is None or subject.use is None:
            continue
        if subject.vectors.id not in groups:
            group = formats_of(subject.vectors.id, submission)
            groups |= dict.fromkeys(group, group)
        metric = subject.use.metric
        measured = tuple(by_id[v] for v in groups[subject.vectors.id] if metric in used[v])
        if len(measured) > 1:
            yield replace(subject, others=measured)


def _measures(name: str, submission: Submission) -> Iterator[Subject]:
    positions = {metric.id: index for index, metric in enumerate(submission.metrics)}
    for subject in _vectors(name, submission):
        if subject.model is None or subject.vectors is None:
            continue
        for metric in submission.metrics_on(subject.vectors.id, subject.model):
            yield replace(
                subject,
                id=f"{subject.id}/{metric.id}",
                pointer=f"/metrics/{positions[metric.id]}",
                metric=metric,
                tolerances=_tolerances(submission, subject.vectors.id, metric),
            )


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


def _declared_values(name: str, submission: Submission) -> Iterator[Subject]:
    for subject in _models(name, submission):
        values = subject.model.metric_values if subject.model else ()
        for index, value, label in _named(values):
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
    return not (sample.lossless or sample.method.retraining or sample.codec in MODEL_CODECS)


def _runs(name: str, submission: Submission) -> Iterator[Subject]:
    for subject, sample in _samples(name, submission):
        used = [use.vectors for use in sample.metrics]
        claimed = [value.vectors for value in sample.claims.metric_values]
        for vectors in dict.fromkeys([*used, *claimed]):
            yield replace(
                subject, id=f"{subject.id}@{vectors}", vectors=submission.vector_set(vectors)
            )


def _claims(name: str, submission: Submission) -> Iterator[Subject]:
    for subject, sample in _samples(name, submission):
        for index, value, label in _named(sample.claims.metric_values):
            yield replace(
                subject,
                id=f"{subject.id}/{label}",
                pointer=f"{subject.pointer}/claims/metric_values/{index}",
                vectors=submission.vector_set(value.vectors),
                declared=value,
            )


def _deltas(name: str, submission: Submission) -> Iterator[Subject]:
    for subject, sample in _samples(name, submission):
        for index, use, label in _named(sample.metrics):
            yield replace(
                subject,
                id=f"{subject.id}/{label}",
                pointer=f"{subject.pointer}/metrics/{index}",
                vectors=submission.vector_set(use.vectors),
                use=use,
            )


def _named(items: tuple[Value, ...]) -> Iterator[tuple[int, Value, str]]:
    """Yield position, item and its metric's id, with ``@vectors`` where that is ambiguous."""
    count = Counter(item.metric for item in items)
    for index, item in enumerate(items):
        name = item.metric if count[item.metric] == 1 else f"{item.metric}@{item.vectors}"
        yield index, item, name
