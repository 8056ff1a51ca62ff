"""Make hostile text harmless to read: clipped, nothing invisible, nothing that is markup.

Titles, file names and tensor names are chosen by the submitter. Every rendering passes them
through :func:`visible`; Markdown through :func:`escape_markdown` as well (HTML is escaped by
jinja2, XML by its writer).
"""

from __future__ import annotations

import re

# Control characters except tab and newline; zero-width and bidirectional marks, with which one
# text can look like another (Unicode Technical Report 36); what XML 1.0 does not allow.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_MARKDOWN = re.compile(r"[\\`*_\[\]<>&#|~$@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
# A comment splits the text, so that GitHub mails nobody who happens to be named in a submission.
_MARKDOWN_SPECIAL = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "@<!-- -->"}


def clip(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of ``text``, and say how many there were."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text):,} characters, all of them in report.json)"


def visible(text: str) -> str:
    r"""Write characters that cannot be seen as escapes: ``\u202e``."""
    return _HIDDEN.sub(_escape_of, text)


def escape_markdown(text: str) -> str:
    """Return one line of GitHub-flavoured Markdown, also inside a table, that reads as ``text``."""
    one_line = " ".join(visible(text).split())
    return _MARKDOWN.sub(_markdown_of, one_line)


def markdown_code(text: str) -> str:
    """Return one line of Markdown that shows ``text`` as code, in which nothing is markup."""
    one_line = " ".join(visible(text).splitlines())
    longest = max(map(len, re.findall("`+", one_line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{one_line}{space}{fence}"


def _escape_of(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def _markdown_of(match: re.Match[str]) -> str:
    return _MARKDOWN_SPECIAL.get(match.group(), "\\" + match.group())
