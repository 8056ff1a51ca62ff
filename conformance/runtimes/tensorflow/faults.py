"""What TensorFlow and Keras raise, said as a ConformanceError."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from conformance.runtimes._protocol import FAILED_RUN
from conformance.verdicts import ConformanceError, LimitError, Location, MalformedError

_MOST_TEXT = 400
_NODE = re.compile(r"\{\{node ([^}]+)\}\}")
_NOISE = re.compile(
    r"\{\{[^}]*\}\}|\[\[[^\]]*\]\]|\[Op:[^\]]*\]|Full object config: .*|config=\{.*"
)
_WRAPPING = re.compile(
    r"<class '[\w.]+'> could not be deserialized properly\..*?Exception encountered: |\x1b\[\d+m",
    re.DOTALL,
)
_PATHS = re.compile(r'(File )?"?(/[\w.+-]+){2,}(:\d+|", line \d+)?:?')
_EXHAUSTED = ("ResourceExhaustedError", "InternalError: Failed to allocate")


class _Explain(Protocol):
    def __call__(self, found: str, element: str | None, /) -> ConformanceError: ...


@contextmanager
def explained(explain: _Explain) -> Iterator[None]:
    """Turn whatever a library raises inside into the error that ``explain`` makes of its text.

    A ConformanceError passes, and so does MemoryError; what TensorFlow cannot allocate is a
    LimitError.
    """
    try:
        yield
    except (ConformanceError, MemoryError):
        raise
    except Exception as error:
        text = plain(error)
        match = _NODE.search(str(error))
        made = explain(text, f"node {match[1]}" if match else None)
        if any(sign in f"{type(error).__name__}: {text}" for sign in _EXHAUSTED):
            made = _too_large(text, made.where)
        raise made from error


def plain(error: Exception) -> str:
    """Return the kind and the message of an error on one line, without places in source code."""
    # Each layer of Keras wraps the cause in a paragraph about its own configuration.
    text = _WRAPPING.sub("", str(error).split("\n\nStack trace")[0])
    text = _PATHS.sub("", _NOISE.sub("", text))
    text = " ".join(text.split())
    return f"{type(error).__name__}: {text}"[:_MOST_TEXT].rstrip(": ")


def damaged(file: str, message: str, **words: object) -> MalformedError:
    """Return the error for a file that is not what its format says; ``words`` place it.

    They are ``byte_offset`` and ``element``, ``expected``, ``found`` and ``fix``.
    """
    place = {key: words.pop(key) for key in ("byte_offset", "element") if key in words}
    words.setdefault("fix", "Export the model again: the file is damaged or was cut short.")
    return MalformedError(message, where=Location(file, **place), **words)  # type: ignore[arg-type]


def failed_run(file: str) -> _Explain:
    """Return what explains the error of a run of a network that could be built."""

    def explain(found: str, element: str | None) -> ConformanceError:
        return ConformanceError(
            "the network cannot be run on these inputs",
            where=Location(file=file, element=element or "graph"),
            expected="outputs",
            found=found,
            fix=FAILED_RUN.format("TensorFlow"),
        )

    return explain


def _too_large(text: str, where: Location | None) -> LimitError:
    return LimitError(
        "the network asks for more memory than there is",
        where=where,
        expected="tensors that fit into memory",
        found=text,
        fix="Reduce the network or its inputs, or judge it with a higher memory limit.",
    )
