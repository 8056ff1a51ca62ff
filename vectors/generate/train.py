"""Train the network of a bundled submission and write its weights.

    python vectors/generate/train.py SUBMISSION [WEIGHTS.safetensors]

The weights are committed next to this script, because training is the one step whose last bits may
depend on the CPU; everything else is made from them, to the same bytes everywhere. Run this only to
change a network: every size, digest and metric value of the submission changes with it.
``train_federated.py`` does the same for ``digits-federated``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save
from torch import Tensor, nn

HERE = Path(__file__).resolve().parent

Batches = Iterable[tuple[Tensor, Tensor]]
Loss = Callable[[Tensor, Tensor], Tensor]


def output(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the only output of ``network``."""
    (values,) = network(inputs).values()
    return values


def shuffled(data: tuple[Tensor, Tensor], size: int, epochs: int = 1) -> Iterator[Any]:
    """Yield inputs and targets in batches of ``size``, in a different order in every epoch."""
    inputs, targets = data
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs)).split(size):
            yield inputs[chosen], targets[chosen]


def fit(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Batches,
    loss: Loss,
    *,
    updates: int = 0,
    clip: float | None = None,
) -> None:
    """Fit ``network`` to ``batches``, of which there are ``updates`` if the rate is to fall.

    The rate follows a cosine then. ``clip`` is the largest norm of a gradient.
    """
    anneal = torch.optim.lr_scheduler.CosineAnnealingLR
    schedule = anneal(optimiser, updates) if updates else None
    for inputs, targets in batches:
        optimiser.zero_grad()
        loss(output(network, inputs), targets).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimiser.step()
        if schedule:
            schedule.step()


def accuracy(network: nn.Module, data: tuple[Tensor, Tensor]) -> float:
    """Return the share of ``data`` that ``network`` classifies correctly."""
    network.eval()
    with torch.no_grad():
        best = output(network, data[0]).argmax(dim=1)
    return float((best == data[1]).double().mean())


