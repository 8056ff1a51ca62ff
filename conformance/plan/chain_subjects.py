"""Subjects of update chains and layers: steps, layers, misapplied updates, what is claimed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.checks import Over
from conformance.plan.misapplications import mutations
from conformance.submission.update_graph import cumulative_sizes
from conformance.submission.values import Sample, Submission

if TYPE_CHECKING:
    from conformance.plan.subjects import Subject


def chain_subjects(
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
        "layer_value": tuple(each for layer in layers for each in _values(*layer, submission)),
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


def _values(
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
