"""The floor of a run: the values of a submission, computed by a bare script in one process.

    python benchmarks/floor.py DIR

Files are read with NumPy, safetensors and onnx, samples of the codecs ``tensors`` and ``nnc`` are
decoded by this project's own decoders, parameters are put into a copy of the model, ONNX Runtime
runs it with this project's settings, and each metric is computed once. So are they for the four
controls of each original, on the vectors that a sample names. No hash is checked, no claim
compared, no interval computed, nothing isolated, stored or reported. The values go to standard
output as JSON: of a network, by ``metric@vectors``; of a lossless sample, whether it equals its
original; of a control, under the name of its model, a space and its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from safetensors.numpy import load_file

from conformance import nnc
from conformance.codecs import Source
from conformance.codecs.tensors import TensorsCodec
from conformance.jobs.replacing import change_named
from conformance.plan.jobs import CONTROLS as CHANGES
from conformance.runtimes import Change

Arrays: TypeAlias = Mapping[str, Any]
Json: TypeAlias = Mapping[str, Any]

BATCH = 256
"""Items in one run: what the project takes for small networks."""
LIMIT_BYTES = 1 << 34
CONTROLS: Mapping[str, Change] = {name.replace("-", " "): change_named(name) for name in CHANGES}
CONFIG = {
    "session.disable_quant_qdq": "1",
    "session.disable_prepacking": "1",
}


def values_of(folder: Path) -> dict[str, dict[str, float | bool]]:
    """Return the metric values of every network of a submission, by its id."""
    submission = json.loads((folder / "submission.json").read_text("utf-8"))
    vectors = {entry["id"]: read_vectors(folder, entry) for entry in submission["vectors"]}
    metrics = {metric["id"]: metric for metric in submission["metrics"]}
    values: dict[str, dict[str, float | bool]] = {}
    for declared in submission["models"]:
        model = onnx.load(folder / declared["files"][0]["rel_filepath"])
        session = open_session(model)
        of_model = [
            entry["id"] for entry in submission["vectors"] if entry["model"] == declared["id"]
        ]
        original = {name: run(session, vectors[name]) for name in of_model}
        uses = wanted(declared["metric_values"])
        values[declared["id"]] = measure(uses, metrics, original, original, vectors)
        samples = [each for each in submission["samples"] if each["model"] == declared["id"]]
        judged = wanted([use for sample in samples for use in uses_of(sample)])
        named = {name for _, name in judged}
        uses = [use for use in dict.fromkeys([*uses, *judged]) if use[1] in named]
        for control, change in CONTROLS.items() if named else ():
            changed = open_session(inject(changed_parameters(model, change), model))
            outputs = {name: run(changed, vectors[name]) for name in named}
            name = f"{declared['id']} {control}"
            values[name] = measure(uses, metrics, outputs, original, vectors)
        for sample in samples:
            values[sample["id"]] = sample_values(folder, sample, model, metrics, original, vectors)
    return values


def sample_values(
    folder: Path,
    sample: Json,
    model: onnx.ModelProto,
    metrics: Mapping[str, Json],
    original: Mapping[str, Arrays],
    vectors: Mapping[str, Arrays],
) -> dict[str, float | bool]:
    """Return the metric values of a sample; of a lossless one, whether it is."""
    path = folder / sample["files"][0]["rel_filepath"]
    if sample["codec"]["id"] == "onnx":
        reconstructed = onnx.load(path)
    else:
        tensors = DECODERS[sample["codec"]["id"]](path, sample["codec"]["params"])
        if sample["lossless"]:
            return {"lossless": same(tensors, model)}
        reconstructed = inject(tensors, model)
    session = open_session(reconstructed)
    uses = wanted(uses_of(sample))
    outputs = {name: run(session, vectors[name]) for name in {name for _, name in uses}}
    return measure(uses, metrics, outputs, original, vectors)


def uses_of(sample: Json) -> list[Json]:
    """Return what a sample is judged by, and what it claims."""
    return [*sample["metrics"], *sample["claims"].get("metric_values", [])]


def changed_parameters(model: onnx.ModelProto, change: Change) -> dict[str, Any]:
    """Return the parameters of a control, by name."""
    arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    return {
        name: change(name, array)
        for name, array in arrays.items()
        if array.dtype.kind == "f" and array.size > 1
    }


def wanted(uses: list[Json]) -> list[tuple[str, str]]:
    """Return each pair of metric and vectors once."""
    return list(dict.fromkeys((use["metric"], use["vectors"]) for use in uses))


def read_vectors(folder: Path, declared: Json) -> dict[str, Any]:
    """Return all arrays of a vector set by name, its shards one after the other."""
    parts: dict[str, list[Any]] = {}
    for shard in declared["shards"]:
        for file in (*shard["inputs"], *shard["targets"], *shard["outputs"]):
            for name, array in read_arrays(folder / file["rel_filepath"]).items():
                parts.setdefault(name, []).append(array)
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def read_arrays(path: Path) -> Arrays:
    """Return the arrays of one file."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    return load_file(path)


