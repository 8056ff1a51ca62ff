"""Train the network of the bundled submission and write its weights.

    python vectors/generate/train_digits_cnn.py [WEIGHTS.safetensors]

The weights are committed next to this script, because training is the one step whose last bits
may depend on the CPU. Everything else is made from them by ``digits_cnn.py``, to the same bytes
everywhere. Run this only to change the network: every size, digest and metric value of the
submission changes with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from digits_data import Part, load_digits_split
from safetensors.numpy import save
from torch import nn

WEIGHTS = Path(__file__).with_name("digits_cnn_weights.safetensors")
SEED = 17
EPOCHS = 30
BATCH = 32
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2


def build_network(channels: tuple[int, int] = (16, 32), units: int = 64) -> nn.Sequential:
    """Return the untrained network; the names of its layers are the names of the parameters.

    ``channels`` are those of the two convolutions, ``units`` those of the hidden dense layer.
    """
    first, second = channels
    network = nn.Sequential()
    network.add_module("conv1", nn.Conv2d(1, first, 3, padding=1))
    network.add_module("bn1", nn.BatchNorm2d(first))
    network.add_module("relu1", nn.ReLU())
    network.add_module("pool1", nn.MaxPool2d(2))
    network.add_module("conv2", nn.Conv2d(first, second, 3, padding=1))
    network.add_module("bn2", nn.BatchNorm2d(second))
    network.add_module("relu2", nn.ReLU())
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc1", nn.Linear(16 * second, units))
    network.add_module("relu3", nn.ReLU())
    network.add_module("fc2", nn.Linear(units, 10))
    return network


def train(network: nn.Sequential, part: Part) -> None:
    """Fit ``network`` to ``part`` with AdamW, cross-entropy and a cosine schedule."""
    images, labels = torch.from_numpy(part.images), torch.from_numpy(part.labels)
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    network.train()
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(part)).split(BATCH):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(network(images[chosen]), labels[chosen])
            loss.backward()
            optimiser.step()
        schedule.step()


def accuracy(network: nn.Sequential, part: Part) -> float:
    """Return the share of ``part`` that ``network`` classifies correctly."""
    network.eval()
    with torch.no_grad():
        best = network(torch.from_numpy(part.images)).argmax(dim=1)
    return float((best.numpy() == part.labels).mean())


def main(target: Path = WEIGHTS) -> None:
    """Train, print both accuracies and write the weights as float32."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    training, test = load_digits_split()
    network = build_network()
    train(network, training)
    print(f"training accuracy {accuracy(network, training):.4f}")
    print(f"test accuracy     {accuracy(network, test):.4f}")
    state = network.state_dict()
    kept = {name: state[name].numpy() for name in state if not name.endswith("num_batches_tracked")}
    target.write_bytes(save(kept))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
