"""Building the values of a submission from metadata that its schema accepts."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from conformance.submission.values import (
    VALUE_TOLERANCE,
    Branch,
    Claims,
    Combination,
    Counterpart,
    Dataset,
    Equivalence,
    File,
    GatePermutation,
    Layer,
    LayerClaims,
    Method,
    Metric,
    MetricUse,
    MetricValue,
    Model,
    NameMapping,
    OutputTolerance,
    Padding,
    Part,
    Port,
    Sample,
    Shard,
    Slice,
    Software,
    Submission,
    Tolerance,
    UpdateOf,
    UseCase,
    VectorSet,
)
from conformance.verdicts import Json

Ranges: TypeAlias = tuple[tuple[int, int], ...]

MERGE = "merge"
"""What stands for the codec of a sample without a bitstream."""


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
        tolerance=_tolerance(data["tolerance"]),
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
                inputs=_files(each["inputs"]),
                targets=_files(each["targets"]),
                outputs=_files(each["outputs"]),
            )
            for each in data["shards"]
        ),
        output_tolerance=OutputTolerance(float(allowed["atol"]), float(allowed["rtol"])),
        equivalent_to=_equivalence(data.get("equivalent_to")),
    )


def _sample(data: Json, tolerances: Mapping[str, Tolerance]) -> Sample:
    """Return a sample; ``tolerances`` are those of the metrics by id."""
    codec = data.get("codec", {"id": MERGE})
    whole = Part(
        files=_files(data.get("files", [])),
        units=(),
        mode="whole",
        params=codec.get("params", {}),
        name_map=_name_map(data.get("name_map", [])),
    )
    return Sample(
        id=data["id"],
        model=data["model"],
        title=data["title"],
        codec=codec["id"],
        codec_params=whole.params,
        files=whole.files,
        lossless=data["lossless"],
        method=_method(data["method"]),
        features=tuple(data["features"]),
        metrics=tuple(_metric_use(each, tolerances) for each in data["metrics"]),
        claims=_claims(data["claims"]),
        name_map=whole.name_map,
        family=data.get("family", codec["id"]),
        update_of=_update(data.get("update_of")),
        merge_of=tuple(
            Branch(each["sample"], float(each["weight"])) for each in data.get("merge_of", [])
        ),
        same_tensors_as=data.get("same_tensors_as"),
        layers=_layers(data.get("layers", []), whole),
        dtype=data.get("dtype"),
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


def _metric_use(data: Json, tolerances: Mapping[str, Tolerance]) -> MetricUse:
    own = data.get("tolerance")
    holds = _tolerance(own) if own is not None else tolerances[data["metric"]]
    return MetricUse(data["metric"], data["vectors"], holds)


def _claims(data: Json) -> Claims:
    return Claims(
        compressed_size=int(data["compressed_size"]),
        compression_factor=_optional_float(data, "compression_factor"),
        compressed_percent=_optional_float(data, "compressed_percent"),
        metric_values=_metric_values(data["metric_values"]),
        tensor_digests=data["tensor_digests"],
        cumulative_size=int(data["cumulative_size"]) if "cumulative_size" in data else None,
        random_access=data.get("random_access", False),
    )


def _layers(data: Json, whole: Part) -> tuple[Layer, ...]:
    """Return the layers of the sample that would be ``whole`` without them."""
    units = [_units(each) for each in data]
    later = [tuple(chain(*units[place + 1 :])) for place in range(len(units))]
    return tuple(
        _layer(each, whole, units[place], later[place], place == 0)
        for place, each in enumerate(data)
    )


def _units(data: Json) -> Ranges:
    return tuple((int(each["first"]), int(each["last"])) for each in data.get("units", []))


def _layer(data: Json, whole: Part, units: Ranges, later: Ranges, is_first: bool) -> Layer:
    named = set(data.get("files", []))
    names = data.get("name_map")
    return Layer(
        id=data["id"],
        title=data.get("title", ""),
        part=Part(
            files=whole.files if units else _those(whole.files, named),
            units=units,
            mode="whole" if is_first else data["mode"],
            params={**whole.params, **data.get("params", {})},
            name_map=whole.name_map if names is None else _name_map(names),
            withheld=later,
        ),
        claims=LayerClaims(
            size=int(data["claims"]["size"]),
            cumulative_size=int(data["claims"]["cumulative_size"]),
            metric_values=_metric_values(data["claims"]["metric_values"]),
        ),
    )


def _those(all_files: tuple[File, ...], named: set[str]) -> tuple[File, ...]:
    return tuple(file for file in all_files if file.rel_filepath in named)


def _name_map(data: Json) -> tuple[NameMapping, ...]:
    return tuple(name_mapping(each) for each in data)


def _update(data: Json) -> UpdateOf | None:
    return UpdateOf(data.get("sample"), data.get("contexts_of")) if data is not None else None


def name_mapping(data: Json) -> NameMapping:
    """Return the entry of a ``name_map`` that ``data``, accepted by the schema, describes."""
    names = data["sample"] if isinstance(data["sample"], list) else [data["sample"]]
    cut, gates, pad = data.get("slice"), data.get("permute_gates"), data.get("pad")
    combine = data.get("combine")
    return NameMapping(
        sample=tuple(names),
        model=data["model"],
        slice=Slice(*_integers(cut, "axis", "begin", "end")) if cut else None,
        permute_gates=GatePermutation(int(gates["axis"]), gates["from"], gates["to"])
        if gates
        else None,
        transpose=_sizes(data, "transpose"),
        reshape=_sizes(data, "reshape"),
        combine=Combination(combine["how"], int(combine.get("axis", 0))) if combine else None,
        pad=Padding(*_integers(pad, "axis", "before", "after")) if pad else None,
    )


def _equivalence(data: Json | None) -> Equivalence | None:
    """Return the ``equivalent_to`` of a vector set, or None if it has none."""
    if data is None:
        return None
    sides = (
        tuple(
            Counterpart(each["name"], each["of"], _sizes(each, "transpose"))
            for each in data.get(side, [])
        )
        for side in ("inputs", "outputs")
    )
    return Equivalence(data["vectors"], *sides)


def _sizes(data: Json, key: str) -> tuple[int, ...] | None:
    return tuple(map(int, data[key])) if key in data else None


def _integers(data: Json, *keys: str) -> tuple[int, int, int]:
    first, second, third = (int(data[key]) for key in keys)
    return first, second, third


def _files(data: Json) -> tuple[File, ...]:
    """Return the files that a list of the metadata names."""
    return tuple(File(each["rel_filepath"], int(each["size"]), each["sha256"]) for each in data)


def _metric_values(data: Json) -> tuple[MetricValue, ...]:
    """Return declared or claimed values of metrics."""
    return tuple(
        MetricValue(
            metric=each["metric"],
            vectors=each["vectors"],
            value=float(each["value"]),
            tolerance=float(each.get("tolerance", VALUE_TOLERANCE)),
        )
        for each in data
    )


def _optional_float(data: Json, key: str) -> float | None:
    """Return the number under ``key``, or None if there is none."""
    return float(data[key]) if key in data else None


def _tolerance(data: Json) -> Tolerance:
    """Return the tolerance that ``data`` describes."""
    return Tolerance(
        type=data["type"],
        bound=float(data["bound"]),
        inclusive=data["inclusive"],
        upper_bound=_optional_float(data, "upper_bound"),
        confidence=_optional_float(data, "confidence"),
    )