def decode_tensors(path: Path, params: Json) -> Arrays:
    """Return the tensors of a sample of the ``tensors`` codec."""
    with TensorsCodec().decode(Source((path,), (path.name,), params, LIMIT_BYTES)) as decoded:
        return dict(decoded)


def decode_stream(path: Path, params: Json) -> Arrays:
    """Return the tensors of a sample of the ``nnc`` codec."""
    return nnc.decode(path, nnc.Options(threads=1, **params))


DECODERS: Mapping[str, Callable[[Path, Json], Arrays]] = {
    "tensors": decode_tensors,
    "nnc": decode_stream,
}


def inject(tensors: Arrays, model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of ``model`` with ``tensors`` as its parameters."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for initializer in copy.graph.initializer:
        if initializer.name in tensors:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(initializer.data_type)
            array = tensors[initializer.name].astype(dtype)
            initializer.CopyFrom(numpy_helper.from_array(array, initializer.name))
    return copy


def same(tensors: Arrays, model: onnx.ModelProto) -> bool:
    """Return whether ``tensors`` are the parameters of ``model``, bit by bit."""
    return all(
        tensors[initializer.name].tobytes() == numpy_helper.to_array(initializer).tobytes()
        for initializer in model.graph.initializer
        if initializer.name in tensors
    )


def open_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Return a session with the settings of the project's runtime."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.enable_cpu_mem_arena = False
    for key, value in CONFIG.items():
        options.add_session_config_entry(key, value)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run(session: onnxruntime.InferenceSession, arrays: Arrays) -> dict[str, Any]:
    """Return the outputs for all items, batch by batch."""
    inputs = [port.name for port in session.get_inputs()]
    names = [port.name for port in session.get_outputs()]
    runs = [
        session.run(names, {name: arrays[name][start : start + BATCH] for name in inputs})
        for start in range(0, len(arrays[inputs[0]]), BATCH)
    ]
    return {name: np.concatenate(parts) for name, *parts in zip(names, *runs, strict=True)}


def measure(
    uses: list[tuple[str, str]],
    metrics: Mapping[str, Json],
    outputs: Mapping[str, Arrays],
    original: Mapping[str, Arrays],
    vectors: Mapping[str, Arrays],
) -> dict[str, float | bool]:
    """Return the value of every metric on its vectors."""
    values: dict[str, float | bool] = {}
    for metric, name in uses:
        declared = metrics[metric]
        bindings = declared.get("bindings", {})
        prediction = bindings.get("prediction", next(iter(outputs[name])))
        if declared.get("against") == "original":
            target = original[name][prediction]
        else:
            target = vectors[name][bindings["target"]]
        kind, args = METRICS[declared["kind"]], declared.get("args", {})
        values[f"{metric}@{name}"] = kind(outputs[name][prediction], target, **args)
    return values


def top_k(scores: Any, labels: Any, k: int = 1) -> float:
    """Return the share of items whose label is among the k highest scores."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def cosine(ours: Any, theirs: Any) -> float:
    """Return the mean cosine of the angle between items."""
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (ours, theirs))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products = (a * b).sum(axis=1)
    return float(np.divide(products, lengths, np.zeros_like(lengths), where=lengths > 0).mean())


def kl_divergence(ours: Any, theirs: Any, inputs: str = "logits") -> float:
    """Return the mean divergence of the distributions that two sets of logits stand for."""
    if inputs != "logits":
        raise ValueError("the floor knows logits only")
    p, q = (x.astype(np.float64) for x in (theirs, ours))
    p, q = (x - x.max(-1, keepdims=True) for x in (p, q))
    p, q = (x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in (p, q))
    return float((np.exp(p) * (p - q)).sum(-1).mean())


def mse(ours: Any, theirs: Any) -> float:
    """Return the mean squared difference."""
    return float(np.square(ours.astype(np.float64) - theirs.astype(np.float64)).mean())


METRICS: Mapping[str, Callable[..., float]] = {
    "top-k-accuracy": top_k,
    "cosine-similarity": cosine,
    "mse": mse,
    "kl-divergence": kl_divergence,
}

if __name__ == "__main__":
    print(json.dumps(values_of(Path(sys.argv[1]))))
