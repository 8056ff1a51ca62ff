"""The layers that can be run: their options, the shapes they make, and what they learn.

Caffe works shapes out layer by layer before it computes anything, and so is it done here: sizes
are multiplied out, and compared with what is allowed, before a library is asked for memory. A type
of layer that is not in ``KINDS`` is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping

from conformance.runtimes.caffe.layers import arranging, dense, pointwise, recurrent, spatial
from conformance.runtimes.caffe.layers._node import Inferred, Kind, Node, Shape, Weight, count

__all__ = ["KINDS", "REFUSED", "Inferred", "Kind", "Node", "Shape", "Weight", "count", "refusal"]

KINDS: Mapping[str, Kind] = {
    **spatial.KINDS,
    **dense.KINDS,
    **pointwise.KINDS,
    **arranging.KINDS,
    **recurrent.KINDS,
}
"""Every type of layer that can be run; ``Input`` is read apart from them."""

_DATA = (
    "it reads training data",
    'Submit the deployment prototxt: its inputs are given by "Input" layers.',
)
_LOSS = (
    "it compares outputs with labels",
    "Submit the deployment prototxt, without losses and accuracies: metrics are measured here.",
)
_CODE = ("it runs its own code", "Replace it by layers of Caffe.")

REFUSED: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("Data", "ImageData", "HDF5Data", "WindowData", "MemoryData", "DummyData", "AnnotatedData"),
        _DATA,
    ),
    "HDF5Output": ("it writes a file", "Remove the layer: outputs are compared here."),
    "Python": _CODE,
    **dict.fromkeys(
        (
            *("Accuracy", "ContrastiveLoss", "EuclideanLoss", "HingeLoss", "InfogainLoss"),
            *("MultinomialLogisticLoss", "SigmoidCrossEntropyLoss", "SoftmaxWithLoss"),
            *("MultiBoxLoss", "DetectionEvaluate"),
        ),
        _LOSS,
    ),
}
"""Types that are never run: why, and how to fix it."""


def refusal(type: str) -> tuple[str, str]:
    """Return why a type of layer without a kind is not run, and how to fix it."""
    fix = "Replace it by layers that can be run; docs/runtimes-caffe.md lists them."
    return REFUSED.get(type, ("its type cannot be run here", fix))
