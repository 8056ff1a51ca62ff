"""Loading a submission: its folder becomes a :class:`Submission`, or a list of what is wrong.

``load(folder).problems`` holds everything that is wrong with the metadata and the files, found in
one pass and each defect once. Nothing is ever written into the folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from conformance.submission.building import build_submission
from conformance.submission.claims import find_missing_claims
from conformance.submission.datasets import find_odd_data
from conformance.submission.defects import Defect, to_findings
from conformance.submission.files import FileFacts, check_files
from conformance.submission.licences import find_bad_licences
from conformance.submission.positions import Pointer, pointer_text
from conformance.submission.reading import (
    DEFAULT_LIMITS,
    Document,
    Limits,
    read_document,
)
from conformance.submission.references import (
    find_duplicate_ids,
    find_reference_problems,
    find_repeated_measurements,
    find_repeated_shards,
)
from conformance.submission.text import shown
from conformance.submission.tolerances import find_empty_tolerances, find_unusable_tolerances
from conformance.submission.update_rules import find_update_problems
from conformance.submission.values import Submission
from conformance.submission.violations import Violation, find_violations
from conformance.verdicts import Finding


@dataclass(frozen=True, slots=True)
class Loaded:
    """A submission folder and what was found about it.

    ``submission`` is there when the metadata hold together: when they follow the schema, no id is
    used twice and no reference dangles. Files, licences and tolerances may have problems even so.
    ``files`` are the facts of the files that are as listed; ``metadata_sha256`` is the digest of
    ``submission.json``. ``advice`` is what could be better, and is not part of any verdict.
    ``ignored`` names what version control keeps at the top of the folder.
    """

    root: Path
    id: str
    submission: Submission | None
    problems: tuple[Finding, ...]
    files: Mapping[str, FileFacts]
    metadata_sha256: str
    advice: tuple[Finding, ...] = ()
    ignored: tuple[str, ...] = ()


def load(
    folder: Path,
    known: Mapping[str, FileFacts] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Loaded:
    """Load the submission in ``folder``.

    ``known`` are facts of an earlier :class:`Loaded`: files that have not changed since are not
    hashed again. Raise :exc:`UnreadableSubmissionError` if ``submission.json`` cannot be read.
    """
    document = read_document(folder, limits)
    violations = find_violations(document.data, limits.problems)
    refused = _first(limits, _find_repeats(document), _schema_problems(document, violations))
    loose = _first(
        limits,
        find_duplicate_ids(document.data),
        find_repeated_measurements(document.data),
        () if document.repeats else find_reference_problems(document.data, violations),
        find_update_problems(document.data),
    )
    listed = check_files(document, known or {}, limits, violations)
    others = _first(
        limits,
        find_bad_licences(document.data),
        find_unusable_tolerances(document.data),
        find_empty_tolerances(document.data),
        find_missing_claims(document.data),
        find_repeated_shards(document.data),
    )
    certain = _without_consequences(
        [*loose, *listed.problems, *others], _broken(document, violations)
    )
    odd = () if refused or loose else _first(limits, find_odd_data(document.data))
    name = _submission_id(document)
    return Loaded(
        root=document.root,
        id=name,
        submission=None if refused or loose else build_submission(document.root, document.data),
        problems=to_findings(_first(limits, refused, certain), document, name),
        files=listed.files,
        metadata_sha256=document.sha256,
        advice=to_findings([*listed.advice, *odd], document, name),
        ignored=listed.ignored,
    )


def _first(limits: Limits, *sources: Iterable[Defect]) -> list[Defect]:
    return list(islice(chain(*sources), limits.problems))


def _submission_id(document: Document) -> str:
    data = document.data
    name = data.get("id") if isinstance(data, dict) else None
    return name if isinstance(name, str) and name.strip() else document.root.name


def _schema_problems(document: Document, violations: tuple[Violation, ...]) -> Iterator[Defect]:
    repeated = {place.pointer for place in document.repeats}
    return (_schema_defect(each) for each in violations if not _is_inside(each.pointer, repeated))


def _schema_defect(violation: Violation) -> Defect:
    lacks = bool(violation.missing) and not violation.key
    return Defect(
        check="SUBMISSION-SCHEMA-001",
        message=violation.message,
        expected=violation.expected,
        found=violation.found,
        fix=violation.fix,
        pointer=violation.pointer,
        demanded=(*violation.pointer, violation.missing[0]) if lacks else None,
        at_key=violation.key is not None,
    )


def _find_repeats(document: Document) -> Iterator[Defect]:
    for place in document.repeats:
        key = str(place.pointer[-1])
        yield Defect(
            check="SUBMISSION-SCHEMA-001",
            message=f"the key {shown(key)} is there twice",
            expected="each key once in an object",
            found=f"a second {shown(key)} at {pointer_text(place.pointer)}",
            fix="Delete or rename one of them.",
            pointer=place.pointer,
            at_key=True,
            place=place,
        )


def _broken(document: Document, violations: tuple[Violation, ...]) -> set[Pointer]:
    """Return where a value is refused as a whole, or may be another than the one read."""
    refused = {each.pointer for each in violations if not each.key and not each.missing}
    return refused | {place.pointer for place in document.repeats}


def _without_consequences(problems: list[Defect], broken: set[Pointer]) -> Iterator[Defect]:
    return (each for each in problems if not _is_inside(each.pointer or (), broken))


def _is_inside(pointer: Pointer, outer: set[Pointer]) -> bool:
    return any(pointer[:length] in outer for length in range(len(pointer) + 1))
