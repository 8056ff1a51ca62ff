"""Sizes and their ratios, recomputed from bytes on disk and compared with claims.

Claims are about files: what is stored before and after. ``parameter_factor`` is about what was
compressed: whatever else the files of the original hold (topology, names, documentation) does not
enter it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.plan.results import StateResult
from conformance.submission.values import LayerClaims, Model, Sample

RATIO_TOLERANCE = 5e-3
"""How far a claimed ratio may lie from the measured one, relative: two decimals are enough."""


@dataclass(frozen=True, slots=True)
class SizeClaim:
    """One claimed size or ratio, and what it is really."""

    name: str
    claimed: float
    measured: float
    holds: bool


def compression_factor(model: Model, sample: Sample) -> float:
    """Return original size / compressed size; 10 means a tenth of the bytes."""
    return _ratio(model.size, sample.size)


def compressed_percent(model: Model, sample: Sample) -> float:
    """Return compressed size / original size · 100; 10 means a tenth of the bytes."""
    return _ratio(sample.size, model.size) * 100


def parameter_factor(used_parameter_bytes: int, model: Model, size: int) -> float:
    """Return bytes of the parameters that outputs depend on / bytes of a sample.

    The files of the original bound its parameters: what they store packed or sparse counts as
    stored.
    """
    return _ratio(min(used_parameter_bytes, model.size), size)


def _ratio(size: int, other: int) -> float:
    """Return the quotient of two sizes; an empty file, which is no network, gives infinity."""
    return size / other if other else math.inf


def size_claims(model: Model, sample: Sample) -> Iterator[SizeClaim]:
    """Yield every size claim of ``sample``; the size must be exact, a ratio within 0.5 %."""
    claims = sample.claims
    size = claims.compressed_size
    yield SizeClaim("compressed_size", size, sample.size, size == sample.size)
    ratios = (
        ("compression_factor", claims.compression_factor, compression_factor(model, sample)),
        ("compressed_percent", claims.compressed_percent, compressed_percent(model, sample)),
    )
    for name, claimed, measured in ratios:
        if claimed is not None:
            holds = math.isclose(claimed, measured, rel_tol=RATIO_TOLERANCE)
            yield SizeClaim(name, claimed, measured, holds)


def layer_size_claims(
    claims: LayerClaims, states: Sequence[StateResult]
) -> tuple[SizeClaim, SizeClaim]:
    """Return both size claims of the last of some layers; ``states`` are their results.

    The size of a layer is that of its files, or of its units of the one bitstream.
    """
    size, total = states[-1].size, sum(state.size for state in states)
    return (
        SizeClaim("size", claims.size, size, claims.size == size),
        SizeClaim(
            "cumulative_size", claims.cumulative_size, total, claims.cumulative_size == total
        ),
    )
