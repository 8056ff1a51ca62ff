"""What a case left behind: its result or its error, the arrays it kept, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from conformance.verdicts import ConformanceError, Json, Verdict, error_from_json

LASTING = frozenset({Verdict.FAIL, Verdict.MALFORMED, Verdict.UNSUPPORTED})
"""Errors that the same input gives again; time-outs and deaths are tried anew by the next run."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of one case.

    ``result`` is what the worker measured (plain JSON), or None if ``error`` says why there is
    nothing. ``folder`` holds the arrays that were kept. ``cost`` has ``seconds`` (wall clock) and
    ``peak_bytes`` (resident memory of the worker) of the run that computed it.
    """

    case: str
    key: str
    folder: Path
    result: Mapping[str, Json] | None
    error: ConformanceError | None = None
    cost: Mapping[str, float] = field(default_factory=dict)
    reused: bool = False

    @property
    def lasting(self) -> bool:
        """Whether the same input would give the same evidence again.

        A pointer into the metadata does not last: entries may be put in another order meanwhile.
        """
        if self.error is None:
            return True
        pointed = self.error.where is not None and self.error.where.pointer is not None
        return self.error.verdict in LASTING and not pointed

    def to_json(self) -> dict[str, Json]:
        """Return what is stored; ``folder`` and ``reused`` belong to the reader."""
        return {
            "case": self.case,
            "key": self.key,
            "result": self.result,
            "error": self.error.to_json() if self.error else None,
            "cost": dict(self.cost),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json], folder: Path, *, reused: bool) -> Evidence:
        """Build from what :meth:`to_json` gave."""
        return cls(
            case=data["case"],
            key=data["key"],
            folder=folder,
            result=data["result"],
            error=error_from_json(data["error"]) if data["error"] else None,
            cost=data["cost"],
            reused=reused,
        )
