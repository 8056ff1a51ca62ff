"""From a target's findings to its report: the blocks on models and samples, and the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from conformance.checks import ORDER
from conformance.judging.grouped import Grouped
from conformance.judging.run import Target
from conformance.judging.sizes import compressed_percent, compression_factor, parameter_factor
from conformance.judging.waivers import Waiver, unused_waivers
from conformance.report.layered import layered_block
from conformance.report.rate_performance import rate_performance_block
from conformance.report.stream_claims import beside_measured
from conformance.report.update_trees import updates_block
from conformance.submission.values import Model, Sample, Submission
from conformance.verdicts import ExitCode, Finding, Json

PROFILE = "call-2018"


def report_of(
    target: Target,
    *,
    waivers: Iterable[Waiver],
    environment: Mapping[str, Json],
    complete: bool,
) -> dict[str, Json]:
    """Return the report of what is known about ``target`` by now."""
    from conformance.report import ReportedFinding, build_report

    waivers = tuple(waivers)
    grouped = Grouped(target.reported(waivers))
    submission = target.loaded.submission
    report = build_report(
        submission_block=_identity(target),
        profile=PROFILE,
        checks_order=sorted(ORDER, key=lambda check: ORDER[check]),
        findings=[
            ReportedFinding(
                _brief(finding), planned.check.required, planned.check.title, planned.test_alone
            )
            for planned, finding in grouped.all
        ],
        models=[_model(m, submission, grouped) for m in submission.models] if submission else [],
        samples=[_sample(s, submission, grouped) for s in submission.samples] if submission else [],
        **(_comparisons(submission, grouped, complete=complete) if submission else {}),
        waivers=[waiver.to_json() for waiver in _own(waivers, grouped)],
        environment={**environment, "submission": str(target.loaded.root)},
        timing=target.timing(),
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


def _model(model: Model, submission: Submission, grouped: Grouped) -> dict[str, Json]:
    datasets = {dataset.id: dataset for dataset in submission.datasets}
    rows = [
        finding.evidence
        for planned, finding in grouped.of_check("MODEL-METRIC-001")
        if planned.subject.model == model and "measured" in finding.evidence
    ]
    counts = [
        finding.evidence["counts"]
        for planned, finding in grouped.of_check("MODEL-PARAMETERS-001")
        if planned.subject.model == model and "counts" in finding.evidence
    ]
    keys = ("metric", "vectors", "declared", "measured")
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
        "counts": counts[0] if counts else None,
        "original_size": model.size,
        "used_parameter_bytes": grouped.used_parameter_bytes(model.id),
        "metrics": [{key: row[key] for key in keys} for row in rows],
    }


def _sample(sample: Sample, submission: Submission, grouped: Grouped) -> dict[str, Json]:
    model = submission.model(sample.model)
    decoded = grouped.evidence("SAMPLE-DECODE-001", sample.id)
    floors = {
        (row["metric"], row["vectors"]): row["noise_floor"]
        for row in grouped.evidence("METRIC-NOISE-001", sample.id)
    }
    metrics = [
        {**row, "noise_floor": floors.get((row["metric"], row["vectors"]))}
        for row in grouped.evidence("METRIC-DELTA-001", sample.id)
    ]
    claims = decoded[0].get("claims") if decoded else None
    used = None if sample.is_derived else grouped.used_parameter_bytes(model.id)
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
        "tensors": decoded[0]["tensors"] if decoded else None,
        "features": {
            "declared": sorted(sample.features),
            "derived": decoded[0]["features"] if decoded else None,
        },
        "stream_claims": beside_measured(claims, metrics),
        "parameters": [
            {"name": name, **errors}
            for name, errors in (decoded[0].get("parameters", {}) if decoded else {}).items()
        ],
        "metrics": metrics,
    }


def _comparisons(
    submission: Submission, grouped: Grouped, *, complete: bool
) -> dict[str, list[dict[str, Json]]]:
    """Return the blocks in which samples, steps or layers stand beside each other."""
    return {
        "rate_performance": rate_performance_block(submission, grouped, complete=complete),
        "updates": updates_block(submission, grouped),
        "layered": layered_block(submission, grouped),
    }


def _brief(finding: Finding) -> Finding:
    """Return a finding without the table of parameters, which stands with the sample."""
    evidence = {key: value for key, value in finding.evidence.items() if key != "parameters"}
    return replace(finding, evidence=evidence)


def forget_old_reports(folder: Path) -> None:
    """Remove the files of an earlier run, so that none is taken for the result of this one."""
    for name in ("report.json", "report.html", "report.md", "junit.xml"):
        (folder / name).unlink(missing_ok=True)
