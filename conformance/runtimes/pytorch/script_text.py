"""The text of TorchScript code as a syntax tree; what could be read in two ways is refused.

PyTorch has its own parser. What it and Python's might understand differently (comments,
prefixes of strings, odd characters) does not occur in what PyTorch writes, and is not accepted.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from typing import NoReturn

from conformance.verdicts import (
    ConformanceError,
    LimitError,
    Location,
    MalformedError,
    UnsupportedError,
)

MAX_NESTING = 200
_TEXT = re.compile(r"[\n\x20-\x7e]*")
_AGAIN = "Save the model again with torch.jit.save: the code is damaged or was edited."


@dataclass(frozen=True, slots=True)
class Source:
    """One file of code, and the errors in it."""

    file: str
    member: str
    module: str

    def where(self, line: int | None) -> Location:
        """Return the place of a line."""
        place = f"{self.member} line {line}" if line else self.member
        return Location(self.file, element=place)

    def malformed(
        self, message: str, line: int | None, expected: str, found: str
    ) -> MalformedError:
        """Return the error for code that PyTorch does not write."""
        return MalformedError(
            message, where=self.where(line), expected=expected, found=found, fix=_AGAIN
        )

    def unsupported(self, message: str, line: int, found: str, fix: str) -> NoReturn:
        """Raise UnsupportedError for code that is not run here."""
        raise UnsupportedError(
            message,
            where=self.where(line),
            expected="code that does nothing when it is loaded, and operators of PyTorch itself",
            found=found,
            fix=fix,
        )


def parsed(source: Source, data: bytes) -> ast.Module:
    """Return the syntax tree of one file of code.

    MalformedError for text that PyTorch does not write, LimitError for what is nested too deeply.
    """
    text = data.decode("latin-1")
    if not _TEXT.fullmatch(text):
        raise source.malformed(
            "code holds characters that PyTorch does not write",
            None,
            "printable ASCII characters and line feeds",
            ascii(re.sub(_TEXT, "", text)[:20]),
        )
    _check_tokens(source, text)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise source.malformed(
            "code cannot be read", error.lineno, "TorchScript as PyTorch writes it", str(error.msg)
        ) from error
    except (RecursionError, MemoryError) as error:
        raise _too_deep(source, None) from error
    _check_depth(source, tree)
    return tree


def _check_tokens(source: Source, text: str) -> None:
    """Refuse what Python and TorchScript might read differently, such as comments."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            odd = token.type == tokenize.STRING and (
                token.string[0] not in "\"'" or token.string[:3] in ('"""', "'''")
            )
            if odd or token.type == tokenize.COMMENT or token.string in {";", ":="}:
                raise source.malformed(
                    "code holds something that PyTorch does not write",
                    token.start[0],
                    "no comments, no semicolons, and strings in plain quotes",
                    token.string[:40],
                )
    except (tokenize.TokenError, SyntaxError) as error:
        raise source.malformed(
            "code cannot be read", None, "TorchScript as PyTorch writes it", str(error.args[0])
        ) from error


def _check_depth(source: Source, tree: ast.Module) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(MAX_NESTING):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise _too_deep(source, getattr(level[0], "lineno", None))


def _too_deep(source: Source, line: int | None) -> ConformanceError:
    return LimitError(
        "code is nested too deeply",
        where=source.where(line),
        expected=f"at most {MAX_NESTING} levels",
        found="more",
        fix="Export a network with simpler expressions.",
    )
