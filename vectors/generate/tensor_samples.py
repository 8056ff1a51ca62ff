"""The samples that are files of tensors, put into the original's graph (codec ``tensors``)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from network import Weights
from numpy.typing import NDArray
from samples import SampleRecipe, method

from conformance.codecs.encoded import Encoded, affine, cast, codebook, plain, sparse
from conformance.codecs.tensors_writer import write

LARGEST = "fc1.weight"
PRUNED_SHARE = 0.8
CODEBOOK_ENTRIES = 32
ZSTANDARD = {
    "name": "zstandard",
    "version": zstandard.__version__,
    "url": "https://github.com/indygreg/python-zstandard",
}


def tensor_recipes(weights: Weights) -> list[SampleRecipe]:
    """Return the samples of this module."""
    return [
        _int8_recipe(weights),
        _int4_recipe(weights),
        _pruned_recipe(weights),
        _codebook_recipe(weights),
        _lossless_recipe(weights),
    ]


def prune(values: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Return ``values`` with the ``share`` of them that is smallest in magnitude set to 0."""
    order = np.argsort(np.abs(values), axis=None, kind="stable")
    pruned = values.flatten()
    pruned[order[: int(share * values.size)]] = 0
    return pruned.reshape(values.shape)


def _int8_recipe(weights: Weights) -> SampleRecipe:
    tensors = {
        name: affine(value, bits=8, axis=0) if value.ndim > 1 else plain(value)
        for name, value in weights.items()
    }
    return SampleRecipe(
        id="int8-tensors",
        title="8-bit weights",
        **_packed("int8-tensors.safetensors", tensors),
        method=method(
            "Weights of convolutions and dense layers rounded to int8; biases and batch "
            "normalisation stay float32.",
            quantisation=("int8 weights, symmetric, one scale per output channel",),
        ),
    )


def _int4_recipe(weights: Weights) -> SampleRecipe:
    tensors = {
        name: affine(value, bits=4 if name.startswith("fc") else 8, axis=0)
        if value.ndim > 1
        else cast(value, "float16")
        for name, value in weights.items()
    }
    return SampleRecipe(
        id="int4-tensors",
        title="4-bit dense weights, 8-bit convolutions",
        **_packed("int4-tensors.safetensors", tensors),
        method=method(
            "Weights of dense layers rounded to 4 bits and packed in pairs, those of convolutions "
            "to 8 bits; biases and batch normalisation in float16.",
            quantisation=(
                "int4 dense weights, symmetric, one scale per output channel",
                "int8 convolution weights, symmetric, one scale per output channel",
                "float16 for all other parameters",
            ),
        ),
    )


def _pruned_recipe(weights: Weights) -> SampleRecipe:
    tensors = {
        name: sparse(prune(value, PRUNED_SHARE), quantise=True)
        if name == LARGEST
        else affine(value, bits=8, axis=0)
        if value.ndim > 1
        else plain(value)
        for name, value in weights.items()
    }
    return SampleRecipe(
        id="pruned-sparse",
        title="80 % of the largest layer pruned, stored sparsely",
        **_packed("pruned-sparse.safetensors.zst", tensors, container="zstd"),
        # Pruning changes the length of the logit vectors far more than their direction.
        bounds={"logits-cosine": 0.01, "logits-mse": 3.0},
        method=method(
            "The 80 % smallest weights of fc1, which holds 85 % of all parameters, set to zero and "
            "only the others stored, as int8 with their positions; other weights in int8; all in "
            "one zstandard frame.",
            reduction=("unstructured magnitude pruning of fc1.weight, 80 %, one shot",),
            quantisation=("int8 weights, symmetric",),
            coding=("zstandard, level 19",),
            software=(ZSTANDARD,),
        ),
    )


def _codebook_recipe(weights: Weights) -> SampleRecipe:
    tensors = {
        name: codebook(value, CODEBOOK_ENTRIES) if value.ndim > 1 else plain(value)
        for name, value in weights.items()
    }
    return SampleRecipe(
        id="codebook",
        title="Weights that share 32 values per layer",
        **_packed("codebook.npz", tensors, format="npz"),
        method=method(
            "Weights of each layer clustered by k-means into 32 values and stored as packed 5-bit "
            "indices; biases and batch normalisation stay float32.",
            quantisation=("codebook of 32 float32 entries per layer, one-dimensional k-means",),
        ),
    )


def _lossless_recipe(weights: Weights) -> SampleRecipe:
    tensors = {name: plain(value) for name, value in weights.items()}
    return SampleRecipe(
        id="lossless-xz",
        title="All parameters, bit by bit",
        **_packed("lossless-xz.safetensors.xz", tensors, container="xz"),
        lossless=True,
        method=method(
            "The float32 parameters in an xz stream, without any loss.",
            coding=("xz (LZMA2), preset 9 extreme",),
        ),
    )


def _packed(file: str, tensors: Mapping[str, Encoded], **how: Any) -> dict[str, Any]:
    """Return the name, the bytes and the codec parameters of a sample file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, file)
        params = write(path, tensors, **how)
        return {"file": file, "data": path.read_bytes(), "params": params}
