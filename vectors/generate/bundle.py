"""Write a bundled submission with one trained network in several model formats.

Everything about a submission that files do not tell is a ``Bundle``. :func:`write_bundle`
makes the folder from it and from the committed weights: models, vectors, samples, metadata. Every
model is run in its own framework before anything is said about it, and held against the network
computed in float64.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from bundle_parts import Array, Bundle, BundledModel, Port, Vectors
from bundle_samples import SampleKind, Tensors, write_samples
from file_entry import describe_file
from measure import fill_in_measured

from conformance.tensorfiles import write_tensors

HERE = Path(__file__).resolve().parent
SUBMISSIONS = HERE.parent / "submissions"
METADATA = "submission.json"


def write_bundle(bundle: Bundle, root: Path, *, measured: bool = True) -> None:
    """Write the whole submission to ``root``, which must be empty or not exist.

    The metadata are written with empty claims, for the evaluation to read, and if ``measured`` once
    more with what it measured.
    """
    root.mkdir(parents=True, exist_ok=True)
    weights, vectors = bundle.weights(), bundle.vectors()
    expected = bundle.reference(weights, vectors.inputs)
    shutil.copyfile(HERE / f"{bundle.stem}_readme.md", root / "README.md")
    models = [
        _write_model(bundle, one, root, one.parameters(weights), vectors.inputs, expected)
        for one in bundle.models
    ]
    document = {
        "schema_version": "1.0",
        "id": bundle.id,
        **bundle.head,
        "models": models,
        "datasets": bundle.datasets,
        "metrics": bundle.metrics,
        "vectors": _write_vectors(bundle, root, vectors, expected),
        "samples": _write_samples(bundle, root, weights),
        "associated_files": [describe_file(root, root / "README.md")],
    }
    _write_json(root, document)
    if measured:
        owners = (*document["models"], *document["samples"])
        within = {owner["id"]: bundle.within for owner in owners}
        _write_json(root, fill_in_measured(root, document, within, bundle.decimals))


def replace_bundle(bundle: Bundle) -> None:
    """Write the submission to the folder that the command line names, in place of what is there."""
    parser = argparse.ArgumentParser(description=f"Write the bundled submission {bundle.id}.")
    target = SUBMISSIONS / bundle.id
    parser.add_argument("folder", type=Path, nargs="?", default=target, metavar="FOLDER")
    parser.add_argument("--without-claims", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    if arguments.folder.exists():
        shutil.rmtree(arguments.folder)
    write_bundle(bundle, arguments.folder, measured=not arguments.without_claims)
    print(f"wrote {arguments.folder}")


def _model_id(bundle: Bundle, one: BundledModel) -> str:
    return f"{bundle.name}-{one.format}"


def _set_id(one: BundledModel) -> str:
    return f"test-{one.format}"


def _write_model(
    bundle: Bundle,
    one: BundledModel,
    root: Path,
    parameters: Tensors,
    inputs: Array,
    expected: Array,
) -> dict[str, Any]:
    folder = root / "models" / _model_id(bundle, one)
    folder.mkdir(parents=True)
    files = one.write(folder, parameters)
    difference = float(np.abs(one.run(files, inputs) - expected).max())
    assert difference < bundle.largest_difference, f"{one.format}: {difference}"
    return {
        "id": _model_id(bundle, one),
        "title": one.title,
        "format": one.format,
        "network_type": bundle.network_type,
        "files": [describe_file(root, path) for path in files],
        "inputs": [_port(bundle.input, one.batch)],
        "outputs": [_port(bundle.output, one.batch)],
        "parameter_count": int(sum(np.size(values) for values in parameters.values())),
        "use_cases": [use_case["id"] for use_case in bundle.head["use_cases"]],
        "training_data": [bundle.datasets[0]["id"]],
        "test_data": [bundle.datasets[1]["id"]],
        "metric_values": [
            {"metric": metric["id"], "vectors": _set_id(one), "value": 0}
            for metric in bundle.metrics
        ],
    }


def _port(port: Port, batch: str | int) -> dict[str, Any]:
    return {"name": port.name, "dtype": port.dtype, "shape": [batch, *port.item]}


def _write_vectors(
    bundle: Bundle, root: Path, vectors: Vectors, expected: Array
) -> list[dict[str, Any]]:
    (root / "vectors").mkdir()

    def written(role: str, name: str, values: Array) -> list[dict[str, Any]]:
        path = root / "vectors" / f"{role}.safetensors"
        write_tensors(path, {name: values})
        return [describe_file(root, path)]

    inputs = written("inputs", bundle.input.name, vectors.inputs)
    if vectors.targets is None:
        targets = inputs
    else:
        targets = written("targets", vectors.target, vectors.targets)
    outputs = written("outputs", bundle.output.name, expected.astype(bundle.output.dtype))
    shard = {
        "items": len(vectors.inputs),
        "inputs": inputs,
        "targets": targets,
        "outputs": outputs,
    }
    first = bundle.models[0]
    return [
        {
            "id": _set_id(one),
            "model": _model_id(bundle, one),
            "dataset": bundle.datasets[1]["id"],
            "batched": True,
            "output_tolerance": dict(bundle.output_tolerance),
            "shards": [shard],
            **({} if one is first else {"equivalent_to": {"vectors": _set_id(first)}}),
        }
        for one in bundle.models
    ]


def _write_samples(bundle: Bundle, root: Path, weights: Tensors) -> list[dict[str, Any]]:
    files = write_samples(root, bundle.samples, weights)
    return [
        _sample_entry(bundle, one, kind, *files[kind.id])
        for one in bundle.models
        for kind in bundle.samples
    ]


def _sample_entry(
    bundle: Bundle,
    one: BundledModel,
    kind: SampleKind,
    params: dict[str, Any],
    file: dict[str, Any],
) -> dict[str, Any]:
    scripts = {"name": f"vectors/generate/{bundle.stem}.py of nnr-conformance", "version": "1.0.0"}
    entry = {
        "id": f"{kind.id}-{one.format}",
        "model": _model_id(bundle, one),
        "title": kind.title,
        "codec": {"id": kind.codec, "params": params},
        "files": [file],
        "lossless": kind.lossless,
        "method": {**kind.method, "software": [scripts]},
        "features": [],
        "metrics": []
        if kind.lossless
        else [_metric_use(kind, one, metric) for metric in bundle.metrics],
        "claims": {
            "compressed_size": file["size"],
            "metric_values": [],
            "tensor_digests": {},
        },
    }
    return {**entry, "name_map": one.name_map} if one.name_map else entry


def _metric_use(kind: SampleKind, one: BundledModel, metric: Mapping[str, Any]) -> dict[str, Any]:
    use: dict[str, Any] = {"metric": metric["id"], "vectors": _set_id(one)}
    if metric["id"] in kind.bounds:
        use["tolerance"] = {**metric["tolerance"], "bound": kind.bounds[metric["id"]]}
    return use


def _write_json(root: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (root / METADATA).write_text(text, "utf-8")
