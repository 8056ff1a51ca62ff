"""Facts of a report: what was judged and measured, by name, one value each.

``facts(report)`` is a flat mapping, so that two reports can be compared line by line. Its names are

- ``verdict`` and ``exit_code`` of the submission;
- ``finding CHECK SUBJECT``: the verdict of the finding, where SUBJECT lacks the name of the
  submission (``.`` is the submission itself);
- ``evidence CHECK SUBJECT PATH``: what the finding is based on;
- ``PATH``: everything else. In a path, an object of a list is named by what identifies it
  (``samples fp16 metrics top1@test value``), so that an entry that is added moves no other.

Texts for readers, times, memory, counts of the kernel and the machine are not facts. Whatever a
later report holds in addition is one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

Facts = dict[str, Any]

NOT_FACTS = frozenset({"environment", "timing", "tool", "summary", "schema_version"})
"""Sections of a report about the run and the machine, and the counts of what is listed anyway."""
TEXTS = frozenset({"title", "method", "reason", "software", "versions", "contributor", "license"})
"""Keys, at any depth, of texts that the submission or the suite writes for readers."""
INEXACT = frozenset({"bytes_read"})
"""Keys of what a machine measures otherwise every time: what the kernel counts of a process."""
NAMES = (
    *("id", "name", "tensor", "sample", "family", "anchor", "test", "layer", "model", "root"),
    *("metric", "vectors", "unit", "check", "subject"),
)
"""Keys that identify an object of a list, in the order in which they make up its name."""
REPEATED = frozenset({"METRIC-DELTA-001", "METRIC-CLAIM-001", "LAYER-METRIC-001"})
"""Checks whose evidence stands in ``samples``, ``layered`` and METRIC-MEASURE-001 as well."""


def facts(report: Mapping[str, Any]) -> Facts:
    """Return the facts of one ``report.json``."""
    found: Facts = {}
    for finding in report["findings"]:
        check, subject = finding["check"], _without_submission(finding["subject"])
        name = f"{check} {subject}"
        seen = found.get(f"finding {name}")
        verdict = finding["verdict"]
        found[f"finding {name}"] = verdict if seen is None else f"{seen}, {verdict}"
        if check not in REPEATED:
            found |= leaves(finding["evidence"], ("evidence", name))
    rest = {key: report[key] for key in report.keys() - NOT_FACTS - {"findings"}}
    return found | leaves(rest)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Facts:
    """Return the values of nested ``value``, each by its path; a list of plain values is one."""
    if isinstance(value, Mapping):
        parts = [(key, each) for key, each in value.items() if key not in TEXTS | INEXACT]
    elif isinstance(value, Sequence) and any(isinstance(each, Mapping) for each in value):
        parts = list(_named(value))
    else:
        return {" ".join(path): value}
    return {
        name: leaf
        for key, each in parts
        for name, leaf in leaves(each, (*path, str(key) or "''")).items()
    }


def _named(entries: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield each entry by what identifies it, without that; by its number if nothing does."""
    naming = [_identity(each) if isinstance(each, Mapping) else {} for each in entries]
    names = ["@".join(map(str, identity.values())) for identity in naming]
    count = Counter(names)
    for number, (name, identity, each) in enumerate(zip(names, naming, entries, strict=True)):
        if identity and count[name] == 1:
            yield name, {key: part for key, part in each.items() if key not in identity}
        else:
            yield f"{name}#{number}", each


def _identity(entry: Mapping[str, Any]) -> Facts:
    return {key: entry[key] for key in NAMES if isinstance(entry.get(key), str | int)}


def _without_submission(subject: str) -> str:
    """Return ``subject`` without its first part: a run of several submissions may change that."""
    return subject.partition("/")[2] or "."


def difference(base: Mapping[str, Any], other: Mapping[str, Any]) -> Facts:
    """Return the facts of ``other`` that ``base`` lacks or has otherwise.

    What is missing is None, by the shortest beginning of names that none of ``other`` shares.
    """
    present = {beginning for name in other for beginning in _beginnings(name)}
    missing = {
        next((begins for begins in _beginnings(name) if begins not in present), name)
        for name in base.keys() - other.keys()
    }
    changed = {name: fact for name, fact in other.items() if not _same(name, base, other)}
    return changed | dict.fromkeys(missing)


def _beginnings(name: str) -> Iterator[str]:
    """Yield the name, word by word."""
    return accumulate(name.split(" "), "{} {}".format)


def lines(reference: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return one line for every fact that is not the same."""
    return [
        f"{name}: {_shown(name, reference)} -> {_shown(name, now)}"
        for name in sorted(reference.keys() | now.keys())
        if not _same(name, reference, now)
    ]


def _same(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return _shown(name, one) == _shown(name, other)


def _shown(name: str, known: Mapping[str, Any]) -> str:
    """Return a fact as it is stored: equal to the last digit is equal as text."""
    return _text(known[name]) if name in known else "(none)"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def read(path: Path) -> Any:
    """Return what is stored in ``path``; nothing, if there is no such file."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def write(path: Path, known: Mapping[str, Any]) -> None:
    """Store facts in ``path``, sorted, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = ",\n".join(f"{_text(name)}: {_text(known[name])}" for name in sorted(known))
    path.write_text(f"{{\n{body}\n}}\n", "utf-8")
