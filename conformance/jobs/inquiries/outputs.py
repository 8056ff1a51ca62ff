"""How far given outputs of a network lie from those that its runtime computes here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from conformance.jobs.compare import Magnitudes
from conformance.jobs.inquiries.asked import Asked
from conformance.runtimes import ModelSource, runtime
from conformance.tensorfiles import Array, open_tensors
from conformance.verdicts import ConformanceError, Json


def spread(asked: Asked) -> Json:
    """Return the ``largest`` difference, the largest ``beyond`` rtol, and the ``widest`` atol.

    The latter is the least of what the outputs allow, ``"inf"`` if all are compared by equality.
    Without ``items`` the inputs are those of one run.
    """
    files, rtol = asked.paths("files"), float(asked.arguments["rtol"])
    shown = tuple(file.name for file in files)
    source = ModelSource(tuple(files), shown, files[0].parent, asked.limits.tensor_bytes)
    largest = beyond = 0.0
    with ExitStack() as opened:
        network = opened.enter_context(runtime(asked.arguments["format"]).open(source))
        given = _arrays(asked, "inputs", [port.name for port in network.inputs])
        declared = _arrays(asked, "outputs", [port.name for port in network.outputs])
        runner, items = network.bind(), asked.arguments["items"]
        computed = runner.run_batched(given, items) if items else runner.run(given)
    magnitudes = Magnitudes(batched=items is not None)
    magnitudes.add({name: computed[name] for name in declared})
    for name, array in declared.items():
        wanted, found = array.astype(np.float64), computed[name].astype(np.float64)
        if wanted.shape != found.shape:
            raise ConformanceError(
                f"output {name!r} has the shape {list(wanted.shape)}, not {list(found.shape)}"
            )
        with np.errstate(invalid="ignore"):
            difference = np.where(wanted == found, 0.0, np.abs(wanted - found))
        difference[np.isnan(difference) & ~(np.isnan(wanted) & np.isnan(found))] = np.inf
        difference = np.nan_to_num(difference, nan=0.0, posinf=np.inf)
        largest = max(largest, float(difference.max(initial=0.0)))
        size = np.where(np.isfinite(wanted), np.abs(wanted), 0.0)
        beyond = max(beyond, float((difference - rtol * size).max(initial=0.0)))
    bounds = [magnitudes.widest_atol(name) for name in declared]
    widest = min((bound for bound in bounds if bound is not None), default=np.inf)
    return {"largest": str(largest), "beyond": str(beyond), "widest": str(widest)}


def _arrays(asked: Asked, side: str, ports: Sequence[str]) -> Mapping[str, Array]:
    """Return the arrays of a side by port; one without a name is that of the only port."""
    found: dict[str, Array] = {}
    for file in asked.paths(side):
        found |= _read(file, ports, asked.limits.tensor_bytes)
    return found


def _read(file: Path, ports: Sequence[str], limit_bytes: int) -> Mapping[str, Array]:
    with open_tensors(file, display=file.name, limit_bytes=limit_bytes) as tensors:
        return {name or ports[0]: np.array(tensors[name]) for name in tensors}
