"""Ways of compression that several submissions have, and how a method is described."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from bundle import Sample
from numpy.typing import NDArray
from tensor_layouts import Tensors

from conformance.codecs.encoded import Encoded, affine, cast, codebook, plain
from conformance.codecs.tensors_writer import write
from conformance.nnc.encoder import EncoderSettings, Quantization, encode

IN_8_BITS = partial(affine, bits=8, axis=0)
"""Integers with a scale for each index of the first axis."""
IN_HALF = partial(cast, stored="float16")
VECTOR_QP = -75
"""Quantization parameter of tensors of one dimension: steps of 5/2097152."""
CODING = {"xz": "xz (LZMA2), preset 9 extreme", "zstd": "zstandard, level 19"}
"""How a method names the coding of a container."""
DEEP_CABAC = ("DeepCABAC, ISO/IEC 15938-17",)
NNCODEC = {
    "name": "NNCodec",
    "version": "2.1.3",
    "url": "https://github.com/fraunhoferhhi/nncodec",
}
ZSTANDARD = {
    "name": "zstandard",
    "version": zstandard.__version__,
    "url": "https://github.com/indygreg/python-zstandard",
}


def method(
    summary: str,
    *,
    reduction: tuple[str, ...] = (),
    quantisation: tuple[str, ...] = (),
    coding: tuple[str, ...] = (),
    software: tuple[Mapping[str, str], ...] = (),
    retraining: bool = False,
) -> dict[str, Any]:
    """Return the description of a method; the submission's scripts come first in its software."""
    return {
        "summary": summary,
        "parameter_reduction": list(reduction),
        "quantisation": list(quantisation),
        "entropy_coding": list(coding),
        "retraining": retraining,
        "software": list(software),
    }


def by_nncodec(summary: str, *quantisation: str, **how: Any) -> dict[str, Any]:
    """Return the description of what NNCodec does; ``how`` as for :func:`method`."""
    return method(
        summary, quantisation=quantisation, software=(NNCODEC,), **{"coding": DEEP_CABAC, **how}
    )


def pack(
    tensors: Mapping[str, Encoded], container: str = "none", **how: Any
) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a file of tensors and the codec parameters that it is decoded with."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "packed")
        params = write(path, tensors, container=container, **how)
        return path.read_bytes(), params


def each_matrix(
    tensors: Mapping[str, NDArray[np.float32]],
    encoding: Callable[[NDArray[np.float32]], Encoded],
    others: Callable[[NDArray[np.float32]], Encoded] = plain,
) -> dict[str, Encoded]:
    """Encode tensors of several dimensions by ``encoding`` and ``others`` by theirs."""
    return {
        name: encoding(values) if values.ndim > 1 else others(values)
        for name, values in tensors.items()
    }


def lossless(tensors: Tensors) -> Sample:
    """All parameters, bit by bit."""
    data, params = pack(each_matrix(tensors, plain), "xz")
    return Sample(
        id="lossless",
        title="All parameters, bit by bit",
        codec="tensors",
        files={"lossless.safetensors.xz": data},
        params=params,
        lossless=True,
        method=method(
            "The float32 parameters in an xz stream, without any loss.",
            coding=(CODING["xz"],),
        ),
    )


def nnc(
    tensors: Tensors,
    *,
    qp: int,
    step: str,
    bounds: Mapping[str, float] | None = None,
    id: str = "nnc",
) -> Sample:
    """An NNC bitstream with dependent quantisation; ``step`` is that of ``qp``, in words."""
    vectors = {name: VECTOR_QP for name, values in tensors.items() if values.ndim == 1}
    quantisation = Quantization(qp=qp, qps=vectors, dependent=True)
    ordered = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    return Sample(
        id=id,
        title=f"NNC, dependent quantisation at qp {qp}",
        codec="nnc",
        files={f"{id}.nnc": encode(ordered, EncoderSettings(quantization=quantisation))},
        bounds=bounds or {},
        method=method(
            "All parameters as one NNC bitstream.",
            quantisation=(
                f"dependent quantisation with 8 states, step {step} for weights",
                "the same with step 5/2097152 for tensors of one dimension",
            ),
            coding=DEEP_CABAC,
        ),
    )


def shared_values(tensors: Tensors, *, entries: int, bounds: Mapping[str, float]) -> Sample:
    """Weights as packed indices into a codebook of ``entries`` values for each tensor."""
    data, params = pack(each_matrix(tensors, partial(codebook, entries=entries)))
    bits = (entries - 1).bit_length()
    return Sample(
        id="codebook",
        title=f"Weights that share {entries} values per tensor",
        codec="tensors",
        files={"codebook.safetensors": data},
        params=params,
        bounds=bounds,
        method=method(
            f"The weights of each tensor clustered by k-means into {entries} values and stored as "
            f"packed {bits}-bit indices; all else stays float32.",
            quantisation=(
                f"codebook of {entries} float32 entries per tensor, one-dimensional k-means",
            ),
        ),
    )


def rounded(tensors: Tensors) -> Sample:
    """Weights rounded to 8 bits, with a scale for each index of their first axis."""
    data, params = pack(each_matrix(tensors, IN_8_BITS))
    return Sample(
        id="int8",
        title="8-bit weights",
        codec="tensors",
        files={"int8.safetensors": data},
        params=params,
        method=method(
            "The weights of each layer rounded to int8; biases stay float32.",
            quantisation=("int8 weights, symmetric, one scale per index of the first axis",),
        ),
    )
