"""Train the classifier of the submission ``digits-lstm`` and write its weights.

    python vectors/generate/train_digits_lstm.py [WEIGHTS.safetensors]

The weights are committed, because training is the one step whose last bits may depend on the CPU.
Run this only to change the network: everything in the submission changes with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from bundle_pytorch import save_weights, set_up_training
from digits_data import Part, load_digits_split
from lstm_network import Recurrence
from lstm_pytorch import LstmNetwork, train
from torch import nn

WEIGHTS = Path(__file__).with_name("digits_lstm_weights.safetensors")
SIZE = Recurrence("logits", steps=8, features=8, hidden=40, outputs=10)
SEED = 8


def accuracy(network: LstmNetwork, part: Part) -> float:
    """Return the share of ``part`` that ``network`` classifies correctly."""
    with torch.no_grad():
        best = network(torch.from_numpy(part.images[:, 0]))[SIZE.output].argmax(dim=1)
    return float((best.numpy() == part.labels).mean())


def main(target: Path = WEIGHTS) -> None:
    """Train, print both accuracies and write the weights as float32."""
    set_up_training(SEED)
    training, test = load_digits_split()
    network = LstmNetwork(SIZE)
    data = torch.from_numpy(training.images[:, 0]), torch.from_numpy(training.labels)
    train(network, SIZE, data, nn.functional.cross_entropy, epochs=60, batch=32, rate=5e-3)
    print(f"training accuracy {accuracy(network, training):.4f}")
    print(f"test accuracy     {accuracy(network, test):.4f}")
    save_weights(network, target)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
