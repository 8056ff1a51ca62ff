"""A report of realistic size: seven samples, some sixty findings, one of each kind of trouble."""

from __future__ import annotations

from typing import Any

from conformance.report import ReportedFinding, build_report
from conformance.verdicts import Finding, Location, Verdict

MODEL = "digits-cnn"
WAIVER = {
    "check": "SAMPLE-SIZE-001",
    "subject": "m/a",
    "value": 0.9,
    "reason": "agreed",
    "link": None,
}
ORIGINAL_SIZE = 154_321
CHECKS = {
    "SUBMISSION-SCHEMA-001": ("test_metadata::test_schema", "The metadata follow the schemas"),
    "SUBMISSION-FILE-003": ("test_metadata::test_files", "Every file has its declared SHA-256"),
    "SUBMISSION-LICENSE-001": ("test_metadata::test_licences", "Licences are SPDX expressions"),
    "MODEL-OPEN-001": ("test_originals::test_opens", "The original network can be opened"),
    "MODEL-METRIC-001": (
        "test_originals::test_metric",
        "The original reproduces its declared metric value",
    ),
    "SAMPLE-DECODE-001": ("test_decoding::test_decodes", "The sample can be decoded"),
    "SAMPLE-TENSORS-001": (
        "test_decoding::test_tensors",
        "The sample holds the whole network, in its shapes",
    ),
    "SAMPLE-FINITE-001": ("test_decoding::test_finite", "Tensors hold no NaN or infinity"),
    "SAMPLE-DIGEST-001": ("test_decoding::test_digests", "Tensors have their declared digests"),
    "SAMPLE-SIZE-001": ("test_decoding::test_size", "Claimed sizes are the sizes on disk"),
    "SAMPLE-FEATURES-001": ("test_decoding::test_features", "Declared features are in the file"),
    "SAMPLE-LOSSLESS-001": (
        "test_decoding::test_lossless",
        "A lossless sample equals the original bit by bit",
    ),
    "METRIC-CLAIM-001": ("test_metrics::test_claim", "A claimed value is the measured one"),
    "METRIC-DELTA-001": (
        "test_metrics::test_delta_within_tolerance",
        "The metric lies within its tolerance of the original's",
    ),
}
SUBMISSION = {
    "id": "digits-cnn",
    "title": "Handwritten digits: a small convolutional network",
    "contributor": "Institute for Media Coding, Example University",
    "mdms_number": "m71234",
    "version": "1.2.0",
    "license": "CC-BY-4.0",
    "metadata_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
# id, title, codec, compressed size, top-1, interval, p, verdict
SAMPLES: list[tuple[Any, ...]] = [
    ("fp16", "Half precision", "onnx", 78_412, 0.9722, (0.0, 0.0), 1.0, "pass"),
    ("int8-qdq", "8-bit quantise/dequantise", "onnx", 45_120, 0.9694, (-0.011, 0.006), 1.0, "pass"),
    ("int8", "8-bit tensors, zstandard", "tensors", 31_877, 0.9694, (-0.011, 0.006), 1.0, "pass"),
    ("int4", "4-bit tensors", "tensors", 19_204, 0.9528, (-0.036, -0.003), 0.04, "fail"),
    (
        "pruned",
        "90 % pruned, sparse",
        "tensors",
        22_961,
        0.9639,
        (-0.022, 0.006),
        0.38,
        "undecided",
    ),
    ("codebook", "Codebook of 16 values", "tensors", 20_544, None, None, None, "not-run"),
    ("exact-xz", "Lossless in xz", "tensors", 139_550, None, None, None, None),
]


def finding(check: str, subject: str, verdict: str = "pass", **fields: Any) -> ReportedFinding:
    path, title = CHECKS.get(check, ("test_other::test_other", check))
    return ReportedFinding(
        finding=Finding(
            check, subject, Verdict(verdict), **{"clause": "MPEG Call for Test Data", **fields}
        ),
        required=fields.get("message", "") != "advisory",
        title=title,
        test=f"conformance.{path}[{subject}]",
        about=about_of(check, subject),
    )


def about_of(check: str, subject: str) -> dict[str, str]:
    """Return the ids in a subject of this example: ``digits-cnn/int8/top1``."""
    _, _, named = subject.partition("/")
    if not named:
        return {}
    of, _, metric = named.partition("/")
    name, _, vectors = of.partition("@")
    side = "model" if check.startswith("MODEL-") else "sample"
    ids = {side: name, "vectors": vectors, "metric": metric}
    return {key: each for key, each in ids.items() if each}


def findings() -> list[ReportedFinding]:
    """Every check on every subject; passes, and the troubles of :data:`SAMPLES`."""
    made = [
        finding(check, "digits-cnn")
        for check in ("SUBMISSION-SCHEMA-001", "SUBMISSION-FILE-003", "SUBMISSION-LICENSE-001")
    ]
    made += [finding("MODEL-OPEN-001", MODEL), finding("MODEL-METRIC-001", f"{MODEL}/top1")]
    for name, *_ in SAMPLES:
        subject = f"{MODEL}/{name}"
        broken = name == "codebook"
        for check in [name for name in CHECKS if name.startswith("SAMPLE-")]:
            if check == "SAMPLE-LOSSLESS-001" and name != "exact-xz":
                continue
            if broken and check == "SAMPLE-DECODE-001":
                made.append(_malformed(subject))
            elif broken and check != "SAMPLE-SIZE-001":
                made.append(_not_run(check, subject))
            else:
                made.append(finding(check, subject, evidence={"seconds": 0.01}))
        made += [_judged(check, name) for check in CHECKS if check.startswith("METRIC-")]
    return made


def _malformed(subject: str) -> ReportedFinding:
    return finding(
        "SAMPLE-DECODE-001",
        subject,
        "malformed",
        message="The codebook index points past the end of the codebook.",
        expected="indices below 16",
        found="index 203 of tensor conv2.weight at position 4,117",
        where=Location(file="samples/codebook.npz", byte_offset=10_312, element="conv2.weight"),
        fix="Write the indices again with the codebook they were made with.",
        evidence={"tensor": "conv2.weight", "entries": 16, "largest_index": 203},
    )


def _not_run(check: str, subject: str) -> ReportedFinding:
    return finding(
        check,
        subject,
        "not-run",
        message="The sample could not be decoded, so nothing that needs its tensors was run.",
        fix="Fix the finding of SAMPLE-DECODE-001 first.",
    )


def _judged(check: str, id: str) -> ReportedFinding:
    verdict = next(row[-1] for row in SAMPLES if row[0] == id)
    subject = f"{MODEL}/{id}/top1"
    if verdict == "not-run":
        return _not_run(check, subject)
    if check != "METRIC-DELTA-001" or verdict in (None, "pass"):
        return finding(check, subject)
    row = next(row for row in SAMPLES if row[0] == id)
    return finding(
        check,
        subject,
        verdict,
        message=(
            "The top-1 accuracy drops by more than the tolerance allows."
            if verdict == "fail"
            else "360 items are too few to tell whether the drop is within the tolerance."
        ),
        expected="a drop of at most 0.01 (absolute, boundary included)",
        found=f"a drop of {0.9722 - row[4]:.4f}: {row[4]} instead of 0.9722 on 360 items",
        where=Location(file="submission.json", pointer="/samples/3/metrics/0"),
        fix=(
            "Submit a sample that loses less, or declare the tolerance the use case allows."
            if verdict == "fail"
            else "Add reference vectors: about 1,950 items would decide."
        ),
        clause="MPEG Evaluation Framework N17929: lossy",
        evidence={"better": 4, "worse": 11, "method": "McNemar, exact"},
    )


def sample_metric(verdict: str = "pass", value: Any = 0.9694, **fields: Any) -> dict[str, Any]:
    delta = None if value is None else value - 0.9722
    return {
        "metric": "top1",
        "kind": "top-k-accuracy",
        "vectors": "test",
        "direction": "higher",
        "reference": 0.9722,
        "value": value,
        "delta": delta,
        "loss": None if delta is None else -delta,
        "tolerance": {
            "type": "absolute",
            "bound": 0.01,
            "inclusive": True,
            "upper_bound": None,
            "confidence": None,
        },
        "interval": None,
        "p_value": None,
        "items": 360,
        "distinct_items": 360,
        "items_to_decide": None,
        "noise_floor": None,
        "verdict": verdict,
        **fields,
    }


def sample(id: str, metrics: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    compressed = fields.pop("compressed_size", 31_877)
    return {
        "id": id,
        "model": MODEL,
        "title": id,
        "codec": "tensors",
        "lossless": not metrics,
        "method": {
            "summary": "Weights quantised per channel after training.",
            "parameter_reduction": [],
            "quantisation": ["8 bits, symmetric, per output channel"],
            "entropy_coding": ["zstandard, level 19"],
            "retraining": False,
            "software": [{"name": "quantise.py", "version": "1.0", "url": None}],
        },
        "original_size": ORIGINAL_SIZE,
        "compressed_size": compressed,
        "compression_factor": ORIGINAL_SIZE / compressed,
        "compressed_percent": 100 * compressed / ORIGINAL_SIZE,
        "parameter_factor": 150_000 / compressed,
        "tensors": 8,
        "parameters": [],
        "features": {"declared": ["int8", "zstd"], "derived": ["int8", "zstd"]},
        "stream_claims": None,
        "metrics": metrics,
        **fields,
    }


def samples() -> list[dict[str, Any]]:
    made = []
    for name, title, codec, size, value, bounds, p_value, verdict in SAMPLES:
        metrics = []
        if verdict is not None:
            interval = bounds and {
                "level": 0.95,
                "low": bounds[0],
                "high": bounds[1],
                "method": "Bonett-Price adjusted Wald",
            }
            decide = 1950 if verdict == "undecided" else None
            metrics = [
                sample_metric(
                    verdict, value, interval=interval, p_value=p_value, items_to_decide=decide
                )
            ]
        made.append(sample(name, metrics, title=title, codec=codec, compressed_size=size))
    made[1]["metrics"].append(
        sample_metric(
            metric="kl",
            kind="kl-divergence",
            direction="lower",
            reference=0.0,
            value=0.00041,
            delta=0.00041,
            loss=0.00041,
        )
    )
    return made


def model() -> dict[str, Any]:
    return {
        "id": MODEL,
        "title": "Digits CNN",
        "format": "onnx",
        "network_type": "cnn",
        "parameter_count": 38_282,
        "original_size": ORIGINAL_SIZE,
        "used_parameter_bytes": 150_000,
        "training_data": [{"id": "digits-train", "name": "Digits", "items": 1077}],
        "metrics": [
            {"metric": "top1", "vectors": "test", "declared": 0.9722, "measured": 0.9722222},
        ],
    }


def build(**changes: Any) -> dict[str, Any]:
    """Return the example report, with some arguments of ``build_report`` changed."""
    arguments: dict[str, Any] = {
        "submission_block": SUBMISSION,
        "profile": "call-2018",
        "checks_order": list(CHECKS),
        "findings": findings(),
        "models": [model()],
        "samples": samples(),
        "waivers": [],
        "environment": {
            "python": "3.11.7",
            "onnxruntime": "1.32.0",
            "cpu": {"model": "x86-64", "flags": ["avx2", "avx512f", "vnni"], "threads": 1},
            "isolation": "rlimits",
        },
        "timing": {
            "started": "2026-01-12T09:30:00+00:00",
            "finished": "2026-01-12T09:30:41+00:00",
            "seconds": 41.2,
            "cases": {"digits-cnn/int8": {"decode": 0.02, "infer": 1.1}},
        },
        "complete": True,
        "selected": None,
    }
    return build_report(**{**arguments, **changes})
