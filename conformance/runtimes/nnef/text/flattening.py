"""Graphs with fragments and operator expressions, made flat by the native parser.

That parser divides by zero, recurses without end and reads past the end of its lists on hostile
fragments, and it ends the process when it does. So it works in its own process, with little memory
and time; what it returns is text, which is read as any other.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from conformance.runtimes.nnef.files.stored import StoredFile
from conformance.runtimes.nnef.text import flatten_process
from conformance.runtimes.nnef.text.parse_errors import place_of
from conformance.runtimes.nnef.text.syntax import MAX_TEXT
from conformance.runtimes.nnef.text.tokens import Source, Token
from conformance.verdicts import LimitError, MalformedError, UnsupportedError

SECONDS = 10
"""The most time that flattening may take."""

_OPENING, _CLOSING = {"(", "["}, {")", "]"}
_ENDS = {",", ")", "]", ";", ":", "else", ""}
_FIX = "Write the graph in flat NNEF: nnef.save_graph(nnef.load_graph(folder, lowered=[...]), new)."


def flattened(source: Source) -> str:
    """Return the graph of ``source`` as flat NNEF: every fragment and expression written out.

    Raises MalformedError if the parser refuses it or dies of it, LimitError if that takes too
    long, or the flat text is too long, UnsupportedError for what it would read otherwise than NNEF
    defines it.
    """
    _check_signs(source)
    pairs = itertools.pairwise(source.tokens)
    fragments = [name.text for word, name in pairs if word.text == "fragment"]
    request = json.dumps({"text": source.clean, "fragments": fragments, "most": MAX_TEXT})
    with tempfile.TemporaryFile() as answer:
        try:
            done = subprocess.run(
                [sys.executable, "-I", str(Path(flatten_process.__file__))],
                input=request.encode(),
                stdout=answer,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _too_long(source.file, f"more than {SECONDS} seconds") from error
        answer.seek(0)
        said = answer.read(MAX_TEXT)
    return _text_of(done.returncode, said, source.file)


def _text_of(code: int, said: bytes, file: StoredFile) -> str:
    """Return the document that the process answered with."""
    if code == flatten_process.REFUSED:
        raise _refused(file, said.decode("utf-8", "replace"))
    if code == flatten_process.TOO_LONG:
        raise _too_long(file, "more")
    if code != 0:
        raise _refused(
            file,
            f"the parser died of it (exit status {code}), as it does of a fragment that calls "
            "itself, and of brackets that are nested deeply",
        )
    return said.decode("utf-8")


def _check_signs(source: Source) -> None:
    """Refuse a sign before a part of an expression: ``-x + y`` is read as ``-(x + y)``."""
    tokens = source.tokens
    for place, token in enumerate(tokens[1:-1], start=1):
        before = tokens[place - 1]
        is_sign = token.text in {"-", "!"} and token.kind == "sign"
        ends_value = before.kind in {"number", "string"} or before.text in {")", "]"}
        is_name = before.kind == "name" and not before.is_keyword
        if not is_sign or ends_value or is_name:
            continue
        behind = tokens[_operand_end(tokens, place + 1)]
        if behind.text not in _ENDS:
            raise UnsupportedError(
                "a sign stands before a part of an expression",
                where=source.file.at_line(*source.position(token.offset)),
                expected="brackets around the sign and its operand: (-x) + y",
                found=f"{token.text} ... {behind.shown}: the parser reads it as -(x + y)",
                fix="Write the brackets, or the graph in flat NNEF.",
            )


def _operand_end(tokens: Sequence[Token], place: int) -> int:
    """Return the place after the operand at ``place``: a word or brackets, then more brackets."""
    if tokens[place].text not in _OPENING:
        place += 1
    while tokens[place].text in _OPENING:
        depth = 1
        while depth and tokens[place].kind != "end":
            place += 1
            depth += (tokens[place].text in _OPENING) - (tokens[place].text in _CLOSING)
        place += tokens[place].kind != "end"
    return place


def _refused(file: StoredFile, found: str) -> MalformedError:
    place, text = place_of(found)
    return MalformedError(
        "the fragments and expressions of the graph cannot be written out",
        where=file.at_line(*place) if place else file.where("graph"),
        expected="NNEF 1.0 that its parser reads",
        found=text,
        fix=f"Correct the syntax. {_FIX}",
    )


def _too_long(file: StoredFile, found: str) -> LimitError:
    return LimitError(
        "the graph grows too large when its fragments are written out",
        where=file.where("graph"),
        expected=f"at most {MAX_TEXT} bytes, in at most {SECONDS} seconds",
        found=found,
        fix=_FIX,
    )
