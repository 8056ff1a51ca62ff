"""Make text that somebody else chose harmless to read: nothing in it is invisible or acts.

Ids, file names, tensor names and values are chosen by the submitter. Whatever prints or renders
them writes control characters (a terminal obeys them), and marks that reorder or hide text, as
escapes. What is one line to us stays one: a name with a newline in it does not begin a new line.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

# Control characters except tab and newline; zero-width and bidirectional marks, with which one
# text can look like another (Unicode Technical Report 36); what XML 1.0 does not allow.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)

_LABEL = 9
"""Columns of a label and the blanks after it."""
_COMMAND = "  to repeat "
"""A line that begins so is copied into a shell."""


def visible(text: str) -> str:
    r"""Write characters that cannot be seen as escapes: ``\u202e``. Tabs and newlines stay."""
    return _HIDDEN.sub(_escape_of, text)


def one_line(text: str) -> str:
    r"""Write what cannot be seen, and tabs and newlines, as escapes: ``\n``."""
    return visible(text).replace("\t", r"\t").replace("\n", r"\n")


def labelled(head: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return ``head`` and below it the rows that say anything, each text on one line."""
    lines = (f"  {name:<{_LABEL}} {one_line(text)}" for name, text in rows if text)
    return "\n".join([one_line(head), *lines])


def wrapped(text: str, columns: int) -> str:
    """Break lines at spaces where a terminal of ``columns`` would break words; commands stay whole.

    Every text goes on below the first word after the labels: it never looks like a line itself.
    """
    lines = []
    for line in text.split("\n"):
        whole = len(line) < columns or line.startswith(_COMMAND)
        lines += [line] if whole else _broken(line, columns - 1)
    return "\n".join(lines)


def _broken(line: str, columns: int) -> list[str]:
    return textwrap.wrap(
        line,
        columns,
        subsequent_indent=" " * (_LABEL + 3),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _escape_of(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
