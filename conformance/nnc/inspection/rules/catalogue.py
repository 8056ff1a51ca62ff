"""All rules of the validator, in the order of the documentation."""

from __future__ import annotations

from conformance.nnc.inspection.rules import (
    codebooks,
    headers,
    interoperability,
    payloads,
    reading,
    syntax,
    units,
    updates,
)

RULES = (
    *units.RULES,
    *syntax.RULES,
    *headers.RULES,
    *codebooks.RULES,
    *payloads.RULES,
    *updates.RULES,
    *reading.RULES,
    *interoperability.RULES,
)
"""Every rule. ``docs/nnc-rules.md`` is made from it."""

BY_ID = {rule.id: rule for rule in RULES}
