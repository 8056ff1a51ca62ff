"""The judge: what a check uses to look at evidence and to say what it found.

A check calls :meth:`Judge.require` for everything it demands and :meth:`Judge.passed` once it has
seen positive evidence. A check that says neither has not passed: it is an error of the suite.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NoReturn

from conformance.checks import Check
from conformance.evidence.evidence import Evidence
from conformance.judging.causes import Cause, by_cause, cause_of
from conformance.judging.conditions import conditions_of, in_words
from conformance.judging.framework_defaults import unlike_defaults
from conformance.judging.noise import value_in
from conformance.metrics.tolerance import EQUAL
from conformance.plan.jobs import KIND_OF, OWNER, Kind, is_network
from conformance.plan.results import (
    MetricRow,
    OriginalResult,
    OriginalRow,
    Outcome,
    R,
    ReconstructedRow,
    ReconstructionResult,
    Row,
    RunConditions,
    StateResult,
    TensorProblem,
)
from conformance.plan.subjects import Subject, kind_in_format
from conformance.submission.values import Metric
from conformance.verdicts import (
    ConformanceError,
    EvaluationError,
    Finding,
    Json,
    Location,
    NotRunError,
    Problem,
    Verdict,
)

OWNER_OF_LAYERS: Mapping[Kind, str] = {
    "state": "LAYER-DECODE-001",
    "reconstruction": "LAYER-RUN-001",
}
"""The same for subjects that are layers."""

METADATA = "submission.json"
GATES = ("SUBMISSION-READ-001", "SUBMISSION-SCHEMA-001")
"""Checks of the metadata without which later ones prove nothing, in their order."""


class Judge:
    """Gathers the findings of one check about one subject."""

    def __init__(
        self,
        check: Check,
        subject: Subject,
        problems: tuple[Finding, ...],
        metrics: Mapping[str, Metric],
        look_up: Callable[[Subject, Kind], Evidence],
    ) -> None:
        self.check = check
        self.subject = subject
        self._metrics = metrics
        self.findings: list[Finding] = []
        self._problems = problems
        self._look_up = look_up
        self._passed: Finding | None = None

    def adopt_problems(self) -> None:
        """Record what the loading of the metadata found for this check.

        Where the metadata cannot be read or do not follow the schemas, finding nothing more proves
        nothing: then :class:`NotRunError` is raised.
        """
        self.findings += [
            dataclasses.replace(problem, subject=self.subject.id)
            for problem in self._problems
            if problem.check == self.check.id
        ]
        if not self.findings:
            for gate in GATES[: _gates_before(self.check)]:
                self.require_gate(gate)

    def require_gate(self, gate: str) -> None:
        """Raise :class:`NotRunError` if the metadata did not pass the check ``gate``."""
        if any(problem.check == gate for problem in self._problems):
            raise NotRunError(
                "the metadata are not sound enough for this check to say anything",
                expected=f"{gate} passes",
                found=f"{gate} did not pass",
                fix=f"fix the findings of {gate} first",
            )

    @property
    def metric(self) -> Metric:
        """The metric the subject is about."""
        subject = self.subject
        if subject.metric is not None:
            return subject.metric
        named = subject.use or subject.declared
        if named is None:
            raise ValueError(f"{subject.id} has no metric")
        return self._metrics[named.metric]

    def in_order(self, metrics: Iterable[str]) -> list[str]:
        """Return ids of metrics in the order in which the metadata declare them."""
        order = {metric: place for place, metric in enumerate(self._metrics)}
        return sorted(metrics, key=lambda metric: order.get(metric, len(order)))

    @property
    def format_that_runs(self) -> str:
        """The format of the network that is run: the sample's own, or the original's."""
        subject = self.subject
        if subject.sample is not None and is_network(subject.sample):
            return subject.sample.codec
        return subject.model.format if subject.model is not None else ""

    def place_in_sample(self, element: str | None = None) -> Location:
        """Return where the sample of the subject is, or the part of it that the subject is about.

        A merge has no file: what is said about it is said of its metadata.
        """
        sample, part = self.subject.sample, self.subject.part
        if sample is None or not sample.files:
            return Location(METADATA, pointer=self.subject.pointer, element=element)
        files = sample.files if part is None else sample.parts[part].files
        return Location(files[0].rel_filepath, element=element)

    def place_in_network(self, element: str | None = None) -> Location:
        """Return where the network that runs is: the sample itself, or the original's file."""
        subject = self.subject
        if subject.model is None:
            raise ValueError(f"{subject.id} is not about a network")
        if subject.sample is not None and is_network(subject.sample):
            return self.place_in_sample(element)
        return Location(subject.model.files[0].rel_filepath, element=element)

    def require_declared_value(
        self, measured: MetricRow, more: Mapping[str, Json] = MappingProxyType({})
    ) -> None:
        """Judge the subject's declared metric value against the ``measured`` row.

        The evidence holds what is ``more`` as well.
        """
        declared = self.subject.declared
        if declared is None:
            raise ValueError(f"{self.subject.id} declares no value")
        value = float(measured.value)
        row = {
            "metric": declared.metric,
            "vectors": declared.vectors,
            "declared": declared.value,
            "measured": measured.value,
            **more,
        }
        expected = f"{declared.value:.10g} ± {declared.tolerance:g}, as declared"
        slack = EQUAL * max(1.0, abs(declared.value))
        self.require(
            math.isfinite(value) and abs(value - declared.value) <= declared.tolerance + slack,
            f"the declared value of {declared.metric!r} is not the measured one",
            expected=expected,
            found=f"{value:.10g}",
            where=Location("submission.json", pointer=f"{self.subject.pointer}/value"),
            fix=f"declare {value:.10g}, or submit the network and vectors that give the declared "
            f"value{unlike_defaults(self.format_that_runs)}"
            if math.isfinite(value)
            else "find out why the metric is no finite number here",
            evidence=row,
        )
        self.passed(
            f"{declared.metric} is {value:.10g}",
            expected=expected,
            found=f"{value:.10g}",
            evidence=row,
        )

    def require_fitting(self, problems: Iterable[TensorProblem]) -> None:
        """Record a finding for each way in which tensors are not as they must be."""
        self.require_none(map(cause_of, problems))

    def require_none(self, found: Iterable[Cause]) -> None:
        """Record a finding for each cause of what was found to be wrong."""
        for cause in by_cause(found):
            self.fail(cause.problem, evidence=cause.evidence)

    def require_all_items(self, measured: RunConditions) -> None:
        """Judge whether the network ran on every item of the subject's vectors."""
        if self.subject.vectors is None:
            raise ValueError(f"{self.subject.id} is about no vectors")
        self.require(
            measured.items == self.subject.vectors.items,
            "not every item was run",
            expected=f"{self.subject.vectors.items} items",
            found=f"{measured.items} items",
            where=Location("submission.json", pointer=self.subject.pointer),
            fix="declare the number of items that the vector files hold",
        )
        self.passed(
            f"all {measured.items} items were run",
            found=in_words(measured),
            evidence={"conditions": conditions_of(measured)},
        )

    def result(self, kind: type[R]) -> R:
        """Return what the subject's job with a result of this class has measured.

        If the job failed, its own check raises the reason; every other check raises
        :class:`NotRunError`, so that one defect is reported once.
        """
        return self._result_about(self.subject, kind, _owner(self.subject, KIND_OF[kind]))

    def result_of_other(self, kind: type[R]) -> R:
        """Return the same for what the subject is compared with.

        Raises :class:`NotRunError` if it failed: its own checks report why.
        """
        (other,) = self.subject.others
        return self._result_about(other, kind, "")

    def _result_about(self, subject: Subject, kind: type[R], owner: str) -> R:
        evidence = self._look_up(subject, KIND_OF[kind])
        if evidence.error is not None:
            self._raise_failure(owner, evidence.error)
        return evidence.result_of(kind)

    def states_of_parts(self) -> list[StateResult]:
        """Return the states of all parts of the subject's sample up to its own."""
        own = self.subject
        subjects = [dataclasses.replace(own, part=part) for part in range((own.part or 0) + 1)]
        owner = _owner(own, "state")
        return [self._result_about(each, StateResult, owner) for each in subjects]

    def require_identity(self, state: StateResult) -> None:
        """Raise :class:`NotRunError` if a step was not applied because it names another parent."""
        if state.identity.wrong:
            raise NotRunError(
                "the bitstream was not applied: it names another parent",
                expected="UPDATE-PARENT-001 passes",
                found="another parent than the one that it names",
                fix="fix the finding of UPDATE-PARENT-001 first",
            )

    def original_row(self) -> OriginalRow:
        """Return the row of the subject's metric on the original.

        A metric that cannot be measured there is reported by METRIC-MEASURE-001 alone.
        """
        outcome = self.result(OriginalResult).metrics[self.metric.id]
        return self._row_of(outcome, "METRIC-MEASURE-001")

    def reconstructed_row(self) -> ReconstructedRow:
        """Return the row of the subject's metric on the sample.

        A metric that cannot be measured there is reported by METRIC-DELTA-001 alone.
        """
        outcome = self.result(ReconstructionResult).metrics[self.metric.id]
        return self._row_of(outcome, "METRIC-DELTA-001")

    def reconstructed_row_of_other(self) -> ReconstructedRow:
        """Return the same row for what the subject is compared with."""
        outcome = self.result_of_other(ReconstructionResult).metrics[self.metric.id]
        return self._row_of(outcome, "")

    def _row_of(self, outcome: Outcome[Row], owner: str) -> Row:
        try:
            return outcome.row
        except ConformanceError as error:
            self._raise_failure(owner, self._placed(error))

    def values_in_all_formats(self) -> Mapping[str, float]:
        """Return the value of the subject's metric on the original, by the model's id.

        One that compares with the original's outputs is measured between formats instead. What
        cannot be measured in one of the formats raises :class:`NotRunError`.
        """
        values: dict[str, float] = {}
        for other in self.subject.others:
            evidence = self._look_up(other, kind_in_format(self.metric, other))
            value = value_in(evidence.result, self.metric.id)
            if value is None or other.model is None:
                raise NotRunError(
                    f"{self.metric.id!r} could not be measured on {other.id}",
                    expected="a value of the original in every format",
                    found=evidence.error.message if evidence.error else "an error",
                    fix="fix the findings on that model first",
                )
            values[other.model.id] = value
        return values

    def _placed(self, error: ConformanceError) -> ConformanceError:
        """Give an error about a metric, which knows no file, the place where it is declared."""
        if error.where is None or error.where.file is None:
            element = error.where.element if error.where else None
            pointer = f"/metrics/{list(self._metrics).index(self.metric.id)}"
            error.where = Location("submission.json", pointer=pointer, element=element)
        return error

    def _raise_failure(self, owner: str, error: ConformanceError) -> NoReturn:
        if owner == self.check.id or error.verdict is Verdict.NOT_RUN:
            raise error
        which = owner or "a check of the other one"
        raise NotRunError(
            f"{which} did not pass for what this check needs",
            expected=f"{which} passes",
            found=error.message,
            fix=f"fix the finding of {which} first",
        )

    def require(
        self,
        condition: bool,
        message: str,
        *,
        expected: str,
        found: str,
        fix: str,
        where: Location | None = None,
        verdict: Verdict = Verdict.FAIL,
        evidence: Mapping[str, Json] | None = None,
    ) -> None:
        """Record a finding unless ``condition`` holds; several may be recorded."""
        if not condition:
            problem = Problem(message=message, expected=expected, found=found, where=where, fix=fix)
            self.fail(problem, verdict=verdict, evidence=evidence)

    def fail(
        self,
        problem: Problem,
        *,
        verdict: Verdict = Verdict.FAIL,
        evidence: Mapping[str, Json] | None = None,
    ) -> None:
        """Record what is wrong as a finding."""
        check, subject = self.check, self.subject.id
        self.findings.append(problem.finding(check.id, subject, verdict, check.clause, evidence))

    def passed(
        self,
        message: str,
        *,
        expected: str = "",
        found: str = "",
        evidence: Mapping[str, Json] | None = None,
    ) -> None:
        """Record the positive evidence; it counts only if nothing required was missing."""
        said = Problem(message=message, expected=expected, found=found)
        check = self.check
        self._passed = said.finding(check.id, self.subject.id, Verdict.PASS, check.clause, evidence)

    def conclude(self, error: ConformanceError | None = None) -> tuple[Finding, ...]:
        """Return the findings of the check, which ended with ``error`` if that is given."""
        if error is not None:
            raised = error.finding(self.check.id, self.subject.id, self.check.clause)
            self.findings.append(raised)
        if not self.findings:
            self.findings.append(self._passed or self._silent())
        return tuple(self.findings)

    def _silent(self) -> Finding:
        error = EvaluationError("the check ended without evidence", fix="report this as a defect")
        return error.finding(self.check.id, self.subject.id, self.check.clause)


def _owner(subject: Subject, kind: Kind) -> str:
    """Return the check that reports the failure of a case of ``subject``."""
    if subject.layer is not None and kind in OWNER_OF_LAYERS:
        return OWNER_OF_LAYERS[kind]
    if kind == "state" and subject.sample is not None and subject.sample.merge_of:
        return "UPDATE-MERGE-001"
    return OWNER[kind]


def _gates_before(check: Check) -> int:
    return GATES.index(check.id) if check.id in GATES else len(GATES)
