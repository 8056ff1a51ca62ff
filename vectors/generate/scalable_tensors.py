"""The samples of ``digits-scalable`` that are files of tensors, not compressed any further.

Each tensor can therefore be read without the others; the whole network claims that it can.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chain_bundle import ChainLayer, ChainSample
from chain_tensors import Arrays, add, decode, pack
from nnc_arrays import trained
from samples import method
from scalable_streams import SCRIPTS

from conformance.codecs.encoded import affine, cast, codebook

COARSE_VALUES, FINER_VALUES = 4, 3
FINEST_BITS = 4
REPLACED_BITS = 8
COARSE = "coarse.safetensors"
"""The file that is the first layer of both samples."""


def tensor_samples() -> Iterator[ChainSample]:
    """Yield the samples."""
    weights = trained()
    coarse, params = pack(
        {
            name: codebook(values, COARSE_VALUES) if values.ndim > 1 else cast(values, "float16")
            for name, values in weights.items()
        },
        "none",
    )
    state = decode(coarse, params)
    yield _added(weights, coarse, state, params)
    yield _replaced(weights, coarse, params)
    yield _whole(weights)


def _added(weights: Arrays, coarse: bytes, state: Arrays, params: dict[str, Any]) -> ChainSample:
    lacking = _lacking(weights, state)
    finer, _ = pack({n: codebook(v, FINER_VALUES) for n, v in lacking.items()}, "none")
    lacking = _lacking(weights, add(state, decode(finer, params)))
    encoded = {name: affine(values, FINEST_BITS, axis=0) for name, values in lacking.items()}
    finest, _ = pack(encoded, "none")
    files = {COARSE: coarse, "finer.safetensors": finer, "finest.safetensors": finest}
    return ChainSample(
        id="layers-tensors",
        title="Weights of four values, and twice what they lack",
        codec="tensors",
        files=files,
        params=params,
        method=method(
            "The weights of each layer clustered into four values; what they lack clustered into "
            "three; and what they lack then rounded to four bits.",
            quantisation=(
                "codebook of 4 float32 entries per tensor, one-dimensional k-means",
                "codebook of 3 float32 entries per tensor, for what is lacking",
                "int4, symmetric, one scale per output channel, for what is lacking then",
                "float16 for tensors of one dimension",
            ),
            scripts=SCRIPTS,
        ),
        layers=[
            ChainLayer("coarse", "weights of four values", [COARSE]),
            _layer("finer", "what they lack, in three values", "add"),
            _layer("finest", "what they lack then, in four bits", "add"),
        ],
    )


def _replaced(weights: Arrays, coarse: bytes, params: dict[str, Any]) -> ChainSample:
    matrices = {name: values for name, values in weights.items() if values.ndim > 1}
    encoded = {name: affine(values, REPLACED_BITS, axis=0) for name, values in matrices.items()}
    return ChainSample(
        id="layers-replacing",
        title="Weights of four values, and 8-bit weights that take their place",
        codec="tensors",
        files={COARSE: coarse, "eight-bits.safetensors": pack(encoded, "none")[0]},
        params=params,
        method=method(
            "A coarse network to begin with, whose weights are replaced as soon as finer ones have "
            "arrived.",
            quantisation=(
                "codebook of 4 float32 entries per tensor, one-dimensional k-means",
                "int8 weights, symmetric, one scale per output channel",
                "float16 for tensors of one dimension",
            ),
            scripts=SCRIPTS,
        ),
        layers=[
            ChainLayer("preview", "weights of four values", [COARSE]),
            _layer("eight-bits", "8-bit weights", "replace"),
        ],
    )


def _whole(weights: Arrays) -> ChainSample:
    encoded = {
        name: affine(values, REPLACED_BITS, axis=0) if values.ndim > 1 else cast(values, "float16")
        for name, values in weights.items()
    }
    data, params = pack(encoded, "none")
    return ChainSample(
        id="whole-eight-bits",
        title="The whole network in 8 bits, each tensor to be read alone",
        codec="tensors",
        files={"whole-eight-bits.safetensors": data},
        params=params,
        random_access=True,
        method=method(
            "8-bit weights without layers.",
            quantisation=(
                "int8 weights, symmetric, one scale per output channel",
                "float16 for tensors of one dimension",
            ),
            scripts=SCRIPTS,
        ),
    )


def _layer(name: str, title: str, mode: str) -> ChainLayer:
    return ChainLayer(name, title, [f"{name}.safetensors"], extra={"mode": mode})


def _lacking(weights: Arrays, state: Arrays) -> Arrays:
    return {name: values - state[name] for name, values in weights.items() if values.ndim > 1}
