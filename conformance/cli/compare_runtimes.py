"""The command ``compare-runtimes``: one network in several formats, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from conformance.cli.inquiry import inquiry, valid
from conformance.evidence.executor import Executor
from conformance.judging.noise import metrics_in, spread_of, value_in
from conformance.plan.results import OutputRow
from conformance.plan.subjects import (
    AgreementSubject,
    NoiseSubject,
    Plan,
    formats_of,
    job_in_format,
)
from conformance.sandbox.limits import Limits
from conformance.submission.values import Submission
from conformance.text import one_line
from conformance.verdicts import ExitCode, Verdict

Row = Sequence[str]


def compare_runtimes(folder: Path, limits: Limits | None = None) -> tuple[str, int]:
    """Return tables of how far formats agree, as Markdown, and the exit code.

    0: all outputs agree within the declared bounds. 1: some do not. 3: something could not be run,
    or no network is there in two formats.
    """
    with inquiry(folder, limits) as (loaded, executor):
        submission = valid(loaded)
        plan = Plan(loaded.id, submission)
        rows = [_compared(executor, subject) for subject in plan.agreements]
        noisy = tuple(plan.noisy())
        lines = [*_agreement_table(rows), *_metric_tables(executor, submission, noisy)]
    codes = {code for code, _ in rows}
    worst = next((c for c in (ExitCode.FAIL, ExitCode.INCOMPLETE) if c in codes), ExitCode.PASS)
    if not rows:
        return "no vector set declares what it is equivalent_to: there is nothing to compare", 3
    return "\n".join(lines), worst


def _compared(executor: Executor, subject: AgreementSubject) -> tuple[int, list[list[str]]]:
    evidence = executor.evidence(subject.agreement)
    names = [subject.model.id, subject.model.format, subject.other.model.id]
    if evidence.error is not None:
        # Material that is wrong is a disagreement; what could not be run leaves it open.
        wrong = evidence.error.verdict not in (Verdict.NOT_RUN, Verdict.UNSUPPORTED)
        code = ExitCode.FAIL if wrong else ExitCode.INCOMPLETE
        said = f"{evidence.error.verdict}: {evidence.error.message}. {evidence.error.fix}"
        return code, [[*names, "", "", "", "", said]]
    bound = subject.vectors.output_tolerance
    rows: list[list[str]] = []
    code = ExitCode.PASS
    for name, output in evidence.measured_by(subject.agreement).outputs.items():
        agrees = output.violations == 0
        code = code if agrees else ExitCode.FAIL
        rows.append([*names, *_output_cells(name, output), f"{bound.atol:g} + {bound.rtol:g}·|x|"])
        rows[-1].append("agrees" if agrees else f"{output.violations} values differ by more")
    return code, rows


def _output_cells(name: str, output: OutputRow) -> Row:
    worst, scale = float(output.max_abs), output.scale
    return [name, f"{worst:.3g}", f"{worst / scale:.2g}" if scale else ""]


def _agreement_table(compared: Sequence[tuple[int, list[list[str]]]]) -> Iterator[str]:
    head = ["model", "format", "compared with", "output", "largest difference", "of the scale"]
    yield from _table([*head, "bound", "verdict"], [row for _, rows in compared for row in rows])


def _metric_tables(
    executor: Executor, submission: Submission, judged: Sequence[NoiseSubject]
) -> Iterator[str]:
    """Yield, for each network, the values of every metric in every format, and the tolerances."""
    done: set[tuple[str, ...]] = set()
    for subject in judged:
        group = formats_of(subject.vectors.id, submission)
        if group in done:
            continue
        done.add(group)
        rows = list(_metric_rows(executor, submission, subject, judged))
        formats = [other.model.format for other in subject.formats]
        yield ""
        yield from _table(["metric", *formats, "noise floor", "tolerances"], rows)


def _metric_rows(
    executor: Executor, submission: Submission, first: NoiseSubject, judged: Sequence[NoiseSubject]
) -> Iterator[Row]:
    for declared in submission.metrics:
        metric = declared.id
        jobs = [job_in_format(declared, other) for other in first.formats]
        results = [executor.evidence(job).result for job in jobs]
        if not any(metric in metrics_in(result) for result in results):
            continue
        cells = [value_in(result, metric) for result in results]
        known = [cell for cell in cells if cell is not None]
        uses = (each.use for each in judged if each.formats == first.formats)
        bounds = {f"{u.tolerance.bound:g} {u.tolerance.type}" for u in uses if u.metric == metric}
        shown = ["" if cell is None else f"{cell:.10g}" for cell in cells]
        floor = f"{spread_of(known):.3g}" if known else ""
        yield [metric, *shown, floor, ", ".join(sorted(bounds))]


def _table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in row) + " |"
