"""What TensorFlow and Keras raise, said as a ConformanceError."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from conformance.runtimes.faults import Fault, as_error, cannot_run, too_large
from conformance.verdicts import ConformanceError, Location, MalformedError

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
DAMAGED = "Export the model again: the file is damaged or was cut short."
_TOO_LARGE = too_large("ResourceExhaustedError", "InternalError: Failed to allocate")
FAILED_RUN = cannot_run("TensorFlow")


@contextmanager
def explained(fault: Fault, place: Callable[[str | None], Location]) -> Iterator[None]:
    """Turn whatever a library raises inside into ``fault``.

    ``place`` returns where it is, given the node that the library names, if any. A ConformanceError
    passes, and so does MemoryError; what TensorFlow cannot allocate is a LimitError.
    """
    try:
        yield
    except (ConformanceError, MemoryError):
        raise
    except Exception as error:
        match = _NODE.search(str(error))
        where = place(f"node {match[1]}" if match else None)
        raise as_error(error, plain(error), (_TOO_LARGE, fault), where) from error


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
    words.setdefault("fix", DAMAGED)
    return MalformedError(message, where=Location(file, **place), **words)  # type: ignore[arg-type]
