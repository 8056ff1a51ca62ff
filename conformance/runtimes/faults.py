r"""What a library raises, said as a ConformanceError: each format has tables of what it may be.

::

    REFUSALS = (
        Fault(
            kind=UnsupportedError,
            signs=(re.compile(r"no operator named (?P<op>\w+)"),),
            message="the network uses an operator that the library has not: {op}",
            ...
        ),
        too_large("bad_alloc"),
        Fault(kind=MalformedError, message="the library cannot load the network", ...),
    )
    raise as_error(error, plain(error), REFUSALS, where)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from conformance.verdicts import ConformanceError, LimitError, Location, Problem

Sign: TypeAlias = str | re.Pattern[str] | type[Exception]
"""What a fault is known by: a part of what the library says, or the class of what it raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Problem):
    """A row of a table: a problem that a library reports, and the ``kind`` of error that it is.

    It is there if any of ``signs`` is; one without signs is whatever else the library raises.
    ``message``, ``expected`` and ``found`` may hold ``{text}``, which is what the library says, and
    the names of groups of the sign.
    """

    kind: type[ConformanceError] = ConformanceError
    signs: tuple[Sign, ...] = ()
    found: str = "{text}"

    def words(self, error: Exception, text: str) -> Mapping[str, str] | None:
        """Return the groups of the first sign that is there; None if none is."""
        for sign in self.signs:
            if isinstance(sign, re.Pattern):
                if match := sign.search(text):
                    return {name: word for name, word in match.groupdict().items() if word}
            elif sign in text if isinstance(sign, str) else isinstance(error, sign):
                return {}
        return None if self.signs else {}

    def at(self, where: Location | None, text: str, **words: str) -> ConformanceError:
        """Return the error, at a place and with the words that the library has for it."""
        said = {**words, "text": text}
        problem = Problem(
            message=self.message.format_map(said),
            expected=self.expected.format_map(said),
            found=self.found.format_map(said),
            where=where,
            fix=self.fix,
        )
        return problem.error(self.kind)


def recognised(
    error: Exception, text: str, faults: Sequence[Fault]
) -> tuple[Fault, Mapping[str, str]]:
    """Return the first of ``faults`` that an error with this text is, and the groups of its sign.

    The last one must be without signs.
    """
    found = ((fault, fault.words(error, text)) for fault in faults)
    return next((fault, words) for fault, words in found if words is not None)


def as_error(
    error: Exception, text: str, faults: Sequence[Fault], where: Location | None
) -> ConformanceError:
    """Return what a library raised, and says in ``text``, as the first of ``faults`` that it is."""
    fault, words = recognised(error, text, faults)
    return fault.at(where, text, **words)


def too_large(*signs: Sign) -> Fault:
    """Return the fault that memory cannot be had, known by ``signs``."""
    return Fault(
        kind=LimitError,
        signs=signs,
        message="the network asks for more memory than there is",
        expected="tensors that fit into memory",
        fix="Reduce the network or its inputs, or judge it with a higher memory limit.",
    )


def cannot_run(library: str) -> Fault:
    """Return the fault that ``library`` cannot run a network on its inputs: either may be wrong."""
    return Fault(
        message="the network cannot be run on these inputs",
        expected="outputs",
        fix=f"Run the network in {library} on these inputs, which are as submission.json declares "
        "them, and fix what it reports: export the network again, or declare and store inputs that "
        "it can take.",
    )
