"""The samples that are files of tensors, put into the original's graph (codec ``tensors``)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from bundle import Sample
from compression import CODING, IN_8_BITS, IN_HALF, ZSTANDARD, each_matrix, method, pack
from numpy.typing import NDArray
from tensor_layouts import Tensors

from conformance.codecs.encoded import Encoded, affine, codebook, plain, sparse

LARGEST = "fc1.weight"
DENSE_WEIGHTS = (LARGEST, "fc2.weight")
PRUNED_SHARE = 0.8
CODEBOOK_ENTRIES = 32


def tensor_samples(weights: Tensors) -> list[Sample]:
    """Return the samples of this module."""
    eight_bits = each_matrix(weights, IN_8_BITS)
    dense = {n: affine(v, 4, axis=0) for n, v in weights.items() if n in DENSE_WEIGHTS}
    four_bits = each_matrix(weights, IN_8_BITS, IN_HALF) | dense
    pruned = eight_bits | {LARGEST: sparse(prune(weights[LARGEST], PRUNED_SHARE), quantise=True)}
    return [
        Sample(
            id="int8-tensors",
            title="8-bit weights",
            **_packed("int8-tensors.safetensors", eight_bits),
            method=method(
                "Weights of convolutions and dense layers rounded to int8; biases and batch "
                "normalisation stay float32.",
                quantisation=("int8 weights, symmetric, one scale per output channel",),
            ),
        ),
        Sample(
            id="int4-tensors",
            title="4-bit dense weights, 8-bit convolutions",
            **_packed("int4-tensors.safetensors", four_bits),
            method=method(
                "Weights of dense layers rounded to 4 bits and packed in pairs, those of "
                "convolutions to 8 bits; biases and batch normalisation in float16.",
                quantisation=(
                    "int4 dense weights, symmetric, one scale per output channel",
                    "int8 convolution weights, symmetric, one scale per output channel",
                    "float16 for all other parameters",
                ),
            ),
        ),
        Sample(
            id="pruned-sparse",
            title="80 % of the largest layer pruned, stored sparsely",
            **_packed("pruned-sparse.safetensors.zst", pruned, container="zstd"),
            # Pruning changes the length of the logit vectors far more than their direction.
            bounds={"logits-cosine": 0.01, "logits-mse": 3.0},
            method=method(
                "The 80 % smallest weights of fc1, which holds 85 % of all parameters, set to zero "
                "and only the others stored, as int8 with their positions; other weights in int8; "
                "all in one zstandard frame.",
                reduction=("unstructured magnitude pruning of fc1.weight, 80 %, one shot",),
                quantisation=("int8 weights, symmetric",),
                coding=(CODING["zstd"],),
                software=(ZSTANDARD,),
            ),
        ),
        Sample(
            id="codebook",
            title="Weights that share 32 values per layer",
            **_packed(
                "codebook.npz",
                each_matrix(weights, partial(codebook, entries=CODEBOOK_ENTRIES)),
                format="npz",
            ),
            method=method(
                "Weights of each layer clustered by k-means into 32 values and stored as packed "
                "5-bit indices; biases and batch normalisation stay float32.",
                quantisation=("codebook of 32 float32 entries per layer, one-dimensional k-means",),
            ),
        ),
        Sample(
            id="lossless-xz",
            title="All parameters, bit by bit",
            **_packed("lossless-xz.safetensors.xz", each_matrix(weights, plain), container="xz"),
            lossless=True,
            method=method(
                "The float32 parameters in an xz stream, without any loss.", coding=(CODING["xz"],)
            ),
        ),
    ]


def prune(values: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Return ``values`` with the ``share`` of them that is smallest in magnitude set to 0."""
    order = np.argsort(np.abs(values), axis=None, kind="stable")
    pruned = values.flatten()
    pruned[order[: int(share * values.size)]] = 0
    return pruned.reshape(values.shape)


def _packed(file: str, tensors: Mapping[str, Encoded], **how: Any) -> dict[str, Any]:
    """Return the codec, the file and the codec parameters of a sample."""
    data, params = pack(tensors, **how)
    return {"codec": "tensors", "files": {file: data}, "params": params}
