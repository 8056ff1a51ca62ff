"""The operating points of a model, by metric and vectors, from what its samples were found to be.

A sample is one point, a scalable one a point for each layer. An update or a merge is not a point:
it is nothing without what it builds on. What has no finite value, or no bytes, is not a point
either.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from conformance.judging.grouped import Grouped
from conformance.judging.sizes import parameter_factor
from conformance.report.dominance import Direction, Point, gain
from conformance.report.measurements import Key, Measurements, Row
from conformance.submission.values import Model, Sample, Submission
from conformance.verdicts import Json


@dataclass(slots=True)
class Curve:
    """All points of one model by one metric on one set of vectors; None is what nobody measured."""

    model: str
    metric: str
    vectors: str
    direction: Direction
    reference: float
    noise_floor: float | None
    points: list[Point] = field(default_factory=list)


def curves(submission: Submission, measured: Measurements, grouped: Grouped) -> list[Curve]:
    """Return the curves of every model with their points, which stand by family, then by size."""
    found = []
    for model in submission.models:
        samples = [s for s in submission.samples if s.model == model.id and not s.is_derived]
        of_model: dict[Key, Curve] = {}
        used = measured.used_parameter_bytes(model.id)
        for sample in samples:
            for layer, size, row in _measured(sample, measured):
                point = _point(model, sample, layer, size, row, used)
                if point is not None:
                    curve = of_model.setdefault(_key(row), _curve(model, row))
                    curve.points.append(point)
        _add_lossless(model, samples, of_model, grouped, used)
        floors = _noise_floors(samples, measured)
        for key, curve in of_model.items():
            curve.noise_floor = floors.get(key)
            curve.points.sort(key=lambda p: (p.family, p.size, p.loss, p.label))
        found += [of_model[key] for key in sorted(of_model)]
    return found


def _measured(
    sample: Sample, measured: Measurements
) -> Iterator[tuple[str | None, int | None, Row]]:
    """Yield what was measured: the layer's id (None: of the whole), bytes, the metric's row."""
    if not sample.layers:
        for judged in measured.judged(sample):
            yield None, sample.size, judged
    for layer, sizes in measured.layer_sizes(sample):
        for row in measured.layer_rows(sample, layer):
            yield layer.id, sizes.cumulative, row


def _point(
    model: Model, sample: Sample, layer: str | None, size: int | None, row: Row, used: int | None
) -> Point | None:
    value, reference = row["value"], row["reference"]
    if not size or not _is_finite(value) or not _is_finite(reference):
        return None
    # The judged loss, if there is one; 0.0 is added because no loss is -0.
    loss = row.get("loss", gain(reference - value, row["direction"]) + 0.0)
    if not _is_finite(loss):
        return None
    factor = _factor(used, model, size)
    return Point(sample.id, layer, sample.family, size, factor, float(value), loss)


def _factor(used: int | None, model: Model, size: int) -> float | None:
    return None if used is None else parameter_factor(used, model, size)


def _is_finite(number: Json) -> TypeGuard[float]:
    """Whether it is a number: one that is not finite is a string."""
    return isinstance(number, int | float) and math.isfinite(number)


def _curve(model: Model, row: Row) -> Curve:
    direction: Direction = row["direction"]
    return Curve(model.id, row["metric"], row["vectors"], direction, float(row["reference"]), None)


def _add_lossless(
    model: Model,
    samples: Sequence[Sample],
    of_model: Mapping[Key, Curve],
    grouped: Grouped,
    used: int | None,
) -> None:
    """Add samples that no metric judges, because their tensors are the original's, to each curve.

    That they are must have been proven. Their value is the original's.
    """
    for sample in samples:
        exact = grouped.is_proven_lossless(sample.id)
        if not exact or sample.metrics or sample.layers or not sample.size:
            continue
        factor = _factor(used, model, sample.size)
        for curve in of_model.values():
            value = curve.reference
            curve.points.append(
                Point(sample.id, None, sample.family, sample.size, factor, value, 0.0)
            )


def _noise_floors(samples: Sequence[Sample], measured: Measurements) -> Mapping[Key, float]:
    """Return the noise floors that are known; one metric has the same for all samples."""
    floors: dict[Key, float] = {}
    for sample in samples:
        for key, floor in measured.noise_floors(sample).items():
            if math.isfinite(floor):
                floors.setdefault(key, floor)
    return floors


def _key(row: Row) -> Key:
    return row["metric"], row["vectors"]
