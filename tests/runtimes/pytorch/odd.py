"""Small networks of PyTorch, each with one property that a runtime must handle or refuse."""

import hashlib

import torch
from torch import Tensor, nn
from torch.nn import functional

TWICE = "conformance_tests::twice"
if not hasattr(torch.ops.conformance_tests, "twice"):

    @torch.library.custom_op(TWICE, mutates_args=())
    def twice(x: Tensor) -> Tensor:
        return x * 2

    @twice.register_fake
    def _(x: Tensor) -> Tensor:
        return torch.empty_like(x)


class Base(nn.Module):
    """One linear layer from 4 values to 4; what ``after`` does to its outputs is the point."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)


class CustomOperator(Base):
    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.conformance_tests.twice(self.fc(x))


class Noise(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + torch.rand_like(x)


class Bernoulli(Base):
    def forward(self, x: Tensor) -> Tensor:
        return torch.bernoulli(torch.sigmoid(self.fc(x)))


class AlwaysDrops(Base):
    def forward(self, x: Tensor) -> Tensor:
        return functional.dropout(self.fc(x), 0.5, training=True)


class NormOfBatch(Base):
    """Normalises with the statistics of the batch, and remembers them."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("var", torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return functional.batch_norm(self.fc(x), self.mean, self.var, training=True)


class Counter(Base):
    """Counts its runs in an attribute."""

    def __init__(self):
        super().__init__()
        self.runs = 0

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        return self.fc(x) + self.runs


class Writer(Base):
    """Adds to its buffer whenever it runs."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        self.seen.add_(1.0)
        return self.fc(x) + self.seen


class HiddenWriter(Writer):
    """The same, without the version counter noticing."""

    def forward(self, x: Tensor) -> Tensor:
        self.seen.data.add_(1.0)
        return self.fc(x) + self.seen


class Hidden(Base):
    """Keeps a tensor as a plain attribute, which no state dict has."""

    def __init__(self, size: int = 16):
        super().__init__()
        self.loose = torch.arange(float(size))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + self.loose[:4]


class LooseWriter(Hidden):
    """Adds to a tensor that is not a buffer whenever it runs."""

    def __init__(self):
        super().__init__(size=4)

    def forward(self, x: Tensor) -> Tensor:
        self.loose.add_(1.0)
        return self.fc(x) + self.loose


TOTAL = torch.zeros(4)


class ConstantWriter(Base):
    """Traced, it keeps a constant and adds to it."""

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + TOTAL.add_(1.0)


class Collector(Base):
    """Keeps what it saw in its own list."""

    def __init__(self):
        super().__init__()
        self.seen: list[Tensor] = [torch.zeros(4)]

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x[0])
        return self.fc(x) + self.seen[-1]


class Printer(Base):
    def forward(self, x: Tensor) -> Tensor:
        print("here")  # noqa: T201 - what is tested
        return self.fc(x)


class Huge(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + torch.zeros(1 << 44).sum()


class Scale(Base):
    def forward(self, x: Tensor, scale: float) -> Tensor:
        return self.fc(x) * scale


class Defaults(Base):
    def forward(self, x: Tensor, scale: float = 2.0, shift: int = 1) -> Tensor:
        return self.fc(x) * scale + shift


class Many(Base):
    """Gives a list, whose length no file gives."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.fc(x), x]


class Pair(Base):
    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        z = self.fc(x)
        return z, (z + y, z - y)


class Named(Base):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        z = self.fc(x)
        return {"first": z, "second": z * 2}


class Branches(Base):
    """Takes another way for inputs whose sum is negative, and loops."""

    def forward(self, x: Tensor) -> Tensor:
        z = self.fc(x)
        if bool(x.sum() > 0):
            z = z * 2
        else:
            for i in range(3):
                z = z + i
        return z


class Asserts(Base):
    """Refuses inputs of a negative sum by itself."""

    def forward(self, x: Tensor) -> Tensor:
        z = self.fc(x)
        if bool(x.sum() < 0):
            raise ValueError("negative")
        return z


SWITCH = torch.tensor(1.0)


@torch.jit.script_if_tracing
def _switched(x: Tensor, switch: Tensor) -> Tensor:
    if not bool(switch):
        print("here")  # noqa: T201 - what is tested
    return x * switch


class ConstantBranch(Base):
    """Traced, it has a constant that says which branch is taken."""

    def forward(self, x: Tensor) -> Tensor:
        return _switched(self.fc(x), SWITCH)


