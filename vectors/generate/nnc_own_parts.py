"""What the recipes of our own encoder share: levels, and a stream of one tensor."""

from __future__ import annotations

from typing import Any

from nnc_arrays import steps
from nnc_build import Member, StreamBuilder
from nnc_cases import SECOND, Edition

LEVELS = steps(12, 10, low=-4, high=4, seed=71)
MORE = steps(12, 10, low=-9, high=9, seed=72)


def start(edition: Edition, **values: Any) -> StreamBuilder:
    """Return a stream of an edition that has its parameter set and topology unit."""
    return StreamBuilder(profile=int(edition == SECOND)).begin(**values)


def one_tensor(
    edition: Edition = SECOND, *, header: dict[str, Any] | None = None, **mps: Any
) -> StreamBuilder:
    """Return a stream of one tensor; ``header`` has elements of its unit, ``mps`` of the set."""
    builder = start(edition, **mps)
    builder.add_tensor(Member("w", LEVELS, qp=-20), **(header or {}))
    return builder
