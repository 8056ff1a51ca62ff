"""Train the network of ``digits-federated``: a base, then rounds on three devices.

    python vectors/generate/train_federated.py [WEIGHTS.safetensors]

In each round every device trains the network that all share on its own scans alone, and sends how
its parameters changed, in float16. The shared network becomes the mean of the devices' networks,
weighted by their numbers of scans. In one round the first convolution and its batch normalisation
stand still.

The result is committed next to this script: the base under the names of the parameters, and each
change as ``DEVICE-ROUND/PARAMETER``; ``federated_rounds`` reads it, and ``train`` says when to run
this.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from digits_data import Part, load_digits_split
from digits_networks import DigitsCnn
from federated_rounds import FROZEN_LAYERS, FROZEN_ROUND, ROUNDS, WEIGHTS, merge
from federated_shards import load_shards
from safetensors.numpy import save
from tensor_layouts import Tensors
from torch import Tensor, nn
from train import accuracy, arrays, fit, set_up, shuffled

BATCH = 16


def make_network() -> DigitsCnn:
    """Return the untrained network."""
    return DigitsCnn(channels=(8, 16), units=32)


def train_base(data: tuple[Tensor, Tensor]) -> DigitsCnn:
    """Return a network fitted to ``data`` with AdamW and cross-entropy."""
    network = make_network()
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3)
    fit(network, optimiser, shuffled(data, BATCH, epochs=12), nn.functional.cross_entropy)
    return network


def train_on_device(shared: Tensors, data: tuple[Tensor, Tensor], *, frozen: bool) -> Tensors:
    """Return how ``data`` changes the parameters of the shared network, in float16."""
    network = make_network()
    load(network, shared)
    if frozen:
        for layer in FROZEN_LAYERS:
            network.get_submodule(layer).eval().requires_grad_(requires_grad=False)
    free = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(free, 1e-2, momentum=0.8)
    fit(network, optimiser, shuffled(data, BATCH, epochs=2), nn.functional.cross_entropy)
    trained = arrays(network)
    return {name: (trained[name] - shared[name]).astype(np.float16) for name in shared}


def load(network: nn.Module, parameters: Tensors) -> None:
    """Put ``parameters`` into ``network``."""
    state = {name: torch.from_numpy(values.copy()) for name, values in parameters.items()}
    network.load_state_dict(state, strict=False)


def main(target: Path = WEIGHTS) -> None:
    """Train, print the test accuracy of every shared network, and write the result."""
    set_up(23)
    test = _tensors(load_digits_split()[1])
    few, shards = load_shards()
    network = train_base(_tensors(few))
    print(f"base: {accuracy(network, test):.4f}")
    shared = arrays(network)
    kept = dict(shared)
    weights = {device: len(part) for device, part in shards.items()}
    for number in range(1, ROUNDS + 1):
        changes = {
            device: train_on_device(shared, _tensors(part), frozen=number == FROZEN_ROUND)
            for device, part in shards.items()
        }
        for device, change in changes.items():
            kept |= {f"{device}-{number}/{name}": values for name, values in change.items()}
        local = {d: {n: shared[n] + change[n] for n in shared} for d, change in changes.items()}
        shared = merge(local, weights)
        figures = []
        for parameters in (*local.values(), shared):
            load(network, parameters)
            figures.append(accuracy(network, test))
        print(f"round {number}: " + " ".join(f"{figure:.4f}" for figure in figures))
    target.write_bytes(save(kept))


def _tensors(part: Part) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(part.images), torch.from_numpy(part.labels)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