def set_up(seed: int) -> None:
    """Let PyTorch draw the same numbers and compute in the same order each time."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def arrays(network: nn.Module) -> dict[str, Any]:
    """Return a copy of the parameters of ``network``, statistics of batch normalisation too."""
    state = network.state_dict()
    return {n: state[n].numpy().copy() for n in state if not n.endswith("num_batches_tracked")}


def train_digits_cnn() -> nn.Module:
    """Train with AdamW, cross-entropy, and a rate that falls with every epoch."""
    from digits_data import load_digits_split
    from digits_networks import DigitsCnn

    set_up(17)
    epochs = 30
    training, test = (_tensors(part.images, part.labels) for part in load_digits_split())
    network = DigitsCnn()
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        fit(network, optimiser, shuffled(training, 32), nn.functional.cross_entropy)
        schedule.step()
    print(f"training accuracy {accuracy(network, training):.4f}")
    print(f"test accuracy     {accuracy(network, test):.4f}")
    return network


def train_digits_lstm() -> nn.Module:
    """Train with Adam and cross-entropy."""
    from digits_data import load_digits_split
    from digits_lstm import SIZE
    from lstm_network import LstmNetwork

    set_up(8)
    training, test = (_tensors(part.images[:, 0], part.labels) for part in load_digits_split())
    network = LstmNetwork(SIZE)
    _fit_lstm(network, training, nn.functional.cross_entropy, batch=32, epochs=60)
    print(f"training accuracy {accuracy(network, training):.4f}")
    print(f"test accuracy     {accuracy(network, test):.4f}")
    return network


def train_series_lstm() -> nn.Module:
    """Train with Adam and squared error; persistence is what a forecast must be better than."""
    from lstm_network import LstmNetwork
    from series_data import UNIT, load_windows
    from series_lstm import SIZE

    set_up(1749)
    training, test = (_tensors(part.months, part.following) for part in load_windows())
    network = LstmNetwork(SIZE)
    _fit_lstm(network, training, nn.functional.mse_loss, batch=64, epochs=30)
    with torch.no_grad():
        forecast = output(network, test[0])
    for name, values in (("network", forecast), ("the month before", test[0][:, -1])):
        error = float(nn.functional.mse_loss(values, test[1])) ** 0.5
        print(f"test RMSE of {name}: {UNIT * error:.3f} sunspots")
    return network


def train_chars_gru() -> nn.Module:
    """Train on random parts of the training text with AdamW."""
    from chars_data import STEPS, TRAINING, load_test_sequences, load_tokens
    from chars_network import CharacterModel

    def loss(logits: Tensor, following: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits.flatten(0, 1), following.flatten())

    def drawn() -> Batches:
        for _ in range(updates):
            chosen = windows[torch.randint(len(windows), (16,))]
            yield chosen[:, :-1], chosen[:, 1:]

    set_up(1776)
    updates = 1500
    network = CharacterModel()
    windows = torch.from_numpy(load_tokens(TRAINING)).unfold(0, STEPS + 1, 1)
    optimiser = torch.optim.AdamW(network.parameters(), 5e-3, weight_decay=1e-2)
    fit(network, optimiser, drawn(), loss, updates=updates, clip=1.0)
    characters, following = _tensors(*load_test_sequences())
    with torch.no_grad():
        test = loss(output(network, characters), following)
    print(f"test perplexity {float(test.exp()):.3f}")
    return network


def train_patches_autoencoder() -> nn.Module:
    """Train on random crops with Adam and squared error."""
    from patches_data import load_test_patches, training_parts
    from patches_network import Autoencoder

    def cropped(part: Tensor, side: int = 64) -> Tensor:
        top, left = (int(draw.integers(0, size - side + 1)) for size in part.shape)
        crop = part[top : top + side, left : left + side][None]
        return crop.flip(2) if draw.integers(2) else crop

    def drawn() -> Batches:
        for _ in range(updates):
            crops = torch.stack([cropped(parts[index % len(parts)]) for index in range(16)])
            yield crops, crops

    seed, updates = 11, 2500
    set_up(seed)
    draw = np.random.Generator(np.random.PCG64(seed))
    network = Autoencoder()
    parts = [torch.from_numpy(part) for part in training_parts()]
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    fit(network, optimiser, drawn(), nn.functional.mse_loss, updates=updates)
    patches = torch.from_numpy(load_test_patches().astype(np.float32))
    with torch.no_grad():
        error = nn.functional.mse_loss(output(network, patches), patches)
    print(f"test PSNR {-10 * float(error.log10()):.3f} dB")
    return network


def _fit_lstm(
    network: nn.Module, data: tuple[Tensor, Tensor], loss: Loss, *, batch: int, epochs: int
) -> None:
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    updates = epochs * -(-len(data[0]) // batch)
    fit(network, optimiser, shuffled(data, batch, epochs), loss, updates=updates, clip=1.0)


def _tensors(inputs: Any, targets: Any) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(inputs), torch.from_numpy(targets)


TRAINED = {
    "digits-cnn": train_digits_cnn,
    "digits-lstm": train_digits_lstm,
    "series-lstm": train_series_lstm,
    "chars-gru": train_chars_gru,
    "patches-autoencoder": train_patches_autoencoder,
}


def main() -> None:
    """Train, print how good the network is, and write the weights as float32."""
    parser = argparse.ArgumentParser(description="Train the network of a bundled submission.")
    parser.add_argument("submission", choices=TRAINED)
    parser.add_argument("weights", type=Path, nargs="?", metavar="WEIGHTS.safetensors")
    arguments = parser.parse_args()
    name = f"{arguments.submission.replace('-', '_')}_weights.safetensors"
    target = arguments.weights or HERE / name
    target.write_bytes(save(arrays(TRAINED[arguments.submission]())))


if __name__ == "__main__":
    main()
