"""The rules of the validator.

::

    from conformance.nnc.inspection.rules import validate

    violations = validate(Path("model.nnc").read_bytes(), file="model.nnc")

:data:`RULES` has them all. One module per part of the format;
:mod:`~conformance.nnc.inspection.rules.registry` says what a rule is, and
:mod:`~conformance.nnc.inspection.rules.material` what it looks at.
"""

from __future__ import annotations

from conformance.nnc.inspection.rules.catalogue import BY_ID, RULES
from conformance.nnc.inspection.rules.registry import Rule, Violation
from conformance.nnc.inspection.rules.validation import UNCHECKED, validate

__all__ = ["BY_ID", "RULES", "UNCHECKED", "Rule", "Violation", "validate"]
