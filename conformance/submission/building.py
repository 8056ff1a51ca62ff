"""Building the values of a submission from metadata that its schema accepts."""

from __future__ import annotations

from pathlib import Path

from conformance.submission.mapping import equivalence, name_mapping
from conformance.submission.values import (
    Claims,
    Dataset,
    File,
    Method,
    Metric,
    MetricUse,
    MetricValue,
    Model,
    OutputTolerance,
    Port,
    Sample,
    Shard,
    Software,
    Submission,
    Tolerance,
    UseCase,
    VectorSet,
)
from conformance.verdicts import Json

VALUE_TOLERANCE = 1e-6
"""How far a measured metric may lie from a declared one, where that is not declared as well."""


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
        samples=tuple(_sample(each, tolerances) for each in data["samples"]),
        associated_files=_files(data.get("associated_files", [])),
    )


def _files(data: Json) -> tuple[File, ...]:
    return tuple(File(each["rel_filepath"], int(each["size"]), each["sha256"]) for each in data)


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


def _metric_values(data: Json) -> tuple[MetricValue, ...]:
    return tuple(
        MetricValue(
            metric=each["metric"],
            vectors=each["vectors"],
            value=float(each["value"]),
            tolerance=float(each.get("tolerance", VALUE_TOLERANCE)),
        )
        for each in data
    )


def _model(data: Json) -> Model:
    return Model(
        id=data["id"],
        title=data["title"],
        format=data["format"],
        network_type=data["network_type"],
        files=_files(data["files"]),
        inputs=_ports(data["inputs"]),
        outputs=_ports(data["outputs"]),
        parameter_count=int(data["parameter_count"]),
        use_cases=tuple(data["use_cases"]),
        training_data=tuple(data["training_data"]),
        test_data=tuple(data["test_data"]),
        metric_values=_metric_values(data["metric_values"]),
    )


def _dataset(data: Json) -> Dataset:
    return Dataset(
        id=data["id"],
        name=data["name"],
        version=data["version"],
        license=data["license"],
        split=data["split"],
        items=int(data["items"]),
        description=data.get("description", ""),
        url=data.get("url"),
        doi=data.get("doi"),
        sha256=data.get("sha256"),
    )


def _optional_float(data: Json, key: str) -> float | None:
    return float(data[key]) if key in data else None


def _tolerance(data: Json) -> Tolerance:
    return Tolerance(
        type=data["type"],
        bound=float(data["bound"]),
        inclusive=data["inclusive"],
        upper_bound=_optional_float(data, "upper_bound"),
        confidence=_optional_float(data, "confidence"),
    )


def _metric(data: Json) -> Metric:
    return Metric(
        id=data["id"],
        kind=data["kind"],
        description=data["description"],
        direction=data["direction"],
        tolerance=_tolerance(data["tolerance"]),
        args=data.get("args", {}),
        bindings=data.get("bindings", {}),
        against=data.get("against", "targets"),
    )


def _vector_set(data: Json) -> VectorSet:
    tolerance = data["output_tolerance"]
    return VectorSet(
        id=data["id"],
        model=data["model"],
        dataset=data["dataset"],
        batched=data["batched"],
        shards=tuple(
            Shard(
                items=int(each["items"]),
                inputs=_files(each["inputs"]),
                targets=_files(each["targets"]),
                outputs=_files(each["outputs"]),
            )
            for each in data["shards"]
        ),
        output_tolerance=OutputTolerance(float(tolerance["atol"]), float(tolerance["rtol"])),
        equivalent_to=equivalence(data.get("equivalent_to")),
    )


def _method(data: Json) -> Method:
    return Method(
        summary=data["summary"],
        parameter_reduction=tuple(data["parameter_reduction"]),
        quantisation=tuple(data["quantisation"]),
        entropy_coding=tuple(data["entropy_coding"]),
        retraining=data["retraining"],
        software=tuple(
            Software(each["name"], each["version"], each.get("url")) for each in data["software"]
        ),
    )


def _metric_use(data: Json, tolerances: dict[str, Tolerance]) -> MetricUse:
    own = data.get("tolerance")
    tolerance = _tolerance(own) if own is not None else tolerances[data["metric"]]
    return MetricUse(data["metric"], data["vectors"], tolerance)


def _claims(data: Json) -> Claims:
    return Claims(
        compressed_size=int(data["compressed_size"]),
        compression_factor=_optional_float(data, "compression_factor"),
        compressed_percent=_optional_float(data, "compressed_percent"),
        metric_values=_metric_values(data["metric_values"]),
        tensor_digests=data["tensor_digests"],
    )


def _sample(data: Json, tolerances: dict[str, Tolerance]) -> Sample:
    return Sample(
        id=data["id"],
        model=data["model"],
        title=data["title"],
        codec=data["codec"]["id"],
        codec_params=data["codec"].get("params", {}),
        files=_files(data["files"]),
        lossless=data["lossless"],
        method=_method(data["method"]),
        features=tuple(data["features"]),
        metrics=tuple(_metric_use(each, tolerances) for each in data["metrics"]),
        claims=_claims(data["claims"]),
        name_map=tuple(name_mapping(each) for each in data.get("name_map", [])),
    )
