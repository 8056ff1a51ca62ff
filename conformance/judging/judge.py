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
from conformance.plan.jobs import DecodeState, Job, Measuring, R_co, Reconstruction
from conformance.plan.results import (
    MetricRow,
    OriginalRow,
    Outcome,
    ReconstructedRow,
    Row,
    RunConditions,
    StateResult,
    TensorProblem,
)
from conformance.plan.subjects import (
    ClaimSubject,
    DeclaredValueSubject,
    DeltaSubject,
    LayerStepSubject,
    MetricSubject,
    NoiseSubject,
    Subject,
    VectorsSubject,
    job_in_format,
)
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
        look_up: Callable[[Job], Evidence],
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

    def in_order(self, metrics: Iterable[str]) -> list[str]:
        """Return ids of metrics in the order in which the metadata declare them."""
        order = {metric: place for place, metric in enumerate(self._metrics)}
        return sorted(metrics, key=lambda metric: order.get(metric, len(order)))

    def require_declared_value(
        self,
        subject: DeclaredValueSubject,
        measured: MetricRow,
        more: Mapping[str, Json] = MappingProxyType({}),
    ) -> None:
        """Judge the declared metric value against the ``measured`` row.

        The evidence holds what is ``more`` as well.
        """
        declared = subject.declared
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
            where=Location("submission.json", pointer=f"{subject.pointer}/value"),
            fix=f"declare {value:.10g}, or submit the network and vectors that give the declared "
            f"value{unlike_defaults(subject.format_that_runs)}"
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

    def require_all_items(self, subject: VectorsSubject, measured: RunConditions) -> None:
        """Judge whether the network ran on every item of the vectors."""
        self.require(
            measured.items == subject.vectors.items,
            "not every item was run",
            expected=f"{subject.vectors.items} items",
            found=f"{measured.items} items",
            where=Location("submission.json", pointer=subject.pointer),
            fix="declare the number of items that the vector files hold",
        )
        self.passed(
            f"all {measured.items} items were run",
            found=in_words(measured),
            evidence={"conditions": conditions_of(measured)},
        )

    def result(self, job: Measuring[R_co]) -> R_co:
        """Return what a job of the subject has measured.

        If the job failed, its own check raises the reason; every other check raises
        :class:`NotRunError`, so that one defect is reported once.
        """
        return self._result(job, _owner(job))

    def result_of_other(self, job: Measuring[R_co]) -> R_co:
        """Return the same for what the subject is compared with.

        Raises :class:`NotRunError` if it failed: its own checks report why.
        """
        return self._result(job, "")

    def _result(self, job: Measuring[R_co], owner: str) -> R_co:
        evidence = self._look_up(job)
        if evidence.error is not None:
            self._raise_failure(owner, evidence.error)
        return evidence.measured_by(job)

    def require_identity(self, state: StateResult) -> None:
        """Raise :class:`NotRunError` if a step was not applied: it names a different parent."""
        if state.identity.wrong:
            raise NotRunError(
                "the bitstream was not applied: it names a different parent",
                expected="UPDATE-PARENT-001 passes",
                found="a different parent than the one that it names",
                fix="fix the finding of UPDATE-PARENT-001 first",
            )

    def original_row(self, subject: MetricSubject) -> OriginalRow:
        """Return the row of the subject's metric on the original.

        A metric that cannot be measured there is reported by METRIC-MEASURE-001 alone.
        """
        outcome = self.result(subject.original).metrics[subject.metric.id]
        return self._row_of(subject.metric, outcome, "METRIC-MEASURE-001")

    def reconstructed_row(self, subject: ClaimSubject | DeltaSubject) -> ReconstructedRow:
        """Return the row of the subject's metric on the sample.

        A metric that cannot be measured there is reported by METRIC-DELTA-001 alone.
        """
        outcome = self.result(subject.reconstruction).metrics[subject.metric.id]
        return self._row_of(subject.metric, outcome, "METRIC-DELTA-001")

    def row_before(self, subject: LayerStepSubject) -> ReconstructedRow:
        """Return the same row for the layer that the subject is compared with."""
        measured = self.result_of_other(subject.reconstruction_before)
        return self._row_of(subject.metric, measured.metrics[subject.metric.id], "")

    def _row_of(self, metric: Metric, outcome: Outcome[Row], owner: str) -> Row:
        try:
            return outcome.row
        except ConformanceError as error:
            self._raise_failure(owner, self._placed(metric, error))

    def values_in_all_formats(self, subject: NoiseSubject) -> Mapping[str, float]:
        """Return the value of the subject's metric on the original, by the model's id.

        One that compares with the original's outputs is measured between formats instead. What
        cannot be measured in one of the formats raises :class:`NotRunError`.
        """
        values: dict[str, float] = {}
        for other in subject.formats:
            evidence = self._look_up(job_in_format(subject.metric, other))
            value = value_in(evidence.result, subject.metric.id)
            if value is None:
                raise NotRunError(
                    f"{subject.metric.id!r} could not be measured on {other.id}",
                    expected="a value of the original in every format",
                    found=evidence.error.message if evidence.error else "an error",
                    fix="fix the findings on that model first",
                )
            values[other.model.id] = value
        return values

    def _placed(self, metric: Metric, error: ConformanceError) -> ConformanceError:
        """Give an error about a metric, which knows no file, the place where it is declared."""
        if error.where is None or error.where.file is None:
            element = error.where.element if error.where else None
            pointer = f"/metrics/{list(self._metrics).index(metric.id)}"
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


def _owner(job: Job) -> str:
    """Return the check that reports the failure of a job: of a layer, one of its own."""
    if isinstance(job, DecodeState) and job.compressed.layers:
        return "LAYER-DECODE-001"
    if isinstance(job, DecodeState) and job.compressed.merge_of:
        return "UPDATE-MERGE-001"
    if isinstance(job, Reconstruction) and job.part is not None:
        return "LAYER-RUN-001"
    return job.owner


def _gates_before(check: Check) -> int:
    return GATES.index(check.id) if check.id in GATES else len(GATES)
