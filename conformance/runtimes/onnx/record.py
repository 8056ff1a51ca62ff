"""A stored tensor that has not been read: what it is, and where its data is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from conformance.runtimes.dtypes import DType
from conformance.runtimes.onnx.dtypes import bits_of
from conformance.runtimes.onnx.wire import Span


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """A stored tensor that has not been read.

    ``span`` is the whole TensorProto. Its data is in ``raw``, or in a file named by ``external``
    (keys and values as written), or, where both are None, in typed fields of the message. It is
    a ``constant`` if no initializer of the main graph, but the value of a node or of a subgraph.
    ``text_bytes`` is what the message of a tensor of strings takes, 0 for numbers.
    """

    element: str
    span: Span
    name: str
    data_type: int
    dtype: DType
    dims: tuple[int, ...]
    raw: Span | None
    external: dict[str, str] | None
    constant: bool = False
    text_bytes: int = 0

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.dims)

    @property
    def nbytes(self) -> int:
        """Bytes of its data as ONNX stores it; a string counts as a pointer to it."""
        return -(-self.elements * bits_of(self.dtype) // 8)

    @property
    def is_parameter(self) -> bool:
        """Whether it is no shape, axes, index or flag, and holds no strings.

        ONNX wants shapes and axes as int64 lists; an int32 may be an axis or an index. Narrower
        integers, and lists of int32, are quantised weights, zero points and biases. A constant of
        one element is a number that the graph computes with, as exporters write them.
        """
        is_list = len(self.dims) <= 1 and self.dtype in (np.dtype(np.int64), np.dtype(np.bool_))
        is_index = not self.dims and self.dtype == np.dtype(np.int32)
        is_number = self.constant and self.elements <= 1
        return not (is_list or is_index or is_number or self.is_text)

    @property
    def byte_offset(self) -> int | None:
        """Where it begins in the model file; None if that is not known."""
        return self.span.begin if self.span.size else None

    @property
    def is_text(self) -> bool:
        """Whether its elements are strings."""
        return self.dtype == np.dtype(object)
