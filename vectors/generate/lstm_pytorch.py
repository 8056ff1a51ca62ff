"""The recurrent networks in PyTorch, and how they are trained."""

from __future__ import annotations

from collections.abc import Callable

import torch
from bundle_pytorch import batches
from lstm_network import Recurrence
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]


class LstmNetwork(nn.Module):
    """One LSTM and a dense layer; the names of the layers are the names of the parameters."""

    def __init__(self, size: Recurrence) -> None:
        super().__init__()
        self._output = size.output
        self.lstm = nn.LSTM(size.features, size.hidden, batch_first=True)
        self.dense = nn.Linear(size.hidden, size.outputs)

    def forward(self, sequence: Tensor) -> dict[str, Tensor]:
        """Return the output, of shape (N, outputs), for (N, steps, features)."""
        _, (state, _) = self.lstm(sequence)
        return {self._output: self.dense(state[0])}


def train(
    network: LstmNetwork,
    size: Recurrence,
    data: tuple[Tensor, Tensor],
    loss: Loss,
    *,
    epochs: int,
    batch: int,
    rate: float,
) -> None:
    """Fit ``network`` to ``data``, inputs and targets, with Adam and a cosine schedule."""
    inputs, targets = data
    optimiser = torch.optim.Adam(network.parameters(), rate)
    steps = epochs * -(-len(inputs) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for chosen in batches(len(inputs), batch, epochs):
        optimiser.zero_grad()
        loss(network(inputs[chosen])[size.output], targets[chosen]).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
