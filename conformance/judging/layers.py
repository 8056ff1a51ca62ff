"""Sizes of the layers of a scalable sample, measured and claimed."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.judging.sizes import SizeClaim
from conformance.plan.results import StateResult
from conformance.submission.values import LayerClaims


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