class Indices(Base):
    """A table of indices, and a list of them."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]]))
        self.register_buffer("shift", torch.tensor([1, 0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)[:, self.table].sum(1) + self.shift[0]


class Training(Base):
    """Differs in training; in inference it is the linear layer alone."""

    def forward(self, x: Tensor) -> Tensor:
        z = self.fc(x)
        if self.training:
            z = functional.dropout(z, 0.5, training=True)
        return z


class Listed(Base):
    """Keeps its weights as a list of numbers."""

    def __init__(self):
        super().__init__()
        self.numbers: list[float] = [each / 7 for each in range(140)]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + torch.tensor(self.numbers)[:4]


class Text(Base):
    """Keeps its weights as the characters of a text."""

    def __init__(self):
        super().__init__()
        self.text = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(7))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + float(ord(self.text[0]))


class Integers(Base):
    """Keeps its weights as integers, which are not parameters."""

    def __init__(self):
        super().__init__()
        self.register_buffer("bits", torch.arange(300) ** 3 % 251)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + self.bits[:4].to(torch.float32)


class Tied(nn.Module):
    """One weight under two names, and one layer at two places."""

    def __init__(self):
        super().__init__()
        self.one = nn.Linear(4, 4)
        self.other = nn.Linear(4, 4)
        self.other.weight = self.one.weight
        self.again = self.one

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.other(self.one(x)))


class Overlapping(nn.Module):
    """Two parameters that share a half of their elements."""

    def __init__(self):
        super().__init__()
        rows = torch.arange(24.0).reshape(6, 4) / 24
        self.one, self.other = nn.Parameter(rows[:4]), nn.Parameter(rows[2:])

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.one + x @ self.other


class Expanded(nn.Module):
    """A parameter whose rows are one row in memory."""

    def __init__(self):
        super().__init__()
        self.rows = nn.Parameter(torch.ones(1, 4).expand(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.rows


class Slice(Base):
    """A buffer that is a part of a larger tensor, all of which is stored."""

    def __init__(self, size: int = 1 << 20):
        super().__init__()
        self.register_buffer("part", torch.ones(size)[:4])

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + self.part


class BesideSlice(Base):
    """Reads what lies next to a small tensor, in the memory that both are stored in."""

    def __init__(self):
        super().__init__()
        self.loose = torch.arange(8000.0)[:4]

    def forward(self, x: Tensor) -> Tensor:
        beside = torch.as_strided(self.loose, [1, 4], [4, 1], 1000)
        return self.fc(x) + beside + self.loose


class ConstantsList(Base):
    """Keeps a tensor in a list that is called what the constants of the code are."""

    def __init__(self):
        super().__init__()
        self.CONSTANTS = [torch.arange(4000.0)]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + self.CONSTANTS[0][:4]


FOUR = torch.arange(4.0)


class WithConstant(nn.Module):
    """Traced, it has a constant of the code next to the list."""

    def __init__(self):
        super().__init__()
        self.inner = torch.jit.script(ConstantsList())

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + FOUR


class SplitWriter(Writer):
    """Writes to its buffer through a split that does not count writes."""

    def forward(self, x: Tensor) -> Tensor:
        torch.unsafe_split(self.seen, 2)[0].add_(1.0)
        return self.fc(x) + self.seen


class Splits(Base):
    """The same split, but nothing is written."""

    def forward(self, x: Tensor) -> Tensor:
        one, other = torch.unsafe_split(self.fc(x), 2, 1)
        return torch.cat([other, one], 1)


class StatisticsWriter(Writer):
    """Updates its buffer as a normalisation does in training."""

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = torch.batch_norm_update_stats(x, self.seen, self.seen, 0.1)
        return self.fc(x) + self.seen + mean


class Wide(Base):
    """Returns one value a million million times, which takes memory only when it is copied."""

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)[0, 0].expand(1 << 20, 1 << 20)


class Unused(Base):
    def __init__(self):
        super().__init__()
        self.spare = nn.Parameter(torch.ones(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)


class Uninitialised(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + torch.empty_like(x)


class Submodules(nn.Module):
    """A list and a sequence of modules."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Base() for _ in range(3))
        self.tail = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.tail(x)


class Condition(Base):
    """A branch that an exported program keeps, as an operator on two graphs."""

    def forward(self, x: Tensor) -> Tensor:
        z = self.fc(x)
        return torch.cond(z.sum() > 0, lambda a: a * 2, lambda a: a - 1, (z,))


class Buffer(Base):
    """Counts its runs in a buffer: an exported program gives it back changed."""

    def __init__(self):
        super().__init__()
        self.register_buffer("runs", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.runs.add_(1)
        return self.fc(x) + self.runs


class Inputs(Base):
    """Images, indices and a mask."""

    def forward(self, x: Tensor, index: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask, self.fc(x)[:, index], 0.0)


def given(*shapes, seed: int = 5):
    random = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(shape, generator=random) for shape in shapes)


X = given((2, 4))
