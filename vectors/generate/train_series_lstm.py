"""Train the forecaster of the submission ``series-lstm`` and write its weights.

    python vectors/generate/train_series_lstm.py [WEIGHTS.safetensors]

The weights are committed, because training is the one step whose last bits may depend on the CPU.
Run this only to change the network: everything in the submission changes with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from bundle_pytorch import save_weights, set_up_training
from lstm_network import Recurrence
from lstm_pytorch import LstmNetwork, train
from series_data import UNIT, WINDOW, load_windows
from torch import nn

WEIGHTS = Path(__file__).with_name("series_lstm_weights.safetensors")
SIZE = Recurrence("forecast", WINDOW, features=1, hidden=32, outputs=1)
SEED = 1749


def main(target: Path = WEIGHTS) -> None:
    """Train, print the errors of network and of persistence, and write the weights as float32."""
    set_up_training(SEED)
    training, test = load_windows()
    network = LstmNetwork(SIZE)
    data = torch.from_numpy(training.months), torch.from_numpy(training.following)
    train(network, SIZE, data, nn.functional.mse_loss, epochs=30, batch=64, rate=5e-3)
    following = torch.from_numpy(test.following)
    with torch.no_grad():
        forecast = network(torch.from_numpy(test.months))[SIZE.output]
    last = torch.from_numpy(test.months[:, -1])
    for name, values in (("network", forecast), ("the month before", last)):
        error = float(nn.functional.mse_loss(values, following)) ** 0.5
        print(f"test RMSE of {name}: {UNIT * error:.3f} sunspots")
    save_weights(network, target)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
