"""Train the network of ``digits-federated``: a base, then rounds on three devices.

    python vectors/generate/train_digits_federated.py [WEIGHTS.safetensors]

In each round every device trains the network that all share on its own scans alone, and sends how
its parameters changed, in float16. The shared network becomes the mean of the devices' networks,
weighted by their numbers of scans. In one round the first convolution and its batch normalisation
stand still.

The result is committed next to this script, because training is the one step whose last bits may
depend on the CPU: the base under the names of the parameters, and each change as
``DEVICE-ROUND/PARAMETER``; ``federated_rounds`` reads it. Run this only to change the networks:
every stream, size, digest and metric value of the submission changes with them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from digits_data import Part, load_digits_split
from federated_rounds import FROZEN_LAYERS, FROZEN_ROUND, ROUNDS, WEIGHTS, Arrays, merge
from federated_shards import load_shards
from safetensors.numpy import save
from torch import nn
from train_digits_cnn import accuracy, build_network

CHANNELS = (8, 16)
UNITS = 32
SEED = 23
BASE_EPOCHS = 12
LOCAL_EPOCHS = 2
BATCH = 16
LEARNING_RATE = 2e-3
LOCAL_RATE = 1e-2
MOMENTUM = 0.8


def train_base(part: Part) -> nn.Sequential:
    """Return a network fitted to ``part`` with AdamW and cross-entropy."""
    network = build_network(CHANNELS, UNITS)
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE)
    network.train()
    _fit(network, optimiser, part, BASE_EPOCHS)
    return network


def train_on_device(shared: Arrays, part: Part, *, frozen: bool) -> Arrays:
    """Return how ``part`` changes the parameters of the shared network, in float16."""
    network = build_network(CHANNELS, UNITS)
    load(network, shared)
    network.train()
    if frozen:
        for layer in FROZEN_LAYERS:
            network.get_submodule(layer).eval().requires_grad_(requires_grad=False)
    free = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(free, LOCAL_RATE, momentum=MOMENTUM)
    _fit(network, optimiser, part, LOCAL_EPOCHS)
    trained = arrays(network)
    return {name: (trained[name] - shared[name]).astype(np.float16) for name in shared}


def load(network: nn.Sequential, parameters: Arrays) -> None:
    """Put ``parameters`` into ``network``."""
    state = {name: torch.from_numpy(values.copy()) for name, values in parameters.items()}
    network.load_state_dict(state, strict=False)


def arrays(network: nn.Sequential) -> Arrays:
    """Return a copy of the parameters of ``network``, statistics of batch normalisation too."""
    state = network.state_dict()
    return {n: state[n].numpy().copy() for n in state if not n.endswith("num_batches_tracked")}


def _fit(network: nn.Sequential, optimiser: torch.optim.Optimizer, part: Part, epochs: int) -> None:
    images, labels = torch.from_numpy(part.images), torch.from_numpy(part.labels)
    for _ in range(epochs):
        for chosen in torch.randperm(len(part)).split(BATCH):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(network(images[chosen]), labels[chosen])
            loss.backward()
            optimiser.step()


def main(target: Path = WEIGHTS) -> None:
    """Train, print the test accuracy of every shared network, and write the result."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    _, test = load_digits_split()
    few, shards = load_shards()
    network = train_base(few)
    print(f"base: {accuracy(network, test):.4f}")
    shared = arrays(network)
    kept = dict(shared)
    weights = {device: len(part) for device, part in shards.items()}
    for number in range(1, ROUNDS + 1):
        changes = {
            device: train_on_device(shared, part, frozen=number == FROZEN_ROUND)
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


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
