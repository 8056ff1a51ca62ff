"""The samples of the submission ``digits-formats``: three ways of compression in every format.

Formats whose tensors are the same but for names and axes share one file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from digits_formats_description import METRICS, SCRIPTS
from digits_formats_models import FORMATS, ModelFormat, TensorSet, tensor_set
from file_entry import describe_file
from formats_weights import Tensors
from network import Weights
from samples import method

from conformance.codecs.encoded import codebook, plain
from conformance.codecs.tensors_writer import write
from conformance.nnc.encoder import EncoderSettings, Quantisation, encode

CODEBOOK_ENTRIES = 8
WEIGHT_QP, VECTOR_QP = -30, -75
SETS = tuple(dict.fromkeys(one.tensors for one in FORMATS))
NOTE: Mapping[TensorSet, str] = {
    "plain": "",
    "factors": " The factors that Caffe keeps beside mean and variance are there too.",
    "folded": " Batch normalisation is folded into the convolutions.",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of compression: ``encode`` gives the codec parameters and the bytes of a file.

    ``random_access`` says whether one tensor can be decoded without reading the others.
    """

    id: str
    title: str
    suffix: str
    codec: str
    encode: Callable[[Tensors], tuple[dict[str, Any], bytes]]
    method: Mapping[str, Any]
    lossless: bool = False
    random_access: bool = False
    bounds: Mapping[str, float] = field(default_factory=dict)


def write_samples(root: Path, weights: Weights) -> list[dict[str, Any]]:
    """Write the sample files below ``root`` and return the samples, format by format."""
    (root / "samples").mkdir()
    written = {
        (kind.id, name): _write_file(root, kind, name, tensor_set(name, weights))
        for kind in KINDS
        for name in SETS
    }
    return [
        _sample_entry(kind, one, *written[kind.id, one.tensors])
        for one in FORMATS
        for kind in KINDS
    ]


def _write_file(
    root: Path, kind: Kind, name: TensorSet, tensors: Tensors
) -> tuple[dict[str, Any], dict[str, Any]]:
    params, data = kind.encode(tensors)
    path = root / "samples" / f"{kind.id}-{name}{kind.suffix}"
    path.write_bytes(data)
    return params, describe_file(root, path)


def _sample_entry(
    kind: Kind, one: ModelFormat, params: dict[str, Any], file: dict[str, Any]
) -> dict[str, Any]:
    made = {**kind.method, "summary": kind.method["summary"] + NOTE[one.tensors]}
    return {
        "id": f"{kind.id}-{one.format}",
        "model": one.model,
        "title": kind.title,
        "codec": {"id": kind.codec, "params": params},
        "files": [file],
        "lossless": kind.lossless,
        "method": made,
        "features": [],
        "metrics": [] if kind.lossless else [_metric_use(kind, one, each) for each in METRICS],
        "claims": {
            "compressed_size": file["size"],
            "metric_values": [],
            "tensor_digests": {},
            **({"random_access": True} if kind.random_access else {}),
        },
        "name_map": one.name_map,
    }


def _metric_use(kind: Kind, one: ModelFormat, metric: Mapping[str, Any]) -> dict[str, Any]:
    use = {"metric": metric["id"], "vectors": one.vectors}
    if metric["id"] in kind.bounds:
        use["tolerance"] = {**metric["tolerance"], "bound": kind.bounds[metric["id"]]}
    return use


def _lossless(tensors: Tensors) -> tuple[dict[str, Any], bytes]:
    kept = {name: plain(values) for name, values in tensors.items()}
    return _packed(kept, ".safetensors.xz", container="xz")


def _codebook(tensors: Tensors) -> tuple[dict[str, Any], bytes]:
    encoded = {
        name: codebook(values, CODEBOOK_ENTRIES) if values.ndim > 1 else plain(values)
        for name, values in tensors.items()
    }
    return _packed(encoded, ".safetensors")


def _packed(encoded: Mapping[str, Any], suffix: str, **how: Any) -> tuple[dict[str, Any], bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"sample{suffix}")
        params = write(path, encoded, **how)
        return params, path.read_bytes()


def _nnc(tensors: Tensors) -> tuple[dict[str, Any], bytes]:
    vectors = {name: VECTOR_QP for name, values in tensors.items() if values.ndim == 1}
    quantisation = Quantisation(qp=WEIGHT_QP, qps=vectors, dependent=True)
    ordered = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    return {}, encode(ordered, EncoderSettings(quantisation=quantisation))


def _own_method(summary: str, **steps: tuple[str, ...]) -> dict[str, Any]:
    return {**method(summary, **steps), "software": [SCRIPTS]}


KINDS = (
    Kind(
        id="lossless",
        title="All parameters, bit by bit",
        suffix=".safetensors.xz",
        codec="tensors",
        encode=_lossless,
        lossless=True,
        method=_own_method(
            "The float32 parameters in an xz stream, without any loss.",
            coding=("xz (LZMA2), preset 9 extreme",),
        ),
    ),
    Kind(
        id="nnc",
        title="NNC, dependent quantisation at qp -30",
        suffix=".nnc",
        codec="nnc",
        encode=_nnc,
        random_access=True,
        method=_own_method(
            "All parameters as one NNC bitstream.",
            quantisation=(
                "dependent quantisation with 8 states, step 6/1024 for weights",
                "the same with step 5/2097152 for tensors of one dimension",
            ),
            coding=("DeepCABAC, ISO/IEC 15938-17",),
        ),
    ),
    Kind(
        id="codebook",
        title="Weights that share eight values per layer",
        suffix=".safetensors",
        codec="tensors",
        encode=_codebook,
        random_access=True,
        bounds={"top1": 0.03, "logits-mse": 4.0, "digits-kl": 0.1},
        method=_own_method(
            "Weights of each layer clustered by k-means into 8 values and stored as packed 3-bit "
            "indices; all else stays float32.",
            quantisation=("codebook of 8 float32 entries per layer, one-dimensional k-means",),
        ),
    ),
)
"""The ways, in the order of the submission."""
