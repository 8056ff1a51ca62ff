"""The JSON Schemas of the project, by name: ``validator("submission").iter_errors(data)``.

The schemas lie in ``schemas/`` at the top of the repository and, in an installed package, in
``conformance/schemas/``. They refer to one another by ``$id`` and are resolved from these files
alone, never over a network.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from conformance.verdicts import Json

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, FormatChecker

_SUFFIX = ".schema.json"
# White space, control characters, marks that hide or reorder text, what RFC 3986 excludes.
_NOT_IN_ADDRESSES = re.compile(
    r"[\s<>\"{}|\\^`\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
FOLDERS = (Path(__file__).parent / "schemas", Path(__file__).parents[1] / "schemas")
"""Where the schemas may lie: in an installed package, in the repository."""


def _folder() -> Path:
    return next(folder for folder in FOLDERS if (folder / f"submission{_SUFFIX}").is_file())


def schema_names() -> tuple[str, ...]:
    """Return the names of all schemas, sorted."""
    return tuple(sorted(path.name.removesuffix(_SUFFIX) for path in _folder().glob(f"*{_SUFFIX}")))


def load_schema(name: str) -> dict[str, Json]:
    """Return the schema called ``name``; raise :exc:`KeyError` if there is none."""
    if name not in schema_names():
        raise KeyError(name)
    schema: dict[str, Json] = json.loads((_folder() / f"{name}{_SUFFIX}").read_text("utf-8"))
    return schema


@functools.cache
def validator(name: str) -> Draft202012Validator:
    """Return a validator for ``name`` that checks formats; raise :exc:`KeyError` if none."""
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    schemas = {each: load_schema(each) for each in schema_names()}
    registry: Registry[Json] = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas.values()
    )
    return Draft202012Validator(schemas[name], registry=registry, format_checker=_format_checker())


def _format_checker() -> FormatChecker:
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    checker.checks("uri", raises=ValueError)(_is_web_address)
    checker.checks("date", raises=ValueError)(_is_date)
    checker.checks("date-time", raises=ValueError)(_is_date_time)
    return checker


def _is_web_address(value: object) -> bool:
    """Return whether a reader can open ``value`` and knows where it leads.

    Other schemes run code (``javascript:``) or lead nowhere; what stands before an ``@`` can look
    like the host.
    """
    if not isinstance(value, str):
        return True
    parts = urlsplit(value)
    labels = (parts.hostname or "").removesuffix(".").split(".")
    return (
        parts.scheme in {"http", "https"}
        and all(labels)
        and parts.port != 0  # A port that is not a number raises ValueError.
        and "@" not in parts.netloc
        and not _NOT_IN_ADDRESSES.search(value)
    )


def _is_date(value: object) -> bool:
    if isinstance(value, str):
        datetime.datetime.strptime(value, "%Y-%m-%d")
    return True


def _is_date_time(value: object) -> bool:
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value).tzinfo is not None
    return True
