"""The samples that are NNC bitstreams, made by NNCodec 2.1.3 (codec ``nnc``).

NNCodec is not a dependency of this project, so that its streams are kept next to this script and
:func:`stream_samples` only reads them. :func:`encode_streams` makes them again, with the
interpreter of an environment that holds NNCodec.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bundle import Sample
from compression import by_nncodec
from network import BATCH_NORM
from tensor_layouts import Tensors

HERE = Path(__file__).resolve().parent
STREAMS = HERE / "digits_cnn_streams"
PROGRAM = HERE / "encode_streams.py"
LAYERS = {"conv1": "bn1", "conv2": "bn2", "fc1": None, "fc2": None}
"""Each layer, and the batch normalisation after it."""
ROLES = dict(zip(BATCH_NORM, ("bn.gamma", "bn.beta", "bn.mean", "bn.var"), strict=True))
PRUNED_LAYER = "fc1.weight"
PRUNED_ROWS = 16


@dataclass(frozen=True, slots=True)
class Stream:
    """One bitstream: ``prepare`` makes its tensors, ``settings`` are those of NNCodec.

    The other fields are those of :class:`~bundle.Sample`.
    """

    id: str
    title: str
    settings: Mapping[str, Any]
    method: Mapping[str, Any]
    prepare: Callable[[Tensors], Tensors] = dict
    params: Mapping[str, Any] = field(default_factory=dict)
    bounds: Mapping[str, float] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The name of the stream's file."""
        return f"{self.id}.nnc"


def stream_samples() -> list[Sample]:
    """Return the samples of this module."""
    return [
        Sample(
            id=stream.id,
            title=stream.title,
            codec="nnc",
            files={stream.file: (STREAMS / stream.file).read_bytes()},
            params=stream.params,
            method=stream.method,
            bounds=stream.bounds,
        )
        for stream in SAMPLES
    ]


def encode_streams(python: str, weights: Tensors) -> None:
    """Make every stream again with the NNCodec that the interpreter ``python`` has."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stream in SAMPLES:
            np.savez(folder / f"{stream.id}.npz", **stream.prepare(weights))
            text = json.dumps(dict(stream.settings))
            (folder / f"{stream.id}.json").write_text(text, "utf-8")
        subprocess.run([python, str(PROGRAM), name], check=True, cwd=name)
        for stream in SAMPLES:
            shutil.copyfile(folder / stream.file, STREAMS / stream.file)


def prune_rows(weights: Tensors) -> Tensors:
    """Return the weights with the rows of fc1 that have the smallest norms set to 0."""
    pruned = dict(weights)
    norms = np.square(weights[PRUNED_LAYER].astype(np.float64)).sum(axis=1)
    pruned[PRUNED_LAYER] = weights[PRUNED_LAYER].copy()
    pruned[PRUNED_LAYER][np.argsort(norms, kind="stable")[:PRUNED_ROWS]] = 0
    return pruned


def scale_locally(weights: Tensors) -> Tensors:
    """Return the weights with every output channel divided by its largest magnitude.

    The magnitudes are the local scaling, one tensor ``LAYER.weight_scaling`` for each layer.
    """
    scaled = dict(weights)
    for layer in LAYERS:
        weight = weights[f"{layer}.weight"]
        largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        scaled[f"{layer}.weight"] = weight / largest.reshape(-1, *[1] * (weight.ndim - 1))
        scaled[f"{layer}.weight_scaling"] = largest
    return scaled


def _blocks() -> dict[str, dict[str, str]]:
    """Return the layer that each tensor belongs to and its part in it, as NNCodec wants them."""
    owners, roles = {}, {}
    for layer, norm in LAYERS.items():
        parts = {"weight": "weight", "weight_scaling": "weight.ls", "bias": "bias"}
        named = {f"{layer}.{part}": role for part, role in parts.items()}
        if norm is not None:
            named |= {f"{norm}.{part}": role for part, role in ROLES.items()}
        owners |= dict.fromkeys(named, layer)
        roles |= named
    return {"block_identifier": owners, "parameter_type": roles}


SAMPLES = (
    Stream(
        id="nnc-qp-38",
        title="NNC, dependent quantisation at qp -38",
        settings={"qp": -38},
        method=by_nncodec(
            "All parameters coded by NNCodec with its own settings.",
            "dependent quantisation with 8 states, step 6/4096 for weights",
            "the same with step 5/2097152 for tensors of one dimension",
        ),
    ),
    Stream(
        id="nnc-qp-30-uniform",
        title="NNC, uniform quantisation at qp -30",
        settings={"qp": -30, "use_dq": False},
        method=by_nncodec(
            "All parameters coded by NNCodec without dependent quantisation.",
            "uniform, step 6/1024 for weights",
            "uniform, step 5/2097152 for tensors of one dimension",
        ),
    ),
    Stream(
        id="nnc-qp-24",
        title="NNC, dependent quantisation at qp -24, longer unary codes",
        settings={"qp": -24, "nonweight_qp": -44, "cabac_unary_length_minus1": 20},
        bounds={"logits-cosine": 0.01, "logits-mse": 1.0},
        method=by_nncodec(
            "All parameters coded by NNCodec in coarse steps, those of one dimension too.",
            "dependent quantisation with 8 states, step 4/256 for weights",
            "the same with step 4/8192 for tensors of one dimension",
        ),
    ),
    Stream(
        id="nnc-codebook",
        title="NNC, integer codebooks at qp -24",
        settings={"qp": -24, "use_dq": False, "codebook_mode": 1},
        method=by_nncodec(
            "Every tensor as indices into the levels that occur in it, by NNCodec.",
            "uniform, step 4/256 for weights, with a codebook of levels",
            "uniform, step 5/2097152 for tensors of one dimension, with a codebook of levels",
        ),
    ),
    Stream(
        id="nnc-rows",
        title="NNC, units of the largest layer removed, blocks of 8 x 8 levels",
        settings={"qp": -26, "use_dq": False, "scan_order": 1, "row_skipping": True},
        prepare=prune_rows,
        method=by_nncodec(
            "The 16 of 64 units of fc1 whose weights have the smallest norm set to zero; their "
            "rows are skipped, and the other levels coded in blocks with entry points.",
            "uniform, step 6/512 for weights",
            "uniform, step 5/2097152 for tensors of one dimension",
            reduction=("structured pruning of fc1.weight by the norm of its rows, 25 %",),
        ),
    ),
    Stream(
        id="nnc-blocks",
        title="NNC, one unit for each layer, with local scaling",
        settings={"qp": -21, "nonweight_qp": -60, "block_id_and_param_type": _blocks()},
        prepare=scale_locally,
        params={"apply_local_scaling": True},
        method=by_nncodec(
            "Each output channel divided by its largest weight, which becomes a local scaling; "
            "weight, scaling, bias and batch normalisation of a layer in one unit.",
            "dependent quantisation with 8 states, step 7/256 of a channel's largest weight",
            "the same with step 4/131072 for tensors of one dimension",
        ),
    ),
)
"""The streams, in the order of the submission."""
