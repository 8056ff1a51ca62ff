"""How far given outputs of a network lie from those that this tool computes.

The spread is what an output tolerance must allow: outputs are mostly computed with a framework's
defaults, which round differently from the settings here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from conformance.cli.asking import answered
from conformance.judging.framework_defaults import unlike_defaults
from conformance.sandbox.limits import Limits
from conformance.submission.scaffold import OUTPUT_TOLERANCE
from conformance.verdicts import ConformanceError, Json

ATOL, RTOL = OUTPUT_TOLERANCE
MARGIN = 2.0
"""The proposed atol is so many times what was measured on these items, then rounded up."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An output tolerance, and the string that says where it comes from."""

    tolerance: tuple[float, float]
    text: str


def proposed_tolerance(question: Json, limits: Limits) -> Proposal:
    """Let a worker run a network on inputs, and propose a tolerance that given outputs keep.

    ``question`` names the ``format``, the ``files`` of the network, of ``inputs`` and of
    ``outputs``, and the number of ``items`` that axis 0 counts, None for one run.
    """
    try:
        with answered("spread", {**question, "rtol": RTOL}, limits) as answer:
            facts = answer.facts
    except ConformanceError as error:
        return Proposal(OUTPUT_TOLERANCE, f"The outputs could not be compared: {error.message}.")
    if facts["error"] is not None:
        return Proposal(OUTPUT_TOLERANCE, f"The outputs could not be compared: {facts['error']}.")
    largest, beyond, widest = (float(facts[name]) for name in ("largest", "beyond", "widest"))
    measured = (
        f"The given outputs differ by at most {largest:.3g} from those that this tool computes"
    )
    settings = unlike_defaults(question["format"])
    needed = ATOL if beyond <= ATOL else _rounded_up(MARGIN * beyond)
    atol = min(needed, _rounded_down(widest))
    if beyond > atol:
        return Proposal(
            OUTPUT_TOLERANCE,
            f"{measured}: more than a tolerance may allow. Give the outputs of this very network "
            f"on these inputs{settings}.",
        )
    text = f"{measured}: proposed as output_tolerance are atol {atol:g} and rtol {RTOL:g}"
    return Proposal((atol, RTOL), f"{text}{settings if atol > ATOL else ''}.")


def _rounded_down(value: float) -> float:
    """Return a number of two digits, not above ``value``."""
    if not math.isfinite(value):
        return value
    power = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.floor(value / power) * power:.2g}")


def _rounded_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, ... times a power of ten."""
    if not math.isfinite(value):
        return value
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))
