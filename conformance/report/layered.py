"""The layers of scalable samples in a report: what each adds in bytes, and what it is worth."""

from __future__ import annotations

from conformance.report.measurements import Measurements
from conformance.submission.values import Submission
from conformance.verdicts import Json

METRIC_FIELDS = ("metric", "vectors", "direction", "reference", "value")
"""What the tables of layers and of updates say of a metric."""


def layered_block(submission: Submission, measured: Measurements) -> list[dict[str, Json]]:
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
                        for row in measured.layer_rows(sample, layer)
                    ],
                }
                for layer, sizes in measured.layer_sizes(sample)
            ],
        }
        for sample in submission.samples
        if sample.layers
    ]
