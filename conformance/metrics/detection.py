"""Mean average precision of object detectors, as the COCO challenge computes it."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.metrics._arguments import Arg
from conformance.metrics._inputs import (
    as_float64,
    count_items,
    describe,
    is_integer,
    refuse,
    refuse_empty,
    refuse_non_finite,
)
from conformance.metrics._libraries import library
from conformance.metrics._protocol import About, Count, Floats, Measurement, Metric, Roles, Values
from conformance.verdicts import Json

PADDING = -1
"""The label of a row that holds no box."""

_COCO_THRESHOLDS = [twentieths / 20 for twentieths in range(10, 20)]
_NO_INTERVAL = "average precision ranks the boxes of all items together: it is not a sum over items"
_BOXES = Count("target boxes", 1, "boxes to be found")


class MeanAveragePrecision(Metric):
    """Mean average precision of boxes."""

    kind = "mean-average-precision"
    counts = (_BOXES,)
    roles = Roles(("boxes", "scores", "labels"), ("target_boxes", "target_labels"))
    arguments = (
        Arg(
            "iou_thresholds",
            "numbers",
            "Overlaps from which on a box counts as found; 0.5, 0.55, ... 0.95 if left out.",
            default=None,
            above=0,
            maximum=1,
        ),
        Arg(
            "box_format",
            "string",
            "Corners; corner, width and height; or centre, width and height.",
            default="xyxy",
            choices=("xyxy", "xywh", "cxcywh"),
        ),
        Arg("max_detections", "integer", "Boxes per item and class that count.", 100, 1),
    )
    about = About(
        summary="Mean over classes and overlap thresholds of the average precision at 101 recall "
        "levels [COCO]. Classes without a target box do not count.",
        inputs="boxes (N, M, 4), scores (N, M), labels (N, M); target_boxes (N, K, 4), "
        f"target_labels (N, K). Rows with label {PADDING} are padding.",
        unit="none",
        range="0 to 1",
        better="higher",
        statistics="none: it is not a sum over items, and no interval is given",
        library="pycocotools",
    )

    def __init__(
        self, *, iou_thresholds: list[float] | None, box_format: str, max_detections: int
    ) -> None:
        self._thresholds = sorted(iou_thresholds or _COCO_THRESHOLDS)
        self._format = box_format
        self._most = max_detections
        self._coco = library("pycocotools.coco", self.kind)
        self._eval = library("pycocotools.cocoeval", self.kind)
        self._found: list[dict[str, Any]] = []
        self._targets: list[dict[str, Any]] = []
        self._items = 0
        self._non_finite = 0

    def update(self, values: Values) -> None:
        """Take in one batch of padded boxes."""
        items = count_items(self.kind, self.roles, values)
        self._collect_targets(values)
        self._collect_found(values)
        self._items += items

    def result(self) -> Measurement:
        """Return the mean average precision; per-threshold and per-class values in details."""
        if not self._items:
            refuse_empty(self.kind)
        details: dict[str, Json] = {"no_interval": _NO_INTERVAL}
        value = math.nan
        if self._non_finite:
            details["non_finite_values"] = self._non_finite
        elif (precision := self._precision()) is None:
            details["target_boxes"] = 0
        else:
            value, details = float(precision.mean()), {**details, **self._remarks(precision)}
        counted = {_BOXES.noun: len(self._targets)}
        return Measurement(value, self._items, details=details, counted=counted)

    def _collect_targets(self, values: Values) -> None:
        boxes = self._boxes("target_boxes", values["target_boxes"])
        rows = self._rows("target_labels", values["target_labels"], boxes)
        if broken := _non_finite(boxes[rows]):
            refuse_non_finite("target_boxes", broken)
        if (inverted := boxes[rows][:, 2:] < 0).any():
            refuse(
                "target_boxes",
                "target_boxes holds boxes of negative width or height",
                expected=f"boxes in the format {self._format}",
                found=f"{int(inverted.any(axis=1).sum())} such boxes",
                fix="Correct 'box_format' in the metric's args, or the boxes.",
            )
        self._targets += self._annotations(boxes, values["target_labels"], rows, len(self._targets))

    def _collect_found(self, values: Values) -> None:
        boxes = self._boxes("boxes", values["boxes"])
        rows = self._rows("labels", values["labels"], boxes)
        scores = as_float64("scores", values["scores"])
        if scores.shape != boxes.shape[:2]:
            _refuse_rows("scores", scores, boxes)
        self._non_finite += _non_finite(boxes[rows]) + _non_finite(scores[rows])
        found = self._annotations(boxes, values["labels"], rows, len(self._found))
        for annotation, score in zip(found, scores[rows].tolist(), strict=True):
            annotation["score"] = score
        self._found += found

    def _boxes(self, role: str, array: NDArray[Any]) -> Floats:
        if array.ndim != len("NMx") or array.shape[2] != len("xywh"):
            refuse(
                role,
                f"{role} does not hold boxes",
                expected="shape (items, boxes, 4)",
                found=describe(array),
                fix=f"Bind {role!r} to boxes of four numbers, padded to the same number per item.",
            )
        boxes = as_float64(role, array).copy()
        with np.errstate(invalid="ignore"):
            if self._format == "xyxy":
                boxes[..., 2:] -= boxes[..., :2]
            elif self._format == "cxcywh":
                boxes[..., :2] -= boxes[..., 2:] / 2
        return boxes

    @staticmethod
    def _rows(role: str, labels: NDArray[Any], boxes: Floats) -> NDArray[np.bool_]:
        if labels.shape != boxes.shape[:2] or not is_integer(labels):
            _refuse_rows(role, labels, boxes)
        rows: NDArray[np.bool_] = labels != PADDING
        return rows

    def _annotations(
        self, boxes: Floats, labels: NDArray[Any], rows: NDArray[np.bool_], known: int
    ) -> list[dict[str, Any]]:
        return [
            {
                "id": known + index + 1,  # 0 would mean "no match" to pycocotools
                "image_id": self._items + int(item),
                "category_id": int(labels[item, row]),
                "bbox": boxes[item, row].tolist(),
                "area": float(boxes[item, row, 2] * boxes[item, row, 3]),
                "iscrowd": 0,
            }
            for index, (item, row) in enumerate(np.argwhere(rows))
        ]

    def _precision(self) -> Floats | None:
        """Return precision (thresholds, recall levels, classes), or None if nothing is to find."""
        self._classes = sorted({target["category_id"] for target in self._targets})
        if not self._classes:
            return None
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = self._eval.COCOeval(
                self._dataset(self._targets), self._dataset(self._found), "bbox"
            )
            evaluation.params.iouThrs = np.array(self._thresholds)
            evaluation.params.maxDets = [self._most]
            evaluation.params.areaRng = [[0, np.inf]]
            evaluation.params.areaRngLbl = ["all"]
            evaluation.evaluate()
            evaluation.accumulate()
        precision: Floats = evaluation.eval["precision"].squeeze(axis=(3, 4))
        return precision

    def _dataset(self, annotations: list[dict[str, Any]]) -> Any:
        dataset = self._coco.COCO()
        dataset.dataset = {
            "images": [{"id": item} for item in range(self._items)],
            "categories": [{"id": label} for label in self._classes],
            "annotations": annotations,
        }
        dataset.createIndex()
        return dataset

    def _remarks(self, precision: Floats) -> Mapping[str, Json]:
        thresholds = precision.mean(axis=(1, 2)).tolist()
        classes = precision.mean(axis=(0, 1)).tolist()
        return {
            "per_threshold": {
                f"{threshold:g}": value
                for threshold, value in zip(self._thresholds, thresholds, strict=True)
            },
            "per_class": {
                str(label): value for label, value in zip(self._classes, classes, strict=True)
            },
            "target_boxes": len(self._targets),
            "boxes": len(self._found),
        }


def _non_finite(array: Floats) -> int:
    return int(np.count_nonzero(~np.isfinite(array)))


def _refuse_rows(role: str, array: NDArray[Any], boxes: Floats) -> None:
    refuse(
        role,
        f"{role} does not have one entry per box",
        expected=f"{'numbers' if role == 'scores' else 'integers'} of shape {boxes.shape[:2]}",
        found=describe(array),
        fix=f"Give {role!r} one entry per box, and label {PADDING} for padding.",
    )
