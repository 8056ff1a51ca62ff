"""Some findings of a run, named as ``CHECK:SUBJECT``: only these are made again."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence

from conformance.checks import BY_ID, Check
from conformance.judging.run import Target
from conformance.verdicts import ConformanceError

SHOWN = 5
"""How many of the names that there are a message lists."""


def tests_of(selected: Iterable[str], targets: Sequence[Target]) -> frozenset[str]:
    """Return the tests that make the ``selected`` findings, of all submissions that have them.

    Raises :class:`~conformance.verdicts.ConformanceError` for an unknown check or subject, and says
    what is most like it.
    """
    return frozenset(test for each in selected for test in _tests(each, targets))


def _tests(selected: str, targets: Sequence[Target]) -> list[str]:
    name, colon, subject = selected.partition(":")
    check = BY_ID.get(name)
    if check is None or not colon:
        raise _unknown(
            f"{name!r} is not the id of a check" if check is None else f"{name} needs a subject",
            "CHECK:SUBJECT, with a CHECK such as",
            selected,
            BY_ID,
            "`nnr-conformance checks` lists the checks, a report their subjects",
        )
    planned = [each for target in targets for each in target.planned if each.check == check]
    found = [each.test for each in planned if each.subject.id == subject]
    if not found:
        raise _no_subject(check, subject, {each.subject.id for each in planned}, targets)
    return found


def _no_subject(
    check: Check, subject: str, known: Collection[str], targets: Sequence[Target]
) -> ConformanceError:
    if not known and any(target.loaded.submission is None for target in targets):
        names = ", ".join(str(t.loaded.root) for t in targets if t.loaded.submission is None)
        fix = f"first fix the findings of `nnr-conformance check` on the metadata of {names}"
    else:
        fix = "copy check and subject from the finding in the report"
    return _unknown(
        f"{check.id} has no subject {subject!r} in what is judged",
        f"one of the subjects of {check.id}:",
        subject,
        known,
        fix,
    )


def _unknown(
    message: str, expected: str, found: str, known: Collection[str], fix: str
) -> ConformanceError:
    near = difflib.get_close_matches(found, sorted(known), SHOWN, 0.4) or sorted(known)[:SHOWN]
    return ConformanceError(
        message,
        expected=f"{expected} {', '.join(near)}{', …' if len(known) > len(near) else ''}"
        if near
        else f"{expected} nothing",
        found=found or "nothing",
        fix=fix,
    )
