"""Write a bundled submission: its networks in their formats, vectors, samples and metadata.

:func:`write_bundle` makes the folder from a :class:`~bundle.Bundle` and from the committed weights.
Every model is run by its :mod:`exporter <exporters>` before anything is said about it, and compared
with the network computed in float64.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from bundle import HERE, Array, Bundle, Json, Layer, Model, Port, Sample, Vectors
from exporters import EXPORTERS
from file_entry import describe_file
from measure import fill_in_measured
from onnx_graph import evaluate
from tensor_layouts import CHANNELS_LAST, Tensors

from conformance.tensorfiles import write_tensors

METADATA = "submission.json"


def write_bundle(
    bundle: Bundle, root: Path, *, measured: bool = True, evidence: Path | None = None
) -> None:
    """Write the whole submission to ``root``, which must be empty or not exist.

    The metadata are written with empty claims, for the evaluation to read, and if ``measured`` once
    more with what it measured, which the folder ``evidence`` keeps.
    """
    root.mkdir(parents=True, exist_ok=True)
    for folder in ("models", "samples", "vectors"):
        (root / folder).mkdir()
    shutil.copyfile(HERE / f"{bundle.stem}_readme.md", root / "README.md")
    weights, vectors = bundle.load_weights(), bundle.vectors()
    first = bundle.models[0]
    original = first.build(bundle.parameters(first, weights))
    expected = evaluate(original, vectors.inputs)[bundle.output.name]
    # TensorFlow numbers what it traces: models come before samples.
    models = [
        _write_model(bundle, model, root, weights, vectors.inputs, expected)
        for model in bundle.models
    ]
    samples = [*_samples_in_every_format(bundle, weights), *bundle.samples()]
    document = {
        "schema_version": "1.0",
        "id": bundle.id,
        "title": bundle.title,
        "description": bundle.description,
        "contributor": "nnr-conformance project",
        "mdms_number": None,
        "conforms_to": ["MPEG Call for Test Data for neural network compression (April 2018)"],
        "license": bundle.license,
        "version": "1.0.0",
        "published": False,
        "use_cases": bundle.use_cases,
        "models": models,
        "datasets": bundle.datasets,
        "metrics": bundle.metrics,
        "vectors": [
            _write_vectors(bundle, model, root, vectors, expected) for model in bundle.models
        ],
        "samples": [_write_sample(bundle, root, sample) for sample in samples],
        "associated_files": [describe_file(root, root / "README.md")],
    }
    _write_json(root, document)
    if measured:
        within: dict[str, Mapping[str, float]]
        within = {sample.id: {**bundle.within, **sample.within} for sample in samples}
        within |= {bundle.model_id(model.format): bundle.within for model in bundle.models}
        _write_json(root, fill_in_measured(root, document, within, bundle.decimals, evidence))


def replace_bundle(bundle: Bundle) -> None:
    """Write the submission to the folder that the command line names, in place of what is there."""
    parser = argparse.ArgumentParser(description=f"Write the bundled submission {bundle.id}.")
    target = HERE.parent / "submissions" / bundle.id
    parser.add_argument("folder", type=Path, nargs="?", default=target, metavar="FOLDER")
    parser.add_argument("--without-claims", action="store_true", help="measure nothing")
    parser.add_argument("--evidence", type=Path, metavar="DIR", help="keep what is measured there")
    if bundle.remake:
        parser.add_argument("--nncodec", metavar="PYTHON", help="make the NNC bitstreams again")
    arguments = parser.parse_args()
    if bundle.remake and arguments.nncodec:
        bundle.remake(arguments.nncodec)
    if arguments.folder.exists():
        shutil.rmtree(arguments.folder)
    measured = not arguments.without_claims
    write_bundle(bundle, arguments.folder, measured=measured, evidence=arguments.evidence)
    print(f"wrote {arguments.folder}")


def _samples_in_every_format(bundle: Bundle, weights: Tensors) -> list[Sample]:
    used = dict.fromkeys(model.tensors for model in bundle.models)
    made = {
        name: [kind(bundle.tensor_sets[name].make(weights)) for kind in bundle.kinds]
        for name in used
    }
    return [
        _sample_in_format(bundle, model, sample)
        for model in bundle.models
        for sample in made[model.tensors]
    ]


def _sample_in_format(bundle: Bundle, model: Model, sample: Sample) -> Sample:
    ending = f"-{model.tensors}." if model.tensors else "."
    summary = sample.method["summary"] + bundle.tensor_sets[model.tensors].note
    return dataclasses.replace(
        sample,
        id=f"{sample.id}-{model.format}",
        files={name.replace(".", ending, 1): data for name, data in sample.files.items()},
        method={**sample.method, "summary": summary},
        format=model.format,
        name_map=model.name_map,
    )


def _write_model(
    bundle: Bundle, model: Model, root: Path, weights: Tensors, inputs: Array, expected: Array
) -> dict[str, Json]:
    exporter, model_id = EXPORTERS[model.format], bundle.model_id(model.format)
    parameters = bundle.parameters(model, weights)
    path, title = root / "models" / model_id, bundle.network
    if len(bundle.models) > 1:
        path.mkdir()
        path, title = path / bundle.file, f"{title}: {exporter.title}{model.note}"
    files = exporter.write(path, model.build(parameters))
    fed = inputs.astype(np.float32) if inputs.dtype.kind == "f" else inputs
    difference = float(np.abs(exporter.run(files, _in_layout(model, fed)) - expected).max())
    assert difference < bundle.largest_difference, f"{model.format}: {difference}"
    return {
        "id": model_id,
        "title": title,
        "format": model.format,
        "network_type": bundle.network_type,
        "files": [describe_file(root, path) for path in files],
        "inputs": [_port(bundle.input, model, channels_last=model.channels_last)],
        "outputs": [_port(bundle.output, model)],
        "parameter_count": int(sum(np.size(values) for values in parameters.values())),
        "use_cases": [use_case["id"] for use_case in bundle.use_cases],
        "training_data": [bundle.datasets[0]["id"]],
        "test_data": [bundle.datasets[1]["id"]],
        "metric_values": _no_values(bundle, model.format),
    }


def _port(port: Port, model: Model, *, channels_last: bool = False) -> dict[str, Json]:
    item = (*port.item[1:], port.item[0]) if channels_last else port.item
    return {"name": port.name, "dtype": port.dtype, "shape": [model.batch, *item]}


def _in_layout(model: Model, inputs: Array) -> Array:
    return np.ascontiguousarray(inputs.transpose(CHANNELS_LAST)) if model.channels_last else inputs


def _no_values(bundle: Bundle, format: str) -> list[dict[str, Json]]:
    vectors = bundle.set_id(format)
    return [{"metric": metric["id"], "vectors": vectors, "value": 0} for metric in bundle.metrics]


def _write_vectors(
    bundle: Bundle, model: Model, root: Path, vectors: Vectors, expected: Array
) -> dict[str, Json]:
    arrays = {
        "inputs": (bundle.input.name, _in_layout(model, vectors.inputs)),
        "targets": (vectors.target, vectors.targets),
        "outputs": (bundle.output.name, expected.astype(bundle.output.dtype)),
    }
    layout, items = "last" if model.channels_last else "first", len(expected)
    items //= len(vectors.suffixes)
    shards = []
    for number, suffix in enumerate(vectors.suffixes):
        shard: dict[str, Json] = {"items": items}
        for role, (name, values) in arrays.items():
            if values is None:
                shard[role] = shard["inputs"]
                continue
            file = vectors.names[role].format(shard=number, layout=layout) + suffix
            part = values[number * items : (number + 1) * items]
            write_tensors(root / "vectors" / file, {name: part})
            shard[role] = [describe_file(root, root / "vectors" / file)]
        shards.append(shard)
    return {
        "id": bundle.set_id(model.format),
        "model": bundle.model_id(model.format),
        "dataset": bundle.datasets[1]["id"],
        "batched": True,
        "output_tolerance": dict(bundle.output_tolerance),
        "shards": shards,
        **_equivalence(bundle, model),
    }


def _equivalence(bundle: Bundle, model: Model) -> dict[str, Json]:
    if model is bundle.models[0]:
        return {}
    reference: dict[str, Json] = {"vectors": bundle.set_id(bundle.models[0].format)}
    if model.channels_last:
        name, back = bundle.input.name, [int(axis) for axis in np.argsort(CHANNELS_LAST)]
        reference["inputs"] = [{"name": name, "of": name, "transpose": back}]
    return {"equivalent_to": reference}


def _write_sample(bundle: Bundle, root: Path, sample: Sample) -> dict[str, Json]:
    files = []
    for name, data in sample.files.items():
        path = root / "samples" / name
        path.write_bytes(data)
        files.append(describe_file(root, path))
    coded = {"codec": {"id": sample.codec, "params": dict(sample.params)}, "files": files}
    size = sum(file["size"] for file in files)
    derived = bool({"update_of", "merge_of"} & sample.extra.keys())
    layers = [_layer_entry(bundle, sample, layer) for layer in sample.layers]
    software = sample.method["software"]
    own = [] if bundle.scripts in software else [bundle.scripts]
    uses = [_metric_use(bundle, sample, metric) for metric in bundle.metrics]
    return {
        "id": sample.id,
        "model": bundle.model_id(sample.format),
        "title": sample.title,
        **sample.extra,
        **(coded if files else {}),
        **({"layers": layers} if layers else {}),
        "lossless": sample.lossless,
        "method": {**sample.method, "software": [*own, *software]},
        "features": [],
        "metrics": [] if sample.lossless else uses,
        "claims": {
            "compressed_size": size,
            **({"cumulative_size": size} if derived else {}),
            **sample.claims,
            "metric_values": [],
            "tensor_digests": {},
        },
        **({"name_map": list(sample.name_map)} if sample.name_map else {}),
    }


def _layer_entry(bundle: Bundle, sample: Sample, layer: Layer) -> dict[str, Json]:
    if layer.units is None:
        part: dict[str, Json] = {"files": [f"samples/{name}" for name in layer.files]}
    else:
        part = {"units": [dict(zip(("first", "last"), layer.units, strict=True))]}
    values = _no_values(bundle, sample.format)
    return {
        "id": layer.id,
        "title": layer.title,
        **part,
        **layer.extra,
        "claims": {"size": 0, "cumulative_size": 0, "metric_values": values},
    }


def _metric_use(bundle: Bundle, sample: Sample, metric: Mapping[str, Json]) -> dict[str, Json]:
    use: dict[str, Json] = {"metric": metric["id"], "vectors": bundle.set_id(sample.format)}
    if metric["id"] in sample.bounds:
        use["tolerance"] = {**metric["tolerance"], "bound": sample.bounds[metric["id"]]}
    return use


def _write_json(root: Path, document: Mapping[str, Json]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (root / METADATA).write_text(text, "utf-8")
