"""The character model in every format that the bundled submission has it in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import bundle_onnx
import bundle_pytorch
import bundle_tensorflow
import keras
import numpy as np
import torch
from bundle_parts import BundledModel, NameMap
from bundle_samples import Tensors
from chars_data import ALPHABET, STEPS
from chars_network import (
    EMBEDDED,
    HIDDEN,
    INPUT,
    ONNX_GATES,
    OUTPUT,
    OWN_GATES,
    build_gru,
    build_topology,
    onnx_parameters,
)
from lstm_network import reorder_gates
from train_chars_gru import CharacterModel

GATES: dict[str, Any] = {"permute_gates": {"axis": 0, "from": OWN_GATES, "to": ONNX_GATES}}
"""Keras has the gates in the order of ONNX."""
ROWS = 3 * HIDDEN
CELL = "gru/gru_cell"
TOPOLOGY = "topology.onnx"


def onnx_name_map() -> NameMap:
    """Return how the tensors of a sample become the parameters of the ONNX model."""
    return [
        {"sample": "gru.weight_ih_l0", "model": "gru.W", **GATES, "reshape": [1, ROWS, EMBEDDED]},
        {"sample": "gru.weight_hh_l0", "model": "gru.R", **GATES, "reshape": [1, ROWS, HIDDEN]},
        _biases("gru.B", axis=1),
        {"sample": "dense.weight", "model": "dense.matrix", "transpose": [1, 0]},
    ]


def keras_name_map() -> NameMap:
    """Return how the tensors of a sample become the parameters of the Keras file."""
    turned = {"transpose": [1, 0]}
    return [
        {"sample": "embedding.weight", "model": "embedding/embeddings"},
        {"sample": "gru.weight_ih_l0", "model": f"{CELL}/kernel", **GATES, **turned},
        {"sample": "gru.weight_hh_l0", "model": f"{CELL}/recurrent_kernel", **GATES, **turned},
        _biases(f"{CELL}/bias", axis=0),
        {"sample": "dense.weight", "model": f"{OUTPUT}/kernel", **turned},
        {"sample": "dense.bias", "model": f"{OUTPUT}/bias"},
    ]


def _biases(model: str, axis: int) -> dict[str, Any]:
    return {
        "sample": ["gru.bias_ih_l0", "gru.bias_hh_l0"],
        "model": model,
        **GATES,
        "reshape": [1, ROWS],
        "combine": {"how": "concatenate", "axis": axis},
    }


def keras_parameters(weights: Tensors) -> Tensors:
    """Return the weights as the layers of Keras have them."""
    parts = {
        part: reorder_gates(weights[f"gru.{part}_l0"], ONNX_GATES, OWN_GATES)
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    return {
        "embedding/embeddings": weights["embedding.weight"],
        f"{CELL}/kernel": np.ascontiguousarray(parts["weight_ih"].T),
        f"{CELL}/recurrent_kernel": np.ascontiguousarray(parts["weight_hh"].T),
        f"{CELL}/bias": np.stack([parts["bias_ih"], parts["bias_hh"]]),
        f"{OUTPUT}/kernel": np.ascontiguousarray(weights["dense.weight"].T),
        f"{OUTPUT}/bias": weights["dense.bias"],
    }


def write_onnx(folder: Path, parameters: Tensors) -> list[Path]:
    """Write the network as ONNX model and return its path."""
    return bundle_onnx.write_model(folder, build_gru(parameters))


def write_torchscript(folder: Path, weights: Tensors) -> list[Path]:
    """Write the traced network and return its path."""
    return bundle_pytorch.write_traced(folder, _network(weights), _example())


def write_exported(folder: Path, weights: Tensors) -> list[Path]:
    """Write the exported program and return its path."""
    return bundle_pytorch.write_exported(folder, _network(weights), _example())


def write_state_dict(folder: Path, weights: Tensors) -> list[Path]:
    """Write weights and topology and return their paths."""
    topology = folder / TOPOLOGY
    stripped = bundle_onnx.without_weights(build_topology(weights))
    topology.write_bytes(stripped.SerializeToString())
    return [*bundle_pytorch.write_state_dict(folder, weights), topology]


def write_keras(folder: Path, parameters: Tensors) -> list[Path]:
    """Write a Keras file and return its path."""
    layers = keras.layers
    characters = keras.Input((STEPS,), dtype="int64", name=INPUT)
    embedded = layers.Embedding(len(ALPHABET), EMBEDDED, name="embedding")(characters)
    states = layers.GRU(HIDDEN, return_sequences=True, reset_after=True, name="gru")(embedded)
    logits = layers.Dense(len(ALPHABET), name=OUTPUT)(states)
    network = keras.Model(characters, logits, name="characters")
    return bundle_tensorflow.write_keras(folder, network, parameters)


def _network(weights: Tensors) -> torch.nn.Module:
    return bundle_pytorch.load_weights(CharacterModel(), weights)


def _example() -> torch.Tensor:
    return torch.zeros(2, STEPS, dtype=torch.int64)


CHARACTER_MODELS = (
    BundledModel(
        format="onnx",
        title="Model of characters: ONNX model with the operator GRU",
        write=write_onnx,
        run=bundle_onnx.run_model,
        parameters=onnx_parameters,
        name_map=onnx_name_map(),
    ),
    BundledModel(
        format="torchscript",
        title="Model of characters: traced TorchScript archive",
        write=write_torchscript,
        run=bundle_pytorch.run_traced,
    ),
    BundledModel(
        format="torch-export",
        title="Model of characters: exported program of PyTorch (.pt2)",
        write=write_exported,
        run=bundle_pytorch.run_exported,
    ),
    BundledModel(
        format="torch-state-dict",
        title="Model of characters: state dict of PyTorch, with an ONNX graph that orders gates",
        write=write_state_dict,
        run=partial(bundle_pytorch.run_state_dict, CharacterModel),
    ),
    BundledModel(
        format="keras",
        title="Model of characters: Keras file with the layer GRU",
        write=write_keras,
        run=bundle_tensorflow.run_keras,
        parameters=keras_parameters,
        name_map=keras_name_map(),
    ),
)
"""All formats; the first is the one that the others are said to be equivalent to."""
