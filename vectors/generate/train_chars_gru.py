"""Train the character model of the submission ``chars-gru`` and write its weights.

    python vectors/generate/train_chars_gru.py [WEIGHTS.safetensors]

The weights are committed, because training is the one step whose last bits may depend on the CPU.
Run this only to change the network: everything in the submission changes with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from bundle_pytorch import save_weights, set_up_training
from chars_data import ALPHABET, STEPS, TRAINING, load_test_sequences, load_tokens
from chars_network import EMBEDDED, HIDDEN, OUTPUT
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("chars_gru_weights.safetensors")
SEED = 1776
UPDATES = 1500
BATCH = 16
LEARNING_RATE = 5e-3
WEIGHT_DECAY = 1e-2


class CharacterModel(nn.Module):
    """The network; the names of its layers are the names of the parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(ALPHABET), EMBEDDED)
        self.gru = nn.GRU(EMBEDDED, HIDDEN, batch_first=True)
        self.dense = nn.Linear(HIDDEN, len(ALPHABET))

    def forward(self, characters: Tensor) -> dict[str, Tensor]:
        """Return logits of shape (N, T, characters) of what follows each of (N, T) characters."""
        states, _ = self.gru(self.embedding(characters))
        return {OUTPUT: self.dense(states)}


def train(network: CharacterModel) -> None:
    """Fit ``network`` to random parts of the training text with AdamW and a cosine schedule."""
    windows = torch.from_numpy(load_tokens(TRAINING)).unfold(0, STEPS + 1, 1)
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, UPDATES)
    for _ in range(UPDATES):
        chosen = windows[torch.randint(len(windows), (BATCH,))]
        optimiser.zero_grad()
        loss(network, chosen[:, :-1], chosen[:, 1:]).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()


def loss(network: CharacterModel, characters: Tensor, following: Tensor) -> Tensor:
    """Return the mean cross-entropy of the following characters, in nats."""
    return nn.functional.cross_entropy(
        network(characters)[OUTPUT].flatten(0, 1), following.flatten()
    )


def main(target: Path = WEIGHTS) -> None:
    """Train, print the perplexity of the test text and write the weights as float32."""
    set_up_training(SEED)
    network = CharacterModel()
    train(network)
    with torch.no_grad():
        test = loss(network, *map(torch.from_numpy, load_test_sequences()))
    print(f"test perplexity {float(test.exp()):.3f}")
    save_weights(network, target)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
