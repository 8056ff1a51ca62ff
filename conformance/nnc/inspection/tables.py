"""Plain text in columns, without escape sequences: it reads the same in a terminal and a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

MARGIN = "    "


def table(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> Iterator[str]:
    """Yield rows as lines whose columns are as wide as needed; ``right`` are flush right."""
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield MARGIN + "  ".join(cells).rstrip()


def shown(value: Any, most: int = 0) -> str:
    """Return a value as text on one line; ``most`` characters, or all for 0."""
    text = printable(value) if isinstance(value, str) else f"{value}"
    return text if not most or len(text) <= most else f"{text[: most - 3]}..."


def printable(text: str) -> str:
    """Return a text of the stream in quotes; control and other unprintable characters escaped."""
    return repr(text)


def place(bit: int) -> str:
    """Return a place in a file as byte and bit: ``66.3``."""
    return f"{bit // 8}.{bit % 8}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 byte``, ``2 bytes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def share(part: int, whole: int) -> str:
    """Return a part in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "-"
