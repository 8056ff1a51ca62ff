"""Building the values of a submission from metadata that its schema accepts."""

from __future__ import annotations

from pathlib import Path

from conformance.submission.mapping import equivalence
from conformance.submission.pieces import files, metric_values, tolerance
from conformance.submission.samples import sample
from conformance.submission.values import (
    Dataset,
    Metric,
    Model,
    OutputTolerance,
    Port,
    Shard,
    Submission,
    UseCase,
    VectorSet,
)
from conformance.verdicts import Json


def build_submission(root: Path, data: Json) -> Submission:
    """Return the submission that ``data``, accepted by the schema, describes."""
    metrics = tuple(_metric(each) for each in data["metrics"])
    tolerances = {metric.id: metric.tolerance for metric in metrics}
    return Submission(
        root=root,
        schema_version=data["schema_version"],
        id=data["id"],
        title=data["title"],
        description=data["description"],
        contributor=data["contributor"],
        mdms_number=data["mdms_number"],
        conforms_to=tuple(data["conforms_to"]),
        license=data["license"],
        version=data["version"],
        published=data["published"],
        use_cases=tuple(
            UseCase(each["id"], each["title"], each["description"]) for each in data["use_cases"]
        ),
        models=tuple(_model(each) for each in data["models"]),
        datasets=tuple(_dataset(each) for each in data["datasets"]),
        metrics=metrics,
        vectors=tuple(_vector_set(each) for each in data["vectors"]),
        samples=tuple(sample(each, tolerances) for each in data["samples"]),
        associated_files=files(data.get("associated_files", [])),
    )


def _ports(data: Json) -> tuple[Port, ...]:
    return tuple(
        Port(
            each["name"],
            each["dtype"],
            # JSON Schema takes 8.0 for an integer as well.
            tuple(int(size) if isinstance(size, float) else size for size in each["shape"]),
        )
        for each in data
    )


def _model(data: Json) -> Model:
    return Model(
        id=data["id"],
        title=data["title"],
        format=data["format"],
        network_type=data["network_type"],
        files=files(data["files"]),
        inputs=_ports(data["inputs"]),
        outputs=_ports(data["outputs"]),
        parameter_count=int(data["parameter_count"]),
        use_cases=tuple(data["use_cases"]),
        training_data=tuple(data["training_data"]),
        test_data=tuple(data["test_data"]),
        metric_values=metric_values(data["metric_values"]),
    )


def _dataset(data: Json) -> Dataset:
    return Dataset(
        id=data["id"],
        name=data["name"],
        version=data["version"],
        license=data["license"],
        split=data["split"],
        items=None if data["items"] is None else int(data["items"]),
        description=data.get("description", ""),
        url=data.get("url"),
        doi=data.get("doi"),
        sha256=data.get("sha256"),
    )


def _metric(data: Json) -> Metric:
    return Metric(
        id=data["id"],
        kind=data["kind"],
        description=data["description"],
        direction=data["direction"],
        tolerance=tolerance(data["tolerance"]),
        args=data.get("args", {}),
        bindings=data.get("bindings", {}),
        against=data.get("against", "targets"),
    )


def _vector_set(data: Json) -> VectorSet:
    allowed = data["output_tolerance"]
    return VectorSet(
        id=data["id"],
        model=data["model"],
        dataset=data["dataset"],
        batched=data["batched"],
        shards=tuple(
            Shard(
                items=int(each["items"]),
                inputs=files(each["inputs"]),
                targets=files(each["targets"]),
                outputs=files(each["outputs"]),
            )
            for each in data["shards"]
        ),
        output_tolerance=OutputTolerance(float(allowed["atol"]), float(allowed["rtol"])),
        equivalent_to=equivalence(data.get("equivalent_to")),
    )
