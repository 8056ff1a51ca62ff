"""The samples of ``digits-scalable`` that are files of tensors, not compressed any further.

Each tensor can therefore be read without the others; the whole network claims that it can.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from bundle import Layer, Sample
from chain_tensors import add, decode
from compression import IN_8_BITS, IN_HALF, each_matrix, method, pack
from nnc_arrays import trained
from tensor_layouts import Tensors

from conformance.codecs.encoded import affine, codebook

COARSE_VALUES, FINER_VALUES = 4, 3
FINEST_BITS = 4
COARSE = "coarse.safetensors"
"""The file that is the first layer of both samples."""


def tensor_samples() -> Iterator[Sample]:
    """Yield the samples."""
    weights = trained()
    four_values = partial(codebook, entries=COARSE_VALUES)
    coarse, params = pack(each_matrix(weights, four_values, IN_HALF))
    state = decode(coarse, params)
    yield _added(weights, coarse, state, params)
    yield _replaced(weights, coarse, params)
    yield _whole(weights)


def _added(weights: Tensors, coarse: bytes, state: Tensors, params: dict[str, Any]) -> Sample:
    lacking = _lacking(weights, state)
    finer, _ = pack(each_matrix(lacking, partial(codebook, entries=FINER_VALUES)))
    lacking = _lacking(weights, add(state, decode(finer, params)))
    finest, _ = pack(each_matrix(lacking, partial(affine, bits=FINEST_BITS, axis=0)))
    files = {COARSE: coarse, "finer.safetensors": finer, "finest.safetensors": finest}
    return Sample(
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
        ),
        layers=[
            Layer("coarse", "weights of four values", [COARSE]),
            _layer("finer", "what they lack, in three values", "add"),
            _layer("finest", "what they lack then, in four bits", "add"),
        ],
    )


def _replaced(weights: Tensors, coarse: bytes, params: dict[str, Any]) -> Sample:
    matrices = {name: values for name, values in weights.items() if values.ndim > 1}
    replacing, _ = pack(each_matrix(matrices, IN_8_BITS))
    return Sample(
        id="layers-replacing",
        title="Weights of four values, and 8-bit weights that take their place",
        codec="tensors",
        files={COARSE: coarse, "eight-bits.safetensors": replacing},
        params=params,
        method=method(
            "A coarse network to begin with, whose weights are replaced as soon as finer ones have "
            "arrived.",
            quantisation=(
                "codebook of 4 float32 entries per tensor, one-dimensional k-means",
                "int8 weights, symmetric, one scale per output channel",
                "float16 for tensors of one dimension",
            ),
        ),
        layers=[
            Layer("preview", "weights of four values", [COARSE]),
            _layer("eight-bits", "8-bit weights", "replace"),
        ],
    )


def _whole(weights: Tensors) -> Sample:
    data, params = pack(each_matrix(weights, IN_8_BITS, IN_HALF))
    return Sample(
        id="whole-eight-bits",
        title="The whole network in 8 bits, each tensor to be read alone",
        codec="tensors",
        files={"whole-eight-bits.safetensors": data},
        params=params,
        claims={"random_access": True},
        method=method(
            "8-bit weights without layers.",
            quantisation=(
                "int8 weights, symmetric, one scale per output channel",
                "float16 for tensors of one dimension",
            ),
        ),
    )


def _layer(name: str, title: str, mode: str) -> Layer:
    return Layer(name, title, [f"{name}.safetensors"], extra={"mode": mode})


def _lacking(weights: Tensors, state: Tensors) -> Tensors:
    return {name: values - state[name] for name, values in weights.items() if values.ndim > 1}
