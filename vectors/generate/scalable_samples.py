"""The samples of ``digits-scalable``: in layers, and whole networks at several operating points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bundle import Layer, Sample
from chain_streams import read_stream
from compression import by_nncodec
from nnc_arrays import trained
from scalable_streams import JOINED, LAYERS, POINTS, STEM, SUFFIXES, point_id
from scalable_tensors import tensor_samples

STEPS = {
    -15: "5/64",
    -16: "4/64",
    -18: "6/128",
    -20: "4/128",
    -21: "7/256",
    -22: "6/256",
    -24: "4/256",
    -26: "6/512",
    -28: "4/512",
    -30: "6/1024",
    -32: "4/1024",
}
"""Step sizes by quantization parameter."""
VECTORS = "the same with step 4/131072 for tensors of one dimension"
UNITS = ((0, 18), (19, 22), (23, 26))
"""The units of each layer in the one stream: first its parameter sets and all sixteen tensors."""
IN_FILES = "layers-nnc-files"
TITLES = (
    "the whole network in coarse steps",
    "what the weights lack, in finer steps",
    "what they lack then, in still finer steps",
)
BOUNDS = {
    "nnc-dependent-18": {"logits-mse": 3.0},
    "nnc-dependent-20": {"logits-mse": 1.5},
    "nnc-dependent-22": {"logits-mse": 1.0},
    "nnc-dependent-26": {"logits-mse": 0.5},
    "nnc-uniform-16": {"logits-mse": 3.0},
    "nnc-uniform-18": {"logits-mse": 1.5},
    "nnc-uniform-22": {"logits-mse": 0.5},
}
"""Bounds of the operating points that lose more than the metrics allow by themselves."""

READ_ALONE = ("nnc-dependent-26", "nnc-uniform-24")
"""The operating points that claim that each tensor can be decoded without the others."""


def scalable_samples() -> list[Sample]:
    """Return the samples."""
    return [*tensor_samples(), _in_files(), _in_units(), *_points()]


def _layers_method(summary: str) -> dict[str, Any]:
    steps = ", ".join(STEPS[qp] for qp in LAYERS.values())
    return by_nncodec(summary, f"dependent quantisation with 8 states, steps {steps}", VECTORS)


def _in_files() -> Sample:
    return Sample(
        id=IN_FILES,
        title="Three NNC streams, each of what the ones before it lack",
        codec="nnc",
        files={f"{layer}.nnc": read_stream(STEM, layer) for layer in LAYERS},
        method=_layers_method("Each layer is what the weights lack so far, a stream of its own."),
        layers=[
            Layer(layer, title, files=[f"{layer}.nnc"], extra=_mode(layer))
            for layer, title in zip(LAYERS, TITLES, strict=True)
        ],
    )


def _in_units() -> Sample:
    matrices = [name for name, values in trained().items() if values.ndim > 1]
    names = {
        layer: [{"sample": name + suffix, "model": name} for name in matrices]
        for layer, suffix in SUFFIXES.items()
        if suffix
    }
    return Sample(
        id="layers-nnc-units",
        title="The same layers as units of one NNC stream",
        codec="nnc",
        files={f"{JOINED}.nnc": read_stream(STEM, JOINED)},
        method=_layers_method("All layers in one stream, where they have names of their own."),
        layers=[
            Layer(
                layer,
                title,
                units=units,
                extra={**_mode(layer), **({"name_map": names[layer]} if layer in names else {})},
            )
            for layer, title, units in zip(LAYERS, TITLES, UNITS, strict=True)
        ],
        extra={"same_tensors_as": IN_FILES},
    )


def _mode(layer: str) -> dict[str, Any]:
    return {} if layer == next(iter(LAYERS)) else {"mode": "add"}


def _points() -> Iterator[Sample]:
    for kind, parameters in POINTS.items():
        states = " with 8 states" if kind == "dependent" else ""
        for qp in parameters:
            point = point_id(kind, qp)
            yield Sample(
                id=point,
                title=f"NNC, {kind} quantisation at qp {qp}",
                codec="nnc",
                files={f"{point}.nnc": read_stream(STEM, point)},
                bounds=BOUNDS.get(point, {}),
                claims={"random_access": True} if point in READ_ALONE else {},
                method=by_nncodec(
                    "All parameters coded by NNCodec.",
                    f"{kind} quantisation{states}, step {STEPS[qp]} for weights",
                    VECTORS,
                ),
                extra={"family": f"nnc-{kind}"},
            )
