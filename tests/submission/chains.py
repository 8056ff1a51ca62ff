"""Samples that build upon others, and layered ones, for the valid submission of the builder."""

import copy
from typing import Any

from tests.submission import builder
from tests.submission.builder import entry

BASE = "int8"
"""The whole network that chains begin with here."""


def bitstream(data: dict[str, Any], id: str, **more: Any) -> dict[str, Any]:
    """Add a sample with one file, and return its entry."""
    made = builder.sample(id, "samples/int8.npz", lossless=False)
    made.update(copy.deepcopy(more))
    data["samples"].append(made)
    return made


def update(data: dict[str, Any], id: str, of: str | None = BASE, **more: Any) -> dict[str, Any]:
    """Add an update of another sample, or with None of the original."""
    parent = {"sample": of} if of is not None else {"model": "net"}
    contexts = more.pop("contexts_of", None)
    if contexts is not None:
        parent["contexts_of"] = contexts
    made = bitstream(data, id, update_of=parent, **more)
    made["claims"]["cumulative_size"] = 4
    return made


def merge(data: dict[str, Any], id: str, *branches: str, **more: Any) -> dict[str, Any]:
    """Add a merge of updates, all with one weight."""
    made = update(data, id, **more)
    for key in ("update_of", "codec", "files"):
        del made[key]
    made["merge_of"] = [{"sample": branch, "weight": 1} for branch in branches]
    made["claims"]["compressed_size"] = 0
    return made


def layer(id: str, mode: str | None = "add", **content: Any) -> dict[str, Any]:
    """Return a layer of files or units, with what must be claimed of it."""
    values = [{"metric": "top1", "vectors": "test", "value": 0.9}]
    claims = {"size": 1, "cumulative_size": 1, "metric_values": values}
    made = {"id": id, "claims": claims, **content}
    return made if mode is None else {**made, "mode": mode}


def layered(data: dict[str, Any], id: str = "scalable") -> dict[str, Any]:
    """Add a sample of two files, which are two layers."""
    made = bitstream(data, id, files=[entry("samples/int8.npz"), entry("samples/exact.xz")])
    made["layers"] = [
        layer("base", None, files=["samples/int8.npz"]),
        layer("finer", files=["samples/exact.xz"]),
    ]
    return made


def of_units(data: dict[str, Any], *ranges: tuple[Any, Any]) -> dict[str, Any]:
    """Add an NNC sample with a layer of units for each range (first, last)."""
    made = bitstream(data, "scalable", codec={"id": "nnc", "params": {}})
    made["layers"] = [
        layer(f"l{place}", "add" if place else None, units=[{"first": first, "last": last}])
        for place, (first, last) in enumerate(ranges)
    ]
    return made
