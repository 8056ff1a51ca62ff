"""The basis of a demand on the metadata."""

from __future__ import annotations

from conformance.submission.positions import Pointer

_CALL = "Call §Required test data"
_FORMAT = "Submission format 1.0"

_BY_FIELD: dict[tuple[str, ...], str] = {
    ("models", "training_data"): f"{_CALL}, item 2",
    ("models", "test_data"): f"{_CALL}, item 3",
    ("models", "metric_values"): f"{_CALL}, item 4",
    ("samples", "metrics"): f"{_CALL}, item 4",
}
_BY_SECTION = {
    "use_cases": f"{_CALL}, item 1",
    "models": f"{_CALL}, item 1",
    "datasets": f"{_CALL}, items 2 and 3",
    "vectors": f"{_CALL}, item 3",
    "metrics": f"{_CALL}, item 4",
    "samples": f"{_CALL}, item 5",
}


FILES = f"{_FORMAT} §files"
LICENSE = f"{_FORMAT} §license"
TOLERANCE = f"{_FORMAT} §tolerance"


def clause_of(pointer: Pointer) -> str:
    """Return the clause behind the value at ``pointer``."""
    names = tuple(part for part in pointer if isinstance(part, str))
    if not names:
        return _FORMAT
    return _BY_FIELD.get(names[:2]) or _BY_SECTION.get(names[0]) or f"{_FORMAT} §{names[0]}"
