"""Verdicts, problems, findings and the errors that become findings.

Every package raises :class:`ConformanceError` (or a subclass) for anything that is wrong with
submitted material; its :class:`Problem` already holds all that a finding needs, so no words are
lost on the way to a report. Everything here is plain data: JSON in, JSON out.
"""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, Literal, TypeAlias

from conformance.text import labelled

Json: TypeAlias = Any
"""A value that :mod:`json` can write: None, bool, int, float, str, list or dict of such."""


JsonNumber: TypeAlias = float | Literal["nan", "inf", "-inf"]
"""A number as JSON can hold it; ``float`` turns it into one."""


def json_number(value: float) -> JsonNumber:
    """Return a finite number as it is, any other as ``"nan"``, ``"inf"`` or ``"-inf"``."""
    if math.isfinite(value):
        return float(value)
    if math.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"


class Verdict(StrEnum):
    """The outcome of one check."""

    PASS = "pass"
    FAIL = "fail"
    UNDECIDED = "undecided"
    ERROR = "error"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    TIMEOUT = "timeout"
    NOT_RUN = "not-run"
    WAIVED = "waived"


REFUSING = frozenset({Verdict.FAIL, Verdict.ERROR, Verdict.MALFORMED, Verdict.TIMEOUT})
"""Verdicts of a required check that make a submission fail."""

OPEN = frozenset({Verdict.UNDECIDED, Verdict.UNSUPPORTED, Verdict.NOT_RUN})
"""Verdicts of a required check that leave a submission incomplete."""


