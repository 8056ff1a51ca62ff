"""What the pages show of a report, in the order they show it.

The HTML and the Markdown template receive one :class:`View`; everything that needs thought is
decided here, so that the templates only lay out. All strings are still as hostile as they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.report.build import SEVERITY, worst
from conformance.report.comparisons import (
    Curve,
    Tree,
    curves_of,
    kinds_of,
    trees_of,
)
from conformance.report.headline import headline, partial_notice, selection_notice
from conformance.report.speeds import Speed, speeds_of
from conformance.verdicts import Json, Verdict, command_to_repeat

_MAX_NESTING = 3
REPEATED = 10
"""How many findings one command names: for more, the whole submission is judged again."""


@dataclass(frozen=True, slots=True)
class Card:
    """Findings that say the same, shown once: ``entry`` is the first of them.

    ``command`` makes them again; of more than :data:`REPEATED` it names none, and runs all checks.
    """

    entry: Mapping[str, Json]
    entries: tuple[Mapping[str, Json], ...]
    waiver: Mapping[str, Json] | None
    command: str

    @property
    def checks(self) -> tuple[str, ...]:
        """The checks that made the findings."""
        return tuple(dict.fromkeys(entry["check"] for entry in self.entries))

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects the findings are about."""
        return tuple(dict.fromkeys(entry["subject"] for entry in self.entries))

    @property
    def evidence(self) -> str:
        """The evidence as indented JSON, or nothing."""
        evidence = self.entry["evidence"]
        return json.dumps(evidence, indent=2, ensure_ascii=False) if evidence else ""


@dataclass(frozen=True, slots=True)
class Group:
    """All cards of one verdict; ``size`` counts findings."""

    verdict: str
    cards: tuple[Card, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Passed:
    """A check and the subjects that passed it."""

    check: str
    title: str
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """Everything a page shows.

    ``sample_verdicts`` has the most severe one by sample id, ``with_parameters`` the samples whose
    parameters were compared, ``kinds`` what a sample is if it is not a network by itself,
    ``interval_methods`` the metrics whose intervals each method gave.
    """

    report: Mapping[str, Json]
    headline: str
    selection: str
    partial: str
    counts: tuple[tuple[str, int], ...]
    groups: tuple[Group, ...]
    passed: tuple[Passed, ...]
    sample_verdicts: Mapping[str, str]
    with_parameters: tuple[Mapping[str, Json], ...]
    curves: tuple[Curve, ...]
    trees: tuple[Tree, ...]
    kinds: Mapping[str, str]
    interval_methods: tuple[tuple[str, tuple[str, ...]], ...]
    speeds: tuple[Speed, ...]
    environment: tuple[tuple[str, str], ...]
    timing: tuple[tuple[str, str], ...]


def view_of(report: Mapping[str, Json]) -> View:
    """Arrange a valid report for a page."""
    findings = report["findings"]
    return View(
        report=report,
        headline=headline(report),
        selection=selection_notice(report),
        partial=partial_notice(report),
        counts=tuple((v.value, report["summary"][v.value]) for v in reversed(SEVERITY)),
        groups=_groups(findings, report["environment"].get("submission")),
        passed=_passed(findings),
        sample_verdicts=_sample_verdicts(findings),
        with_parameters=tuple(s for s in report["samples"] if s["parameters"]),
        curves=curves_of(report),
        trees=trees_of(report),
        kinds=kinds_of(report),
        interval_methods=_interval_methods(report["samples"]),
        speeds=speeds_of(report),
        environment=tuple(_rows(report["environment"])),
        timing=tuple(
            _rows({k: v for k, v in report["timing"].items() if k != "compressed_inference"})
        ),
    )


def _groups(findings: Iterable[Mapping[str, Json]], folder: str | None) -> tuple[Group, ...]:
    by_verdict: dict[str, dict[str, list[Mapping[str, Json]]]] = {v.value: {} for v in SEVERITY}
    for entry in findings:
        by_verdict[entry["verdict"]].setdefault(_sameness(entry), []).append(entry)
    del by_verdict[Verdict.PASS]
    return tuple(
        Group(
            verdict,
            tuple(
                Card(
                    same[0],
                    tuple(same),
                    same[0]["evidence"].get("waiver"),
                    repeated(same, folder),
                )
                for same in folded.values()
            ),
            sum(map(len, folded.values())),
        )
        for verdict, folded in by_verdict.items()
        if folded
    )


def repeated(entries: Sequence[Mapping[str, Json]], folder: str | None) -> str:
    """Return the command that makes some findings again; nothing if their folder is not known."""
    if not folder:
        return ""
    findings = dict.fromkeys((entry["check"], entry["subject"]) for entry in entries)
    return command_to_repeat(str(folder), findings if len(findings) <= REPEATED else ())


def _sameness(entry: Mapping[str, Json]) -> str:
    """Return what findings have in common that are folded together.

    What was not run was mostly not run for one reason: there the check need not be the same.
    """
    apart = {"subject", "about", "test"}
    if entry["verdict"] == Verdict.NOT_RUN:
        apart |= {"check", "title", "clause", "where"}
    elif entry["verdict"] == Verdict.WAIVED:
        apart = set()
    return json.dumps({k: v for k, v in entry.items() if k not in apart}, sort_keys=True)


def _passed(findings: Iterable[Mapping[str, Json]]) -> tuple[Passed, ...]:
    by_check: dict[tuple[str, str], list[str]] = {}
    for entry in findings:
        if entry["verdict"] == Verdict.PASS:
            by_check.setdefault((entry["check"], entry["title"]), []).append(entry["subject"])
    return tuple(Passed(*key, tuple(subjects)) for key, subjects in by_check.items())


def _sample_verdicts(findings: Iterable[Mapping[str, Json]]) -> dict[str, str]:
    """Return the most severe required verdict by id of the sample."""
    by_sample: dict[str, list[Verdict]] = {}
    for entry in findings:
        sample = entry["about"].get("sample")
        if entry["required"] and sample is not None:
            by_sample.setdefault(sample, []).append(Verdict(entry["verdict"]))
    return {sample: worst(verdicts).value for sample, verdicts in by_sample.items()}


def _interval_methods(
    samples: Iterable[Mapping[str, Json]],
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    metrics: dict[str, dict[str, None]] = {}
    for sample in samples:
        for row in sample["metrics"]:
            if row["interval"]:
                metrics.setdefault(row["interval"]["method"], {})[row["metric"]] = None
    return tuple((method, tuple(named)) for method, named in metrics.items())


def _rows(value: Mapping[str, Json], nesting: int = 1) -> Iterator[tuple[str, str]]:
    """Flatten nested objects to rows of dotted names and texts."""
    for key, item in sorted(value.items()):
        if isinstance(item, dict) and item and nesting < _MAX_NESTING:
            for inner, text in _rows(item, nesting + 1):
                yield f"{key}.{inner}", text
        else:
            yield key, item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
