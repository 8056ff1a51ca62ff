"""What a second implementation of a format says of a few items: reported, and decides nothing."""

from __future__ import annotations

import numpy as np

from conformance.jobs.vectors import ShardArrays
from conformance.runtimes import Referenced, Runner
from conformance.tensorfiles import Array
from conformance.verdicts import Json, json_number

_DIGITS = 3


def second_opinion(runner: Runner, shard: ShardArrays, *, batched: bool) -> Json:
    """Return the greatest difference of each output on the first items of a shard.

    None without a second implementation; ``not_asked`` says why it was not asked.
    """
    if not isinstance(runner, Referenced):
        return None
    found = runner.by_reference(shard.inputs, shard.items if batched else None)
    if isinstance(found, str):
        return {"not_asked": found}
    return {
        "items": found.items,
        "outputs": {name: _greatest(*pair) for name, pair in found.outputs.items()},
    }


def _greatest(ours: Array, theirs: Array) -> Json:
    """Return the greatest difference; "nan" if only one of two values is a number, or for texts."""
    if ours.shape != theirs.shape or ours.dtype.kind in "USO" or theirs.dtype.kind in "USO":
        return "nan"
    wide = [np.asarray(array, np.float64) for array in (ours, theirs)]
    same = (wide[0] == wide[1]) | (np.isnan(wide[0]) & np.isnan(wide[1]))
    with np.errstate(invalid="ignore"):
        differences = np.where(same, 0.0, np.abs(wide[0] - wide[1]))
    return json_number(float(f"{float(differences.max(initial=0.0)):.{_DIGITS}g}"))
