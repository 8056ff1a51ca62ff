"""Mean intersection over union of segmentations."""

from __future__ import annotations

from conformance.metrics._protocol import About, Floats
from conformance.metrics.class_counts import COUNTS, INPUTS, ClassCounts, share


class MeanIou(ClassCounts):
    """The mean intersection over union of the classes of a segmentation."""

    kind = "mean-iou"
    about = About(
        summary="Mean over the classes that occur of tp / (tp + fp + fn), where pixels are "
        "pooled over all items (the Jaccard index).",
        inputs=INPUTS,
        unit="share",
        range="0 to 1",
        better="higher",
        statistics=COUNTS,
        library="NumPy",
    )

    def per_class(self, tp: Floats, fp: Floats, fn: Floats) -> Floats:
        """Return tp / (tp + fp + fn)."""
        return share(tp, tp + fp + fn)
