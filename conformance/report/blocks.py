"""From a target's findings to its report: the blocks on models and samples, and the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from conformance.checks import ORDER
from conformance.judging.grouped import Grouped
from conformance.judging.run import Target
from conformance.judging.sizes import compressed_percent, compression_factor, parameter_factor
from conformance.judging.waivers import Waiver, unused_waivers
from conformance.plan.requests import untyped
from conformance.report.layered import layered_block
from conformance.report.measurements import Measurements, Results
from conformance.report.rate_performance import rate_performance_block
from conformance.report.stream_claims import beside_measured
from conformance.report.update_trees import updates_block
from conformance.submission.values import Model, Sample, Submission
from conformance.verdicts import ExitCode, Json

PROFILE = "call-2018"


def report_of(
    target: Target,
    *,
    results: Results,
    waivers: Iterable[Waiver],
    environment: Mapping[str, Json],
    complete: bool,
) -> dict[str, Json]:
    """Return the report of what is known about ``target`` by now.

    Tables are made of ``results``, whatever was selected; verdicts are those of findings. Figures
    of compressed inference are part of the timing: they are other ones each time.
    """
    from conformance.report import ReportedFinding, build_report

    waivers = tuple(waivers)
    grouped = Grouped(target.reported(waivers))
    submission = target.loaded.submission
    tables: dict[str, Json] = {"models": [], "samples": []}
    timing = target.timing()
    if submission is not None:
        refusing = (problem.check for problem in target.loaded.problems)
        measured = Measurements(submission, results, refusing)
        tables = _tables(submission, measured, grouped, complete=complete)
        if inference := list(measured.compressed_inference()):
            timing["compressed_inference"] = inference
    report = build_report(
        submission_block=_identity(target),
        profile=PROFILE,
        checks_order=sorted(ORDER, key=lambda check: ORDER[check]),
        findings=[
            ReportedFinding(
                finding,
                planned.check.required,
                planned.check.title,
                planned.test_alone,
                planned.subject.about,
            )
            for planned, finding in grouped.all
        ],
        **tables,
        waivers=[waiver.to_json() for waiver in _own(waivers, grouped)],
        environment={**environment, "submission": str(target.loaded.root)},
        timing=timing,
        complete=complete,
        selected=target.selected,
    )
    if target.unreadable:
        report["exit_code"] = ExitCode.USAGE
    return report


def _own(waivers: Sequence[Waiver], grouped: Grouped) -> Iterable[Waiver]:
    """Return the waivers that accepted one of the findings."""
    unused = set(unused_waivers(waivers, (finding for _, finding in grouped.all)))
    return (waiver for waiver in waivers if waiver not in unused)


def _identity(target: Target) -> dict[str, Json]:
    block: dict[str, Json] = {
        "id": target.loaded.id,
        "metadata_sha256": target.loaded.metadata_sha256 or None,
    }
    if target.loaded.ignored:
        block["ignored"] = list(target.loaded.ignored)
    submission = target.loaded.submission
    if submission is not None:
        for name in ("title", "contributor", "mdms_number", "version", "license"):
            block[name] = getattr(submission, name)
    return block


def _tables(
    submission: Submission, measured: Measurements, grouped: Grouped, *, complete: bool
) -> dict[str, Json]:
    """Return the blocks on models and samples, and those that compare samples, steps or layers."""
    return {
        "models": [_model(model, submission, measured) for model in submission.models],
        "samples": [_sample(sample, submission, measured) for sample in submission.samples],
        "rate_performance": rate_performance_block(
            submission, measured, grouped, complete=complete
        ),
        "updates": updates_block(submission, measured, grouped),
        "layered": layered_block(submission, measured),
    }


def _model(model: Model, submission: Submission, measured: Measurements) -> dict[str, Json]:
    datasets = {dataset.id: dataset for dataset in submission.datasets}
    opened = measured.opened(model.id)
    return {
        "id": model.id,
        "title": model.title,
        "format": model.format,
        "network_type": model.network_type,
        "training_data": [
            {"id": name, "name": datasets[name].name, "items": datasets[name].items}
            for name in model.training_data
        ],
        "parameter_count": model.parameter_count,
        "counts": untyped(opened.counts) if opened else None,
        "original_size": model.size,
        "used_parameter_bytes": opened.used_parameter_bytes if opened else None,
        "metrics": list(measured.declared(model)),
    }


def _sample(sample: Sample, submission: Submission, measured: Measurements) -> dict[str, Json]:
    model, decoded = submission.model(sample.model), measured.decoded(sample)
    floors = measured.noise_floors(sample)
    metrics = [
        {**row, "noise_floor": floors.get((row["metric"], row["vectors"]))}
        for row in measured.judged(sample)
    ]
    claims = decoded.stream.claims if decoded and decoded.stream else None
    used = None if sample.is_derived else measured.used_parameter_bytes(model.id)
    return {
        "id": sample.id,
        "model": sample.model,
        "title": sample.title,
        "codec": sample.codec,
        "lossless": sample.lossless,
        "method": asdict(sample.method),
        "original_size": model.size,
        "compressed_size": sample.size,
        "compression_factor": None if sample.is_derived else compression_factor(model, sample),
        "compressed_percent": None if sample.is_derived else compressed_percent(model, sample),
        "parameter_factor": None if used is None else parameter_factor(used, model, sample.size),
        "tensors": len(decoded.tensors) if decoded else None,
        "features": {
            "declared": sorted(sample.features),
            "derived": list(decoded.features) if decoded else None,
        },
        "stream_claims": beside_measured(claims, metrics),
        "parameters": [
            {"name": name, **untyped(error)}
            for name, error in (decoded.parameters if decoded else {}).items()
        ],
        "metrics": metrics,
    }


def forget_old_reports(folder: Path) -> None:
    """Remove the files of an earlier run, so that none is taken for the result of this one."""
    for name in ("report.json", "report.html", "report.md", "junit.xml"):
        (folder / name).unlink(missing_ok=True)
