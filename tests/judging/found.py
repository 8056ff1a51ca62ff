"""Samples, a submission of them, and what is known of them, for tests of the report's blocks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from conformance.checks import Check
from conformance.judging.run import Planned
from conformance.plan.jobs import Job
from conformance.plan.results import (
    ModelResult,
    OriginalResult,
    R,
    ReconstructionResult,
    Result,
)
from conformance.plan.subjects import ModelSubject, SampleSubject
from conformance.submission.values import (
    Branch,
    Claims,
    File,
    Layer,
    LayerClaims,
    Method,
    Metric,
    MetricUse,
    MetricValue,
    Model,
    OutputTolerance,
    Part,
    Sample,
    Submission,
    Tolerance,
    UpdateOf,
    VectorSet,
)
from conformance.verdicts import ConformanceError, Finding, Verdict
from tests.results import made

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
    return Layer(
        name, name, part, LayerClaims(size, size, (MetricValue("top1", "test", 0.9, 1e-6),))
    )


def vectors(name: str = "test", of: str = "m") -> VectorSet:
    return VectorSet(name, of, "d", True, (), OutputTolerance(0.0, 0.0))


def submission(
    *samples: Sample, models: tuple[Model, ...] = (), vectors: tuple[VectorSet, ...] = ()
) -> Submission:
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
        metrics=(
            Metric("top1", "top-k-accuracy", "", "higher", TOLERANCE),
            Metric("kl", "kl-divergence", "", "lower", TOLERANCE),
        ),
        vectors=vectors,
        samples=samples,
        associated_files=(),
    )


class Known:
    """Results by the names of their jobs, in the place of an evidence store."""

    def __init__(self, results: Mapping[str, Result]) -> None:
        self.results = dict(results)

    def result(self, job: Job, kind: type[R]) -> R | None:
        found = self.results.get(job.name)
        return found if isinstance(found, kind) else None


def values(
    each: Sample, value: object, metric: str = "top1", *, part: int | None = None, **fields: object
) -> dict[str, Result]:
    """Return the results of running a sample, or a layer of it, and its original.

    A value of None is one that could not be measured.
    """
    place = "" if part is None else f"#{part}"
    reference = fields.pop("reference", 0.9)
    error = {"error": ConformanceError("no value")}
    row = {"value": value, "reference": reference, "items": 10, "counted": {"items": 10}, **fields}
    ran = {"metrics": {metric: error if value is None else row}}
    return {
        f"original {each.model}@test": made(OriginalResult, {}),
        f"reconstruction {each.id}{place}@test": made(ReconstructionResult, ran),
    }


def opened(used_parameter_bytes: int, name: str = "m") -> dict[str, Result]:
    """Return the result of opening a model, with the bytes of the parameters it uses."""
    given = {"used_parameter_bytes": used_parameter_bytes}
    return {f"model {name}": made(ModelResult, given)}


def measured(*pairs: tuple[Sample, object], used: int | None = 4000) -> Known:
    """Return results: each sample with its value of top1.

    The original, which has 8000 bytes, was opened and uses ``used`` bytes of parameters.
    """
    known = {} if used is None else opened(used)
    for each, value in pairs:
        known |= values(each, value)
    return Known(known)


def sample_subject(each: Sample, *others: Sample, pointer: str = "/samples/0") -> SampleSubject:
    """Return a sample as a subject, in a submission that has ``others`` as well."""
    return SampleSubject(
        f"s/{each.id}",
        "s",
        pointer,
        submission=submission(each, *others),
        model=model(each.model),
        sample=each,
    )


def model_subject(each: Model, pointer: str = "/models/0") -> ModelSubject:
    """Return a model as a subject."""
    return ModelSubject(
        f"s/{each.id}", "s", pointer, submission=submission(models=(each,)), model=each
    )


def about(
    check: str, each: Sample, verdict: str = "pass", **fields: bool
) -> tuple[Planned, Finding]:
    """Return a finding of the check with this id about a sample."""
    planned = Planned(
        Check(check, "test_x", f"test_{check}", "sample", check, "", **fields),
        sample_subject(each),
    )
    return planned, Finding(check, f"s/{each.id}", Verdict(verdict))
