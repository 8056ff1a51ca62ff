"""Networks of PyTorch for the tests: each is made from its parameters, by name."""

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn


class Cnn(nn.Module):
    """Convolution, normalisation, dropout and a linear layer on images of 1 x 6 x 6."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.drop(torch.relu(self.bn(self.conv(x)))).flatten(1))


class Lstm(nn.Module):
    """Two layers of LSTM, the upper one on the lower one's states, on 5 steps of 3 values."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 4, num_layers=2, batch_first=True)
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        return self.fc(states[:, -1])


class Gru(nn.Module):
    """A GRU in both directions, on 5 steps of 3 values."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        return self.fc(states.mean(1))


class Transformer(nn.Module):
    """An embedding and one layer of a transformer, on 7 numbers below 11."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 11)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(self.embedding(x)))


NETS = {"cnn": Cnn, "lstm": Lstm, "gru": Gru, "transformer": Transformer}
SHAPES = {"cnn": (1, 6, 6), "lstm": (5, 3), "gru": (5, 3), "transformer": (7,)}


def inputs(kind: str, items: int = 3, seed: int = 77) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    shape = (items, *SHAPES[kind])
    if kind == "transformer":
        return {"x": random.integers(0, 11, shape)}
    return {"x": random.normal(size=shape).astype(np.float32)}


def tensors(kind: str, seed: int = 0) -> dict[str, np.ndarray]:
    """Parameters and running statistics by name; variances are positive."""
    random = np.random.default_rng(seed)
    found = {}
    for name, value in NETS[kind]().state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        array = random.normal(size=tuple(value.shape)).astype(np.float32) * np.float32(0.4)
        found[name] = np.abs(array) + np.float32(0.5) if name.endswith("running_var") else array
    return found


def build(kind: str, seed: int = 0) -> nn.Module:
    return loaded(kind, tensors(kind, seed))


def loaded(kind: str, arrays) -> nn.Module:
    """The network in inference mode, with these parameters."""
    net = NETS[kind]().eval()
    given = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    missing, unexpected = net.load_state_dict(given, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return net


def expected(net: nn.Module, given) -> np.ndarray:
    """What PyTorch itself computes."""
    with torch.inference_mode():
        return net(*(torch.from_numpy(array) for array in given.values())).numpy()


def own(network) -> dict[str, np.ndarray]:
    return {name: np.array(array) for name, array in network.parameters.items()}


@cache
def seeds(kind: str) -> dict[int, dict[str, np.ndarray]]:
    return {seed: tensors(kind, seed) for seed in range(4)}
