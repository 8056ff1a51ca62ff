"""Trees of updates in a report: what each step costs in bytes, what it is worth, what is detected.

A tree is all updates and merges that go back to one sample, or to the original of one model.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

from conformance.judging.grouped import Grouped
from conformance.report.build import worst
from conformance.report.layered import METRIC_FIELDS
from conformance.report.measurements import Measurements
from conformance.submission.update_graph import cumulative_sizes, parents, roots, rounds
from conformance.submission.values import Sample, Submission
from conformance.verdicts import Json, Verdict

Kind = Literal["base", "update", "merge"]


def updates_block(
    submission: Submission, measured: Measurements, grouped: Grouped
) -> list[dict[str, Json]]:
    """Return one entry for each tree, in the order in which the metadata first name one of it.

    Steps stand by round, those of one round in the order of the metadata.
    """
    trees = _trees(submission)
    if not trees:
        return []
    round_of, sizes = rounds(submission), cumulative_sizes(submission)
    return [
        {
            "model": model,
            "root": root,
            "steps": [
                _step(sample, round_of[sample.id], sizes[sample.id], measured, grouped)
                for sample in sorted(samples, key=lambda sample: round_of[sample.id])
            ],
            "misapplications": _misapplications(samples, grouped),
        }
        for (model, root), samples in trees.items()
    ]


def kind_of(sample: Sample) -> Kind:
    """Return what a sample is in its tree."""
    if sample.merge_of:
        return "merge"
    return "base" if sample.update_of is None else "update"


def _trees(submission: Submission) -> Mapping[tuple[str, str | None], list[Sample]]:
    """Return the samples of each tree by its model and root; one without updates is not a tree."""
    root_of = roots(submission)
    found: dict[tuple[str, str | None], list[Sample]] = defaultdict(list)
    for sample in submission.samples:
        found[sample.model, root_of[sample.id]].append(sample)
    return {
        key: samples
        for key, samples in found.items()
        if any(sample.is_derived for sample in samples)
    }


def _step(
    sample: Sample, number: int, cumulative: int, measured: Measurements, grouped: Grouped
) -> dict[str, Json]:
    return {
        "sample": sample.id,
        "kind": kind_of(sample),
        "round": number,
        "parents": list(parents(sample)),
        "size": sample.size,
        "cumulative_size": cumulative,
        "verdict": worst(grouped.required_verdicts(sample.id) or [Verdict.NOT_RUN]).value,
        "metrics": [{name: row[name] for name in METRIC_FIELDS} for row in measured.judged(sample)],
    }


def _misapplications(samples: Iterable[Sample], grouped: Grouped) -> dict[str, int]:
    """Count the misapplied updates of a tree; those neither seen nor missed are only planned."""
    seen = Counter(verdict for sample in samples for verdict in grouped.misapplications(sample.id))
    return {
        "planned": seen.total(),
        "detected": seen[Verdict.PASS],
        "undetected": seen[Verdict.FAIL],
    }