@dataclasses.dataclass(frozen=True, slots=True)
class Location:
    """Where in a submission something is: a file, and a place in it.

    ``file`` is relative to the submission folder, with forward slashes. ``pointer`` is an RFC 6901
    JSON pointer, ``line`` and ``column`` count from 1, ``byte_offset`` counts from 0 and
    ``element`` names the syntax element, tensor or node found there.
    """

    file: str | None = None
    pointer: str | None = None
    line: int | None = None
    column: int | None = None
    byte_offset: int | None = None
    element: str | None = None

    def to_json(self) -> dict[str, Json]:
        """Return the fields that are set."""
        return {key: value for key, value in dataclasses.asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Location:
        """Build from what :meth:`to_json` gave."""
        return cls(**data)

    def __str__(self) -> str:
        place = self.file or ""
        if self.line is not None:
            place += f":{self.line}" + (f":{self.column}" if self.column is not None else "")
        parts = [place] if place else []
        if self.pointer is not None:
            parts.append(f"at {self.pointer or '/ (the whole document)'}")
        if self.byte_offset is not None:
            parts.append(f"byte {self.byte_offset}")
        if self.element is not None:
            parts.append(f"({self.element})")
        return " ".join(parts)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, where, and how to fix it, in words that need no knowledge of our code.

    ``expected`` and ``found`` can be compared; ``fix`` is one sentence in the imperative.
    """

    message: str
    expected: str = ""
    found: str = ""
    where: Location | None = None
    fix: str = ""

    def error(self, kind: type[ConformanceError]) -> ConformanceError:
        """Return this problem as an error to raise."""
        return kind(
            self.message,
            where=self.where,
            expected=self.expected,
            found=self.found,
            fix=self.fix,
        )

    def finding(
        self,
        check: str,
        subject: str,
        verdict: Verdict,
        clause: str = "",
        evidence: Mapping[str, Json] | None = None,
    ) -> Finding:
        """Return this problem as the finding of ``check`` about ``subject``."""
        return Finding(
            check=check,
            subject=subject,
            verdict=verdict,
            clause=clause,
            message=self.message,
            expected=self.expected,
            found=self.found,
            where=self.where,
            fix=self.fix,
            evidence=evidence or {},
        )

    def rows(self) -> list[tuple[str, str]]:
        """Return what goes below the message, each with its label; what is not known is empty."""
        return [
            ("where", str(self.where) if self.where else ""),
            ("expected", self.expected),
            ("found", self.found),
            ("fix", self.fix),
        ]

    def to_json(self) -> dict[str, Json]:
        """Return a JSON object with the five fields."""
        return {
            "message": self.message,
            "expected": self.expected,
            "found": self.found,
            "where": self.where.to_json() if self.where else None,
            "fix": self.fix,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Problem:
        """Build from an object that holds what :meth:`to_json` gave."""
        where = data.get("where")
        return Problem(
            message=data["message"],
            expected=data.get("expected", ""),
            found=data.get("found", ""),
            where=Location.from_json(where) if where else None,
            fix=data.get("fix", ""),
        )

    def __str__(self) -> str:
        return labelled(self.message, self.rows())


@dataclasses.dataclass(frozen=True, slots=True)
class Finding(Problem):
    """What one check found about one subject; of a check that passed, it is not a problem.

    ``check`` is the stable id of the check (``SAMPLE-DECODE-001``), ``subject`` what was checked
    (``digits-cnn/int8-qdq``), ``clause`` the basis of the check.
    """

    check: str
    subject: str
    verdict: Verdict
    clause: str = ""
    message: str = dataclasses.field(default="", kw_only=True)
    evidence: Mapping[str, Json] = dataclasses.field(default_factory=dict, kw_only=True)

    def to_json(self) -> dict[str, Json]:
        """Return a JSON object with every field."""
        return {
            "check": self.check,
            "subject": self.subject,
            "verdict": self.verdict.value,
            "clause": self.clause,
            **Problem.to_json(self),
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Finding:
        """Build from what :meth:`to_json` gave."""
        where = data.get("where")
        return cls(
            **{
                **data,
                "verdict": Verdict(data["verdict"]),
                "where": Location.from_json(where) if where else None,
            }
        )

    def __str__(self) -> str:
        head = f"{self.check} {self.verdict.value}: {self.subject}: {self.message}"
        return labelled(head, [*self.rows(), ("basis", self.clause)])


def command_to_repeat(folder: str, findings: Iterable[tuple[str, str]]) -> str:
    """Return what to type to make some findings again, each given as its check and subject.

    ``folder`` is the submission; as an absolute path, the command works wherever it is typed.
    """
    only = (("--only", f"{check}:{subject}") for check, subject in findings)
    named = f"./{folder}" if folder.startswith("-") else folder  # or it would be an option
    return shlex.join(["nnr-conformance", "run", named, *(word for pair in only for word in pair)])


class ConformanceError(Exception):
    """Something is wrong with submitted material, said so that its owner can fix it."""

    verdict: ClassVar[Verdict] = Verdict.FAIL
    by_limit: ClassVar[bool] = False
    """Whether it depends on a limit that was given: with a higher one, all may be well."""

    def __init__(
        self,
        message: str,
        *,
        where: Location | None = None,
        expected: str = "",
        found: str = "",
        fix: str = "",
    ) -> None:
        super().__init__(message)
        self.problem = Problem(
            message=message, expected=expected, found=found, where=where, fix=fix
        )

    @property
    def message(self) -> str:
        """What is wrong."""
        return self.problem.message

    @property
    def expected(self) -> str:
        """What should be there."""
        return self.problem.expected

    @property
    def found(self) -> str:
        """What is there instead."""
        return self.problem.found

    @property
    def where(self) -> Location | None:
        """Where it is; whoever knows it better may set it before the error goes on."""
        return self.problem.where

    @where.setter
    def where(self, where: Location | None) -> None:
        self.problem = dataclasses.replace(self.problem, where=where)

    @property
    def fix(self) -> str:
        """How to fix it."""
        return self.problem.fix

    def finding(self, check: str, subject: str, clause: str = "") -> Finding:
        """Return this error as the finding of ``check`` about ``subject``."""
        return self.problem.finding(check, subject, self.verdict, clause)

    def to_json(self) -> dict[str, Json]:
        """Return a JSON object from which :func:`error_from_json` rebuilds the error."""
        limited = {"by_limit": True} if self.by_limit else {}
        return {"verdict": self.verdict.value, **self.problem.to_json(), **limited}

    def __str__(self) -> str:
        return str(self.problem)


class MalformedError(ConformanceError):
    """A file is not what its format says it must be."""

    verdict = Verdict.MALFORMED


class LimitError(MalformedError):
    """A file asks for more memory, size or nesting than is allowed."""

    by_limit = True


class UnsupportedError(ConformanceError):
    """The material may be right, but this tool cannot judge it."""

    verdict = Verdict.UNSUPPORTED


class NotRunError(ConformanceError):
    """Something that must come first did not succeed, or a runtime is not installed."""

    verdict = Verdict.NOT_RUN


class CaseTimeoutError(ConformanceError):
    """A case went past its wall-clock or CPU time."""

    verdict = Verdict.TIMEOUT


class EvaluationError(ConformanceError):
    """The evaluation died: killed, out of memory, or an error of the tool itself."""

    verdict = Verdict.ERROR


_BY_VERDICT: dict[Verdict, type[ConformanceError]] = {
    kind.verdict: kind
    for kind in (
        ConformanceError,
        MalformedError,
        UnsupportedError,
        NotRunError,
        CaseTimeoutError,
        EvaluationError,
    )
}


def error_from_json(data: Mapping[str, Json]) -> ConformanceError:
    """Rebuild the error that :meth:`ConformanceError.to_json` wrote."""
    kind = LimitError if data.get("by_limit") else _BY_VERDICT[Verdict(data["verdict"])]
    return Problem.from_json(data).error(kind)


class ExitCode:
    """What the process returns (the same for pytest, the command line and the container)."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCOMPLETE = 3
    INTERNAL = 4


def overall(verdicts: Iterable[Verdict]) -> str:
    """Return ``pass``, ``fail`` or ``incomplete`` for the verdicts of all required checks.

    Only positive evidence passes: no verdict at all is ``incomplete``.
    """
    seen = set(verdicts)
    if seen & REFUSING:
        return "fail"
    if not seen or seen & OPEN:
        return "incomplete"
    return "pass"


EXIT_OF_OVERALL: Mapping[str, int] = {
    "pass": ExitCode.PASS,
    "fail": ExitCode.FAIL,
    "incomplete": ExitCode.INCOMPLETE,
}
