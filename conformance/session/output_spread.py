"""How far given outputs of a network lie from those that this tool computes.

The spread is what an output tolerance has to allow: outputs are mostly computed with a framework's
defaults, which round differently from the settings here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conformance.runtimes import ModelSource, runtime
from conformance.runtimes.defaults import unlike_defaults
from conformance.session.command import READ_LIMIT
from conformance.submission.scaffold import OUTPUT_TOLERANCE
from conformance.tensorfiles import Array, open_tensors
from conformance.verdicts import ConformanceError

ATOL, RTOL = OUTPUT_TOLERANCE
WIDEST = 0.05
"""The largest atol that is proposed, as a share of the largest output: as MODEL-OUTPUT-001."""
MARGIN = 2.0
"""The proposed atol is so many times what was measured on these items, then rounded up."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An output tolerance, and the text that says where it comes from."""

    tolerance: tuple[float, float]
    text: str


def proposed_tolerance(
    files: Sequence[Path], model_format: str, inputs: Sequence[Path], outputs: Sequence[Path]
) -> Proposal:
    """Run the network in ``files`` on ``inputs`` and propose a tolerance that ``outputs`` keep."""
    try:
        largest, beyond, scale = _spread(files, model_format, inputs, outputs)
    except ConformanceError as error:
        return Proposal(OUTPUT_TOLERANCE, f"The outputs could not be compared: {error.message}.")
    measured = (
        f"The given outputs differ by at most {largest:.3g} from those that this tool computes"
    )
    settings = unlike_defaults(model_format)
    largest_allowed = max(ATOL, WIDEST * scale)
    atol = ATOL
    if ATOL < beyond <= largest_allowed:
        atol = _rounded_up(MARGIN * beyond)
    if max(beyond, atol) > largest_allowed:
        return Proposal(
            OUTPUT_TOLERANCE,
            f"{measured}: more than a tolerance may allow. Give the outputs of this very network "
            f"on these inputs{settings}.",
        )
    text = f"{measured}: proposed as output_tolerance are atol {atol:g} and rtol {RTOL:g}"
    return Proposal((atol, RTOL), f"{text}{settings if atol > ATOL else ''}.")


def _spread(
    files: Sequence[Path], model_format: str, inputs: Sequence[Path], outputs: Sequence[Path]
) -> tuple[float, float, float]:
    """Return the largest difference, the largest beyond ``RTOL``, and the largest output."""
    source = ModelSource(
        tuple(files), tuple(file.name for file in files), files[0].parent, READ_LIMIT
    )
    largest = beyond = scale = 0.0
    with ExitStack() as opened:
        network = opened.enter_context(runtime(model_format).open(source))
        given = _arrays(inputs, [port.name for port in network.inputs])
        declared = _arrays(outputs, [port.name for port in network.outputs])
        items = min((array.shape[0] for array in given.values() if array.ndim), default=1)
        computed = network.bind().run_batched(given, items)
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
        beyond = max(beyond, float((difference - RTOL * size).max(initial=0.0)))
        scale = max(scale, float(size.max(initial=0.0)))
    return largest, beyond, scale


def _arrays(files: Sequence[Path], ports: Sequence[str]) -> Mapping[str, Array]:
    """Return the arrays in ``files`` by port; an array without a name is that of the only port."""
    found: dict[str, Array] = {}
    for file in files:
        with open_tensors(file, display=file.name, limit_bytes=READ_LIMIT) as tensors:
            for name in tensors:
                found[name or ports[0]] = np.array(tensors[name])
    return found


def _rounded_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, ... times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))
