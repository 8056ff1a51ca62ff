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
_FOLDERS = (Path(__file__).parent / "schemas", Path(__file__).parents[1] / "schemas")


@functools.cache
def _folder() -> Path:
    return next(folder for folder in _FOLDERS if (folder / f"submission{_SUFFIX}").is_file())


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
    checker.checks("uri")(_is_uri)
    checker.checks("date", raises=ValueError)(_is_date)
    checker.checks("date-time", raises=ValueError)(_is_date_time)
    return checker


def _is_uri(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    if not parts.scheme or re.search(r"[\s<>\"{}|\\^`]", value):
        return False
    return bool(parts.hostname if parts.scheme in {"http", "https", "ftp"} else parts.path)


def _is_date(value: object) -> bool:
    if isinstance(value, str):
        datetime.datetime.strptime(value, "%Y-%m-%d")
    return True


def _is_date_time(value: object) -> bool:
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value).tzinfo is not None
    return True
