"""Sizes of values, multiplied out before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.runtimes.caffe.layers import Shape, count
from conformance.runtimes.caffe.layers._node import MAX_RANK
from conformance.verdicts import LimitError, Location, MalformedError

MAX_ELEMENTS = (1 << 31) - 1
"""The most elements of a blob: Caffe counts them in signed 32-bit integers."""

_FLOAT_BYTES = 4


class SizeCheck:
    """Adds up the bytes of the values of a network, and stops where they are too many."""

    def __init__(self, file: str, limit_bytes: int) -> None:
        self._file = file
        self._limit = limit_bytes
        self._bytes = 0

    def add(self, shapes: Sequence[Shape], element: str, scratch_bytes: int = 0) -> None:
        """Count values of ``shapes`` made at ``element``, and memory needed to make them.

        Raises MalformedError for an impossible shape, LimitError for too many bytes.
        """
        for shape in shapes:
            if len(shape) > MAX_RANK or any(size < 1 for size in shape):
                raise MalformedError(
                    "a blob has an impossible shape",
                    where=Location(file=self._file, element=element),
                    expected=f"at most {MAX_RANK} sizes, all at least 1",
                    found=str(list(shape[: MAX_RANK + 1])),
                    fix="Correct the sizes in the prototxt.",
                )
        largest = max((count(shape) for shape in shapes), default=0)
        self._bytes += scratch_bytes + _FLOAT_BYTES * sum(count(shape) for shape in shapes)
        if largest > MAX_ELEMENTS or self._bytes > self._limit:
            raise LimitError(
                "the values of the network take more memory than is allowed",
                where=Location(file=self._file, element=element),
                expected=f"at most {self._limit} bytes for all blobs, {MAX_ELEMENTS} elements each",
                found=f"{self._bytes} bytes up to here, {largest} elements in one blob",
                fix="Reduce the batch (the first size of the inputs), or raise the memory limit.",
            )
