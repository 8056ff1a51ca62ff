"""The samples of a bundled submission: ways of compression, each one file for all formats."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from file_entry import describe_file
from numpy.typing import NDArray

from conformance.codecs.encoded import affine, codebook, plain
from conformance.codecs.tensors_writer import write
from conformance.nnc.encoder import EncoderSettings, Quantisation, encode

Tensors = dict[str, NDArray[np.float32]]
Encoding = tuple[dict[str, Any], bytes]

VECTOR_QP = -75
"""Quantization parameter of tensors of one dimension: steps of 5/2097152."""


@dataclass(frozen=True, slots=True)
class SampleKind:
    """One way of compression: ``encode`` gives the codec parameters and the bytes of a file.

    ``bounds`` replaces the bound of a metric's tolerance for these samples.
    """

    id: str
    title: str
    suffix: str
    codec: str
    encode: Callable[[Tensors], Encoding]
    method: Mapping[str, Any]
    lossless: bool = False
    bounds: Mapping[str, float] = field(default_factory=dict)


def write_samples(
    root: Path, kinds: Sequence[SampleKind], tensors: Tensors
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Write a file of each kind; return codec parameters and description of the file by kind."""
    (root / "samples").mkdir()
    return {kind.id: _write_file(root, kind, tensors) for kind in kinds}


def lossless() -> SampleKind:
    """All parameters, bit by bit."""
    return SampleKind(
        id="lossless",
        title="All parameters, bit by bit",
        suffix=".safetensors.xz",
        codec="tensors",
        encode=_lossless,
        lossless=True,
        method=_method(
            "The float32 parameters in an xz stream, without any loss.",
            coding=("xz (LZMA2), preset 9 extreme",),
        ),
    )


def nnc(
    qp: int, step: str, bounds: Mapping[str, float] | None = None, id: str = "nnc"
) -> SampleKind:
    """An NNC bitstream with dependent quantisation; ``step`` is that of ``qp``, in words."""

    def encoded(tensors: Tensors) -> Encoding:
        vectors = {name: VECTOR_QP for name, values in tensors.items() if values.ndim == 1}
        quantisation = Quantisation(qp=qp, qps=vectors, dependent=True)
        ordered = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
        return {}, encode(ordered, EncoderSettings(quantisation=quantisation))

    return SampleKind(
        id=id,
        title=f"NNC, dependent quantisation at qp {qp}",
        suffix=".nnc",
        codec="nnc",
        encode=encoded,
        bounds=bounds or {},
        method=_method(
            "All parameters as one NNC bitstream.",
            quantisation=(
                f"dependent quantisation with 8 states, step {step} for weights",
                "the same with step 5/2097152 for tensors of one dimension",
            ),
            coding=("DeepCABAC, ISO/IEC 15938-17",),
        ),
    )


def shared_values(entries: int, bounds: Mapping[str, float]) -> SampleKind:
    """Weights as packed indices into a codebook of ``entries`` values for each tensor."""
    bits = (entries - 1).bit_length()

    def encoded(tensors: Tensors) -> Encoding:
        chosen = {
            name: codebook(values, entries) if values.ndim > 1 else plain(values)
            for name, values in tensors.items()
        }
        return _packed(chosen, ".safetensors")

    return SampleKind(
        id="codebook",
        title=f"Weights that share {entries} values per tensor",
        suffix=".safetensors",
        codec="tensors",
        encode=encoded,
        bounds=bounds,
        method=_method(
            f"The weights of each tensor clustered by k-means into {entries} values and stored as "
            f"packed {bits}-bit indices; all else stays float32.",
            quantisation=(
                f"codebook of {entries} float32 entries per tensor, one-dimensional k-means",
            ),
        ),
    )


def rounded(bounds: Mapping[str, float] | None = None) -> SampleKind:
    """Weights rounded to 8 bits, with a scale for each index of their first axis."""

    def encoded(tensors: Tensors) -> Encoding:
        chosen = {
            name: affine(values, bits=8, axis=0) if values.ndim > 1 else plain(values)
            for name, values in tensors.items()
        }
        return _packed(chosen, ".safetensors")

    return SampleKind(
        id="int8",
        title="8-bit weights",
        suffix=".safetensors",
        codec="tensors",
        encode=encoded,
        bounds=bounds or {},
        method=_method(
            "The weights of each layer rounded to int8; biases stay float32.",
            quantisation=("int8 weights, symmetric, one scale per index of the first axis",),
        ),
    )


def _write_file(
    root: Path, kind: SampleKind, tensors: Tensors
) -> tuple[dict[str, Any], dict[str, Any]]:
    params, data = kind.encode(tensors)
    path = root / "samples" / f"{kind.id}{kind.suffix}"
    path.write_bytes(data)
    return params, describe_file(root, path)


def _lossless(tensors: Tensors) -> Encoding:
    kept = {name: plain(values) for name, values in tensors.items()}
    return _packed(kept, ".safetensors.xz", container="xz")


def _packed(encoded: Mapping[str, Any], suffix: str, **how: Any) -> Encoding:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"sample{suffix}")
        params = write(path, encoded, **how)
        return params, path.read_bytes()


def _method(
    summary: str, *, quantisation: tuple[str, ...] = (), coding: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        "summary": summary,
        "parameter_reduction": [],
        "quantisation": list(quantisation),
        "entropy_coding": list(coding),
        "retraining": False,
    }
