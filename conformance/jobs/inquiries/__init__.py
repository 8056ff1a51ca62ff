"""What a command asks about files of its caller, each question a task of the worker.

Only the worker process imports this package: it parses files that came from somebody else. A
request names the question, its arguments and a folder; the answer is JSON, and everything that is
long goes into that folder: what the command prints, and files that the parent moves to where the
caller wants them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

from conformance.jobs.inquiries.asked import Asked, EndedError
from conformance.sandbox.limits import Limits
from conformance.verdicts import Json

QUESTIONS: Mapping[str, str] = {
    "describe": "networks:describe",
    "start": "networks:start",
    "spread": "outputs:spread",
    "digest": "tensors:digest",
    "nnc-inspect": "streams:inspect",
    "nnc-validate": "streams:validate",
    "nnc-features": "streams:features",
    "nnc-decode": "streams:decode",
}
"""The function that answers each question, by its module in this package."""

_LAID_BY = 4 << 20
_LOST_ERROR = "without setting an exception"
_FAILED = 1


class Dispatcher:
    """Answers one question after the other."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def evaluate(self, request: Mapping[str, Json]) -> Json:
        """Return the exit code of a command, the words it ends with, and facts for the parent.

        Raises :class:`~conformance.verdicts.ConformanceError` for what is wrong with a file.
        """
        module, _, name = QUESTIONS[request["question"]].partition(":")
        function = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        asked = Asked(request["arguments"], Path(request["out"]), self.limits)
        try:
            return self._answer(function, asked)
        except EndedError as ended:
            return {"code": ended.code, "error": ended.text, "option": ended.option}
        finally:
            asked.close()

    def _answer(self, function: Callable[[Asked], Json], asked: Asked) -> Json:
        """Answer, and end in words where memory ends.

        To leave a ``with`` block CPython 3.11 needs a few bytes, and where there are none it tries
        again without end. So the error is caught around the call alone, and memory that was kept
        back is given free before anything else is done.
        """
        kept_back = bytearray(_LAID_BY)
        try:
            return {"code": 0, "error": None, **function(asked)}
        except MemoryError:
            del kept_back
        except SystemError as error:
            # Where not a byte is left, CPython can lose the MemoryError on its way here.
            del kept_back
            if _LOST_ERROR not in str(error):
                raise
        mebibytes = self.limits.memory_bytes >> 20
        raise EndedError(
            f"there is not enough memory for what the file asks for: {mebibytes} MiB of address "
            "space are allowed; --memory-limit gives more",
            _FAILED,
        )
