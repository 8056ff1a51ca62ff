"""Samples, a submission of them, and findings about them, for tests of the report's blocks."""

from __future__ import annotations

from pathlib import Path

from conformance.checks import Check
from conformance.judging.grouped import Grouped
from conformance.judging.run import Planned
from conformance.plan.subjects import Subject
from conformance.submission.values import (
    Branch,
    Claims,
    File,
    Layer,
    LayerClaims,
    Method,
    Metric,
    MetricUse,
    Model,
    Part,
    Sample,
    Submission,
    Tolerance,
    UpdateOf,
)
from conformance.verdicts import Finding, Verdict

ORIGINAL = 8000
TOLERANCE = Tolerance("absolute", 0.1)


def model(name: str = "m", size: int = ORIGINAL) -> Model:
    files = (File(f"{name}.onnx", size, "0" * 64),)
    return Model(name, name, "onnx", "cnn", files, (), (), 1, (), (), (), ())


def sample(name: str, size: int = 1000, **fields: object) -> Sample:
    given = {
        "id": name,
        "model": "m",
        "title": name,
        "codec": "tensors",
        "codec_params": {},
        "files": (File(f"{name}.bin", size, "0" * 64),) if size else (),
        "lossless": False,
        "method": Method("", (), (), (), False, ()),
        "features": (),
        "metrics": (MetricUse("top1", "test", TOLERANCE),),
        "claims": Claims(size, None, None, (), {}),
        "name_map": (),
        "family": "tensors",
        **fields,
    }
    return Sample(**given)  # type: ignore[arg-type]


def update(name: str, parent: str | None, size: int = 100, **fields: object) -> Sample:
    contexts = fields.pop("contexts_of", None)
    return sample(name, size, update_of=UpdateOf(parent, contexts), **fields)  # type: ignore[arg-type]


def merge(name: str, *branches: str, **fields: object) -> Sample:
    return sample(name, 0, merge_of=tuple(Branch(b, 1.0) for b in branches), **fields)


def layer(name: str, size: int, mode: str = "add", *, units: bool = False) -> Layer:
    files = (File(f"{name}.bin", size, "0" * 64),)
    part = Part(files, ((0, 1),) if units else (), mode, {}, ())  # type: ignore[arg-type]
    return Layer(name, name, part, LayerClaims(size, size, ()))


def submission(*samples: Sample, models: tuple[Model, ...] = ()) -> Submission:
    text = dict.fromkeys(("schema_version", "id", "title", "description", "contributor"), "s")
    return Submission(
        root=Path(),
        **text,
        mdms_number=None,
        conforms_to=(),
        license="CC0-1.0",
        version="1",
        published=False,
        use_cases=(),
        models=models or (model(),),
        datasets=(),
        metrics=(Metric("top1", "top-k-accuracy", "", "higher", TOLERANCE),),
        vectors=(),
        samples=samples,
        associated_files=(),
    )


def row(value: object, metric: str = "top1", direction: str = "higher", **fields: object) -> dict:
    """Return what METRIC-DELTA-001 measures, without what the report's blocks do not read."""
    reference = fields.pop("reference", 0.9)
    made = {"metric": metric, "vectors": "test", "direction": direction}
    made |= {"reference": reference, "value": value, **fields}
    if isinstance(value, float) and isinstance(reference, float) and "loss" not in fields:
        made["loss"] = reference - value if direction == "higher" else value - reference
    return made


def about(
    check: str, each: Sample, evidence: dict | None = None, verdict: str = "pass", **fields: bool
) -> tuple[Planned, Finding]:
    """Return a finding of the check with this id about a sample."""
    planned = Planned(
        Check(check, "test_x", f"test_{check}", "sample", check, "", **fields),
        Subject(f"s/{each.id}", "s", sample=each),
    )
    return planned, Finding(check, f"s/{each.id}", Verdict(verdict), evidence=evidence or {})


def opened(used_parameter_bytes: int, name: str = "m") -> tuple[Planned, Finding]:
    """Return the finding that a model was opened, with the bytes of the parameters it uses."""
    planned = Planned(
        Check("MODEL-OPEN-001", "test_x", "test_open", "model", "", ""),
        Subject(f"s/{name}", "s", model=model(name)),
    )
    evidence = {"used_parameter_bytes": used_parameter_bytes}
    return planned, Finding("MODEL-OPEN-001", f"s/{name}", Verdict.PASS, evidence=evidence)


def measured(*pairs: tuple[Sample, object], used: int | None = 4000) -> Grouped:
    """Return the findings of METRIC-DELTA-001: each sample with its value of top1.

    The original, which has 8000 bytes, was opened and uses ``used`` bytes of parameters.
    """
    found = [about("METRIC-DELTA-001", each, row(value)) for each, value in pairs]
    return Grouped([*found, *([] if used is None else [opened(used)])])
