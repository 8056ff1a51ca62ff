"""Building a sample: its codec, method, claims and layers, and what it builds upon."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TypeAlias

from conformance.submission.mapping import name_mapping
from conformance.submission.pieces import files, metric_values, optional_float, tolerance
from conformance.submission.values import (
    Branch,
    Claims,
    File,
    Layer,
    LayerClaims,
    Method,
    MetricUse,
    NameMapping,
    Part,
    Sample,
    Software,
    Tolerance,
    UpdateOf,
)
from conformance.verdicts import Json

Ranges: TypeAlias = tuple[tuple[int, int], ...]

MERGE = "merge"
"""What stands for the codec of a sample without a bitstream."""


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
    holds = tolerance(own) if own is not None else tolerances[data["metric"]]
    return MetricUse(data["metric"], data["vectors"], holds)


def _claims(data: Json) -> Claims:
    return Claims(
        compressed_size=int(data["compressed_size"]),
        compression_factor=optional_float(data, "compression_factor"),
        compressed_percent=optional_float(data, "compressed_percent"),
        metric_values=metric_values(data["metric_values"]),
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
            metric_values=metric_values(data["claims"]["metric_values"]),
        ),
    )


def _those(all_files: tuple[File, ...], named: set[str]) -> tuple[File, ...]:
    return tuple(file for file in all_files if file.rel_filepath in named)


def _name_map(data: Json) -> tuple[NameMapping, ...]:
    return tuple(name_mapping(each) for each in data)


def _update(data: Json) -> UpdateOf | None:
    return UpdateOf(data.get("sample"), data.get("contexts_of")) if data is not None else None


def sample(data: Json, tolerances: Mapping[str, Tolerance]) -> Sample:
    """Return a sample; ``tolerances`` are those of the metrics by id."""
    codec = data.get("codec", {"id": MERGE})
    whole = Part(
        files=files(data.get("files", [])),
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
