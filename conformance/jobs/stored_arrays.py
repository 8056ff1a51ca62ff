"""Arrays that a case keeps for the cases that are compared with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from conformance.evidence.store import EVIDENCE
from conformance.metrics import Measurement
from conformance.sandbox.limits import Limits
from conformance.tensorfiles import (
    Array,
    open_tensors,
    pack_strings,
    unpack_strings,
    write_tensors,
)
from conformance.verdicts import Json

STATISTICS = "statistics.safetensors"
ITEMS = "items.safetensors"
FIRST = "first"
NUMBERS = "numbers"


def keep_statistics(folder: Path, measured: Mapping[str, Measurement]) -> None:
    """Write the per-item statistics of every metric that has some: float64 (items, k)."""
    tables = {name: m.statistics for name, m in measured.items() if m.statistics is not None}
    write_tensors(folder / STATISTICS, tables)


def kept_statistics(folder: Path, limits: Limits) -> dict[str, Array]:
    """Return what :func:`keep_statistics` wrote."""
    path = folder / STATISTICS
    with open_tensors(path, display=STATISTICS, limit_bytes=limits.memory_bytes) as tables:
        return {name: tables[name] for name in tables}


def keep_first(folder: Path, first: Array) -> None:
    """Write which items of the vectors are identical, as :meth:`Repeats.first` returns it."""
    write_tensors(folder / ITEMS, {FIRST: first})


def kept_first(folder: Path, limits: Limits) -> Array:
    """Return what :func:`keep_first` wrote."""
    path = folder / ITEMS
    with open_tensors(path, display=ITEMS, limit_bytes=limits.memory_bytes) as held:
        return held[FIRST]


def keep_outputs(folder: Path, shard: int, outputs: Mapping[str, Array]) -> None:
    """Write the outputs of one shard, each as ``part:name``: strings have two parts."""
    arrays: dict[str, Array] = {}
    for name, output in outputs.items():
        parts = pack_strings(output) if output.dtype.kind in "USO" else {NUMBERS: output}
        arrays |= {f"{part}:{name}": array for part, array in parts.items()}
    write_tensors(folder / _shard_file(shard), arrays)


def kept_outputs(folder: Path, shard: int, limits: Limits) -> dict[str, Array]:
    """Return what :func:`keep_outputs` wrote, or nothing if nothing was kept."""
    path = folder / _shard_file(shard)
    if not path.exists():
        return {}
    outputs: dict[str, dict[str, Array]] = {}
    with open_tensors(path, display=path.name, limit_bytes=limits.memory_bytes) as held:
        for stored in held:
            part, _, name = stored.partition(":")
            outputs.setdefault(name, {})[part] = held[stored]
    return {
        name: parts[NUMBERS] if NUMBERS in parts else unpack_strings(parts)
        for name, parts in outputs.items()
    }


def kept_metrics(folder: Path) -> dict[str, Json]:
    """Return the metric rows of the case that ``folder`` is the evidence of."""
    metrics: dict[str, Json] = json.loads((folder / EVIDENCE).read_text())["result"]["metrics"]
    return metrics


def _shard_file(shard: int) -> str:
    return f"outputs-{shard:05d}.safetensors"
