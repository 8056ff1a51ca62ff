"""The layers of scalable samples in a report: what each adds in bytes, and what it is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from conformance.judging.grouped import Grouped
from conformance.submission.values import Layer, Sample, Submission
from conformance.verdicts import Json

METRIC_FIELDS = ("metric", "vectors", "direction", "reference", "value")
"""What the tables of layers and of updates say of a metric."""


@dataclass(frozen=True, slots=True)
class LayerSizes:
    """Bytes of one layer, and of all layers up to it; None where nothing measured them."""

    size: int | None
    cumulative: int | None


def layered_block(submission: Submission, grouped: Grouped) -> list[dict[str, Json]]:
    """Return one entry for each sample of layers, in the order of the metadata."""
    return [
        {
            "sample": sample.id,
            "model": sample.model,
            "layers": [
                {
                    "id": layer.id,
                    "mode": layer.mode,
                    "size": sizes.size,
                    "cumulative_size": sizes.cumulative,
                    "metrics": [
                        {name: row[name] for name in METRIC_FIELDS}
                        for row in layer_rows(sample, layer, grouped)
                    ],
                }
                for layer, sizes in layer_sizes(sample, grouped)
            ],
        }
        for sample in submission.samples
        if sample.layers
    ]


def layer_rows(sample: Sample, layer: Layer, grouped: Grouped) -> list[Mapping[str, Json]]:
    """Return what was measured on the network that ``layer`` and those before it give.

    The last layer gives the whole sample: what only the sample was measured by is true of it too.
    """
    rows: dict[tuple[str, str], Mapping[str, Json]] = {}
    if layer.id == sample.layers[-1].id:
        for row in grouped.evidence("METRIC-DELTA-001", sample.id):
            rows[row["metric"], row["vectors"]] = row
    for row in grouped.evidence("LAYER-METRIC-001", sample.id):
        if row.get("layer") == layer.id and "value" in row:
            rows[row["metric"], row["vectors"]] = row
    return list(rows.values())


def layer_sizes(sample: Sample, grouped: Grouped) -> Iterator[tuple[Layer, LayerSizes]]:
    """Yield each layer with its sizes: as measured, else those of its files.

    Layers of units share a file, so that only LAYER-SIZE-001 knows their sizes.
    """
    measured = {row.get("layer"): row for row in grouped.evidence("LAYER-SIZE-001", sample.id)}
    total: int | None = 0
    for layer in sample.layers:
        row = measured.get(layer.id, {})
        size = row.get("size")
        if size is None and not layer.part.units:
            size = sum(file.size for file in layer.part.files)
        total = None if total is None or size is None else total + size
        yield layer, LayerSizes(size, row.get("cumulative_size", total))
