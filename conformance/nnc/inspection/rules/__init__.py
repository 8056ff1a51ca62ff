"""The rules of the validator.

::

    from conformance.nnc.inspection.rules import validate

    violations = validate(Path("model.nnc").read_bytes(), file="model.nnc")

:data:`RULES` has them all. One module per part of the format;
:mod:`~conformance.nnc.inspection.rules.rule` says what a rule is, and what it looks at.
"""

from __future__ import annotations

from conformance.nnc.inspection.rules.rule import Rule, Violation
from conformance.nnc.inspection.rules.validation import BY_ID, RULES, UNCHECKED, validate

__all__ = ["BY_ID", "RULES", "UNCHECKED", "Rule", "Violation", "validate"]
