"""Whether licences are SPDX expressions."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from conformance.submission.defects import Defect
from conformance.submission.positions import Pointer
from conformance.submission.sections import entries
from conformance.submission.text import is_placeholder, listing, nearest, shown
from conformance.verdicts import Json

if TYPE_CHECKING:
    from license_expression import Licensing

_MOST_CHARACTERS = 1000
_REFERENCE = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")


def find_bad_licences(data: Json) -> Iterator[Defect]:
    """Yield a problem for each licence that is not an SPDX expression."""
    for pointer, value in _licences(data):
        if (complaint := _complaint(value)) is not None:
            yield _defect(pointer, value, *complaint)


def _licences(data: Json) -> Iterator[tuple[Pointer, str]]:
    for owner in (entries(data), entries(data, "datasets")):
        for pointer, entry in owner:
            value = entry.get("license")
            if isinstance(value, str) and _is_judged(value):
                yield (*pointer, "license"), value


def _is_judged(value: str) -> bool:
    # Whatever else is wrong with the text, the schema says.
    return bool(value.strip()) and len(value) <= _MOST_CHARACTERS and not is_placeholder(value)


@functools.cache
def _licensing() -> Licensing:
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


@functools.lru_cache(maxsize=1024)
def _complaint(expression: str) -> tuple[str, str] | None:
    """Return what is wrong and how to fix it, or None."""
    from license_expression import ExpressionError

    try:
        parsed = _licensing().parse(expression, strict=True)
    except (ExpressionError, AssertionError, IndexError, RecursionError):
        # The library lets the last three out for expressions such as "()".
        return "is not an SPDX expression", "Join SPDX identifiers by AND, OR and WITH."
    keys = _licensing().unknown_license_keys(parsed, unique=True)
    unknown = [key for key in keys if not _REFERENCE.fullmatch(key)]
    if not unknown:
        return None
    meant = nearest(unknown[0], _known_licences(unknown[0][0].lower()))
    hint = f"Did you mean {meant}? " if meant else ""
    fix = f"{hint}Otherwise write LicenseRef-NAME for a licence that SPDX does not list."
    return f"names what SPDX does not list: {listing(unknown)}", fix


@functools.cache
def _known_licences(letter: str) -> tuple[str, ...]:
    """Return the licences that SPDX lists under a letter."""
    symbols = _licensing().known_symbols.items()
    licences = (key for key, symbol in symbols if not symbol.is_exception)
    return tuple(key for key in licences if key[0].lower() == letter and not _REFERENCE.match(key))


def _defect(pointer: Pointer, value: str, message: str, fix: str) -> Defect:
    return Defect(
        check="SUBMISSION-LICENSE-001",
        message=f"license {message}",
        expected="an SPDX licence expression, such as CC-BY-4.0 or BSD-3-Clause AND MIT",
        found=shown(value),
        fix=fix,
        pointer=pointer,
    )
