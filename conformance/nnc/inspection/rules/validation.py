"""Validating a stream: every rule that it breaks, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from conformance.nnc.inspection.examination import examine
from conformance.nnc.inspection.rules import reading
from conformance.nnc.inspection.rules.catalogue import RULES
from conformance.nnc.inspection.rules.material import Material, material_of
from conformance.nnc.inspection.rules.registry import Violation, violation_of
from conformance.nnc.options import Options
from conformance.nnc.state import DecoderState

UNCHECKED = reading.is_known.id
"""The rule whose warning says that a part of the stream could not be checked."""

MOST = 1000
"""Breaches of one rule that are told: a hostile file may have a million."""
_DEFAULTS = Options()
_ENFORCED = frozenset(rule.id for rule in reading.RULES)


def validate(
    data: bytes | bytearray | memoryview,
    options: Options = _DEFAULTS,
    state: DecoderState | None = None,
    *,
    file: str = "FILE",
) -> list[Violation]:
    """Return what is wrong with a stream, of each rule at most ``MOST`` breaches.

    Nothing is raised for what the stream holds.

    ``state`` holds what the streams before it left, and is updated when it can be decoded.
    ``file`` is the name for the commands in the violations.
    """
    material = material_of(examine(data, options, state))
    found = list(_violations(material, file))
    explained = [each for each in found if each.severity == "violation"]
    kept = [each for each in found if not _is_explained(each, explained)]
    return sorted(kept, key=lambda each: (each.position.bit or 0, each.rule))


def _violations(material: Material, file: str) -> Iterator[Violation]:
    for rule in RULES:
        for breach in islice(rule.check(material), MOST):
            yield violation_of(rule, breach, file)


def _is_explained(violation: Violation, others: list[Violation]) -> bool:
    """Whether a more special rule says the same as a decoder's error."""
    return violation.rule in _ENFORCED and any(
        other.rule not in _ENFORCED
        and other.position.unit == violation.position.unit
        and (other.position.bit == violation.position.bit or other.rule.startswith("NNC-STREAM-"))
        for other in others
    )
