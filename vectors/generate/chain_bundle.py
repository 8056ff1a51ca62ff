"""Write a bundled submission whose samples build on one another: updates, merges, layers.

It has one network that reads digits, the vectors and data sets of ``digits-cnn``, and samples that
may consist of several files, or of none. Everything that files do not tell is a
:class:`ChainBundle`; :func:`write_chain_bundle` makes the folder from it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from chain_streams import Step, make_streams
from description import DATASETS, USE_CASES, VECTOR_SET
from digits_data import load_digits_split
from file_entry import describe_file
from measure import fill_in_measured
from network import INPUT, OUTPUT, Weights, build_model
from vector_files import write_shards

HERE = Path(__file__).resolve().parent
METADATA = "submission.json"

Json = Any


@dataclass(frozen=True, slots=True)
class ChainLayer:
    """A layer of a sample: names of its files below ``samples/``, or a range of units.

    ``extra`` has the other entries of the metadata: mode, params, name_map.
    """

    id: str
    title: str
    files: Sequence[str] = ()
    units: tuple[int, int] | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChainSample:
    """A sample but for what is measured.

    ``files`` are bytes by name below ``samples/``; without any the sample is a merge. ``bounds``
    replaces the bound of a metric's tolerance. ``extra`` has further entries of the metadata:
    update_of, merge_of, same_tensors_as, family.
    """

    id: str
    title: str
    codec: str
    files: Mapping[str, bytes]
    method: Mapping[str, Json]
    params: Mapping[str, Json] = field(default_factory=dict)
    bounds: Mapping[str, float] = field(default_factory=dict)
    layers: Sequence[ChainLayer] = ()
    random_access: bool = False
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChainBundle:
    """One submission; ``head`` has its texts, ``title`` those of its only model ``model``."""

    id: str
    model: str
    title: str
    head: Mapping[str, Json]
    metrics: Sequence[Mapping[str, Json]]
    weights: Callable[[], Weights]
    samples: Callable[[], Sequence[ChainSample]]
    steps: Callable[[], Sequence[Step]]

    @property
    def stem(self) -> str:
        """The beginning of the names of the files in this folder."""
        return self.id.replace("-", "_")


def head(title: str, description: str) -> dict[str, Json]:
    """Return the first entries of the metadata, but for the id."""
    return {
        "title": title,
        "description": description,
        "contributor": "nnr-conformance project",
        "mdms_number": None,
        "conforms_to": ["MPEG Call for Test Data for neural network compression (April 2018)"],
        "license": "CC-BY-4.0",
        "version": "1.0.0",
        "published": False,
        "use_cases": USE_CASES,
    }


def write_chain_bundle(bundle: ChainBundle, root: Path, *, measured: bool = True) -> None:
    """Write the whole submission to ``root``, which must be empty or not exist.

    The metadata are written with empty claims, for the evaluation to read, and if ``measured`` once
    more with what it measured.
    """
    root.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / f"{bundle.stem}_readme.md", root / "README.md")
    weights = bundle.weights()
    (root / "models").mkdir()
    model = build_model(weights, bundle.model)
    (root / "models" / f"{bundle.model}.onnx").write_bytes(model.SerializeToString())
    shards = write_shards(root, model, load_digits_split()[1])
    (root / "samples").mkdir()
    document = {
        "schema_version": "1.0",
        "id": bundle.id,
        **bundle.head,
        "models": [_model_entry(bundle, root, weights)],
        "datasets": DATASETS,
        "metrics": bundle.metrics,
        "vectors": [_vectors_entry(bundle, shards)],
        "samples": [_write_sample(bundle, root, sample) for sample in bundle.samples()],
        "associated_files": [describe_file(root, root / "README.md")],
    }
    _write_json(root, document)
    if measured:
        _write_json(root, fill_in_measured(root, document, {}))


def replace_chain_bundle(bundle: ChainBundle) -> None:
    """Write the submission to the folder that the command line names, in place of what is there."""
    parser = argparse.ArgumentParser(description=f"Write the bundled submission {bundle.id}.")
    target = HERE.parent / "submissions" / bundle.id
    parser.add_argument("folder", type=Path, nargs="?", default=target, metavar="FOLDER")
    parser.add_argument("--nncodec", metavar="PYTHON", help="make the NNC bitstreams again")
    parser.add_argument("--without-claims", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    if arguments.nncodec:
        make_streams(arguments.nncodec, bundle.stem, bundle.steps())
    if arguments.folder.exists():
        shutil.rmtree(arguments.folder)
    write_chain_bundle(bundle, arguments.folder, measured=not arguments.without_claims)
    print(f"wrote {arguments.folder}")


def _model_entry(bundle: ChainBundle, root: Path, weights: Weights) -> dict[str, Json]:
    return {
        "id": bundle.model,
        "title": bundle.title,
        "format": "onnx",
        "network_type": "cnn",
        "files": [describe_file(root, root / "models" / f"{bundle.model}.onnx")],
        "inputs": [{"name": INPUT, "dtype": "float32", "shape": ["N", 1, 8, 8]}],
        "outputs": [{"name": OUTPUT, "dtype": "float32", "shape": ["N", 10]}],
        "parameter_count": int(sum(np.size(value) for value in weights.values())),
        "use_cases": [use_case["id"] for use_case in USE_CASES],
        "training_data": [DATASETS[0]["id"]],
        "test_data": [DATASETS[1]["id"]],
        "metric_values": [_no_value(metric) for metric in bundle.metrics],
    }


def _vectors_entry(bundle: ChainBundle, shards: list[dict[str, Json]]) -> dict[str, Json]:
    return {
        "id": VECTOR_SET,
        "model": bundle.model,
        "dataset": DATASETS[1]["id"],
        "batched": True,
        "output_tolerance": {"atol": 1e-4, "rtol": 1e-5},
        "shards": shards,
    }


def _write_sample(bundle: ChainBundle, root: Path, sample: ChainSample) -> dict[str, Json]:
    files = []
    for name, data in sample.files.items():
        path = root / "samples" / name
        path.write_bytes(data)
        files.append(describe_file(root, path))
    size = sum(len(data) for data in sample.files.values())
    coded = {"codec": {"id": sample.codec, "params": dict(sample.params)}, "files": files}
    derived = bool({"update_of", "merge_of"} & sample.extra.keys())
    layers = [_layer_entry(bundle, layer) for layer in sample.layers]
    return {
        "id": sample.id,
        "model": bundle.model,
        "title": sample.title,
        **sample.extra,
        **(coded if files else {}),
        **({"layers": layers} if layers else {}),
        "lossless": False,
        "method": dict(sample.method),
        "features": [],
        "metrics": [_metric_use(sample, metric) for metric in bundle.metrics],
        "claims": {
            "compressed_size": size,
            **({"cumulative_size": size} if derived else {}),
            **({"random_access": True} if sample.random_access else {}),
            "metric_values": [],
            "tensor_digests": {},
        },
    }


def _layer_entry(bundle: ChainBundle, layer: ChainLayer) -> dict[str, Json]:
    if layer.units is None:
        part: dict[str, Json] = {"files": [f"samples/{name}" for name in layer.files]}
    else:
        part = {"units": [dict(zip(("first", "last"), layer.units, strict=True))]}
    values = [_no_value(metric) for metric in bundle.metrics]
    return {
        "id": layer.id,
        "title": layer.title,
        **part,
        **layer.extra,
        "claims": {"size": 0, "cumulative_size": 0, "metric_values": values},
    }


def _no_value(metric: Mapping[str, Json]) -> dict[str, Json]:
    return {"metric": metric["id"], "vectors": VECTOR_SET, "value": 0}


def _metric_use(sample: ChainSample, metric: Mapping[str, Json]) -> dict[str, Json]:
    use: dict[str, Json] = {"metric": metric["id"], "vectors": VECTOR_SET}
    if metric["id"] in sample.bounds:
        use["tolerance"] = {**metric["tolerance"], "bound": sample.bounds[metric["id"]]}
    return use


def _write_json(root: Path, document: Mapping[str, Json]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (root / METADATA).write_text(text, "utf-8")
