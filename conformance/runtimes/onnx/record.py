"""A stored tensor that has not been read: what it is, and where its data is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from conformance.runtimes.dtypes import DType
from conformance.runtimes.onnx.dtypes import bits_of
from conformance.runtimes.wire import Span


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """A stored tensor that has not been read.

    ``span`` is the whole TensorProto. Its data is in ``raw``, or in a file named by ``external``
    (keys and values as written), or, where both are None, in typed fields of the message. It is
    a ``constant`` if no initializer of the main graph, but the value of a node or of a subgraph.
    ``spare`` counts bytes around it that nothing reads, as documentation.
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
    spare: int = 0

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.dims)

    @property
    def nbytes(self) -> int:
        """Bytes of its data as ONNX stores it; a string counts as a pointer to it."""
        return -(-self.elements * bits_of(self.dtype) // 8)

    @property
    def byte_offset(self) -> int | None:
        """Where it begins in the model file; None if that is not known."""
        return self.span.begin if self.span.size else None

    @property
    def is_text(self) -> bool:
        """Whether its elements are strings."""
        return self.dtype == np.dtype(object)
