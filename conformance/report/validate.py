"""Check a report against its schema, and read one from a file."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from conformance.documents import read_json
from conformance.report.plain import plain
from conformance.report.text import clip
from conformance.text import visible
from conformance.verdicts import Json

_SHOWN = 200


class InvalidReportError(ValueError):
    """A report does not follow ``schemas/report.schema.json``.

    ``pointer`` is the RFC 6901 JSON pointer to what is wrong, empty for the whole document.
    """

    def __init__(self, message: str, pointer: str = "") -> None:
        place = f" at {pointer}" if pointer else ""
        super().__init__(f"the report is not valid{place}: {message}")
        self.pointer = pointer


def validate_report(report: Json) -> None:
    """Raise an InvalidReportError that names the first place where ``report`` breaks the schema."""
    from jsonschema.exceptions import best_match

    from conformance.jsonschemas import validator

    error = best_match(validator("report").iter_errors(report))
    if error is not None:
        pointer = "".join(f"/{_token(part)}" for part in error.absolute_path)
        raise InvalidReportError(visible(clip(error.message, _SHOWN)), pointer)


def read_report(path: Path) -> dict[str, Json]:
    """Return the report in the file ``path``.

    An InvalidReportError is raised if the file is not JSON or not a report, an OSError if it
    cannot be read.
    """
    try:
        report = plain(read_json(path, parse_constant=_refuse_constant))
    except ValueError as error:
        raise InvalidReportError(f"{path} cannot be read as JSON: {error}") from error
    validate_report(report)
    return dict(report)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; a report writes it as a string")


def _token(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
