"""NNEF text in tokens, with all that the native parser would misread kept away from it.

That parser takes control characters for keywords, wraps integers around and ends the process on
deep nesting. So it only ever sees text that was cut into these tokens first.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NoReturn

from conformance.runtimes.nnef.files.stored import StoredFile
from conformance.verdicts import MalformedError

Kind = Literal["name", "number", "string", "sign", "end"]

KEYWORDS = frozenset({
    *("version", "extension", "graph", "fragment", "tensor", "integer", "scalar", "logical"),
    *("string", "true", "false", "for", "in", "if", "else", "yield"),
    *("length_of", "shape_of", "range_of"),
})  # fmt: skip

MAX_NAME = 1024
"""The most characters of a name or a quoted string."""

_USUAL_NAME = 64
_MAX_INTEGER = (1 << 31) - 1
_MAX_SCALAR = 3.4028234663852886e38
_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n\f\v]+|\#[^\r\n]*)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)
    |(?P<string>'[ !\#-&(-~]*'|"[ !\#-&(-~]*")
    |(?P<sign>->|&&|\|\||<=|>=|==|!=|[][(){}<>,;:=?+*/^!-])
    """,
    re.VERBOSE,
)
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text; ``offset`` counts characters from 0."""

    kind: Kind
    text: str
    offset: int

    @property
    def is_keyword(self) -> bool:
        """Whether it is a word of the language and no name."""
        return self.kind == "name" and self.text in KEYWORDS

    @property
    def shown(self) -> str:
        """The token in a message."""
        return "the end of the file" if self.kind == "end" else repr(self.text[:80])


class Source:
    """The text of a file, in tokens; ``clean`` is the text without comments, line for line."""

    def __init__(self, text: str, file: StoredFile) -> None:
        self.file = file
        self._text = text
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
        clean: list[str] = []
        self.tokens = list(self._cut(clean))
        self.clean = "".join(clean)

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column, both from 1."""
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def refuse(self, offset: int, message: str, expected: str, found: str) -> NoReturn:
        """Raise MalformedError about what is at ``offset``."""
        raise MalformedError(
            message,
            where=self.file.at_line(*self.position(offset)),
            expected=expected,
            found=found,
            fix="Correct the syntax, or export the model again.",
        )

    def _cut(self, clean: list[str]) -> Iterator[Token]:
        offset, end = 0, len(self._text)
        while offset < end:
            match = _TOKEN.match(self._text, offset)
            if match is None:
                self._refuse_character(offset)
            kind, text = match.lastgroup, match.group()
            offset = match.end()
            if kind != "blank":
                token = Token(kind, text, match.start())  # type: ignore[arg-type]
                self._check(token)
                yield token
            clean.append("" if text.startswith("#") else text)
        yield Token("end", "", end)

    @property
    def spare(self) -> int:
        """Characters of comments and overlong names, and blanks beyond as many as the rest has."""
        needed = sum(min(len(token.text), _USUAL_NAME) for token in self.tokens)
        blanks = len(self.clean) - sum(len(token.text) for token in self.tokens)
        return len(self._text) - needed - min(blanks, needed)

    def _check(self, token: Token) -> None:
        if len(token.text) > MAX_NAME:
            self.refuse(
                token.offset,
                "a name or text is too long",
                f"at most {MAX_NAME} characters",
                f"{len(token.text)} characters",
            )
        if token.kind == "number":
            self._check_number(token)

    def _check_number(self, token: Token) -> None:
        value = number_of(token)
        if isinstance(value, int) and value > _MAX_INTEGER:
            self.refuse(token.offset, "an integer is too large", "at most 2^31 - 1", token.shown)
        if not math.isfinite(value) or value > _MAX_SCALAR:
            self.refuse(token.offset, "a number is too large", "a value of float32", token.shown)

    def _refuse_character(self, offset: int) -> NoReturn:
        character = self._text[offset]
        if character in "'\"":
            self.refuse(
                offset,
                "a quoted string is not closed, or has characters that are not allowed",
                "printable ASCII characters other than quotes, on one line",
                repr(self._text[offset : offset + 40]),
            )
        self.refuse(offset, "a character is not one of NNEF", "NNEF text", repr(character))


def number_of(token: Token) -> int | float:
    """Return the value of a number."""
    text = token.text
    return int(text) if text.isdigit() else float(text)
