"""One network whose tensors are kept in every way that PyTorch has; others that hide weights."""

import torch
from torch import Tensor, nn
from torch.nn import functional

GENERATOR = torch.Generator().manual_seed(11)
TENSORS = {
    "scale": torch.randn(4, generator=GENERATOR),
    "factor": torch.tensor(0.75),
    "bound": torch.tensor(-0.5),
    "places": torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]]),
    "chosen": torch.tensor([True, False, True, True]),
    "mask": torch.tensor([0, -1e9, 0, 0]),
    "rows": torch.randint(-9, 9, (4, 4), generator=GENERATOR).to(torch.int8),
}
"""What the network has, by the names of its attributes."""

SCALES = {
    "steps": torch.tensor([0.25, 0.5, 0.125, 1]),
    "zero": torch.tensor([1, -1, 2, 0], dtype=torch.int32),
}
"""What a quantised one has as well: no exported program has operators that take these."""


def computed(
    y: Tensor,
    scale: Tensor,
    factor: Tensor,
    bound: Tensor,
    places: Tensor,
    chosen: Tensor,
    mask: Tensor,
    rows: Tensor,
) -> Tensor:
    y = torch.clamp(y * scale * factor, min=bound)
    y = y[:, places].sum(1) + torch.softmax(y + mask.unsqueeze(0), 1)
    y = torch.where(chosen, y, -y)
    return y + functional.embedding(y.argmax(1), rows).to(torch.float32)


class Kept(nn.Module):
    """The tensors are attributes; what is registered as what is said by ``kind``."""

    def __init__(self, kind: str, tensors: dict[str, Tensor] = TENSORS):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        for name, tensor in tensors.items():
            if kind == "parameter":
                setattr(self, name, nn.Parameter(tensor.clone(), requires_grad=False))
            elif kind == "attribute":
                setattr(self, name, tensor.clone())
            else:
                self.register_buffer(name, tensor.clone(), persistent=kind == "buffer")

    def forward(self, x: Tensor) -> Tensor:
        y, some = self.fc(x), (self.scale, self.factor, self.bound)
        return computed(
            y, some[0], some[1], some[2], self.places, self.chosen, self.mask, self.rows
        )


class KeptQuantised(Kept):
    def __init__(self, kind: str):
        super().__init__(kind, {**TENSORS, **SCALES})

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x)
        y = computed(
            *(y, self.scale, self.factor, self.bound),
            *(self.places, self.chosen, self.mask, self.rows),
        )
        return torch.fake_quantize_per_channel_affine(y, self.steps, self.zero, 1, -128, 127)


class Inlined(nn.Module):
    """The same; the tensors are values of the module's file, which become constants."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return computed(self.fc(x), **TENSORS)


class InlinedQuantised(Inlined):
    def forward(self, x: Tensor) -> Tensor:
        y = computed(self.fc(x), **TENSORS)
        return torch.fake_quantize_per_channel_affine(
            y, SCALES["steps"], SCALES["zero"], 1, -128, 127
        )


def kept(kind: str, quantised: bool) -> nn.Module:
    torch.manual_seed(3)
    if kind == "inlined":
        return InlinedQuantised().eval() if quantised else Inlined().eval()
    return KeptQuantised(kind).eval() if quantised else Kept(kind).eval()


class Hiding(nn.Module):
    """Weights that a sample does not replace, in a buffer or a plain attribute."""

    def __init__(self, hidden: Tensor, *, registered: bool = True):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        if registered:
            self.register_buffer("hidden", hidden)
        else:
            self.hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + self.hidden.to(torch.float32)[:4]


class SmallIntegers(nn.Module):
    """Weights as small integers in the code, each alone, as sizes are."""

    def __init__(self, numbers: list[int]):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.numbers = numbers

    def forward(self, x: Tensor) -> Tensor:
        made = [torch.full([1], number, dtype=torch.int64) for number in self.numbers]
        for begin in range(0, len(made), 4):
            x = x + torch.cat(made[begin : begin + 4])
        return self.fc(x)


class ManyNumbers(nn.Module):
    """As many buffers of one number each."""

    def __init__(self, count: int):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.count = count
        for index in range(count):
            self.register_buffer(f"n{index}", torch.tensor(index / 7 + 0.1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        for index in range(self.count):
            x = x + getattr(self, f"n{index}")
        return x


class Integers(nn.Module):
    """Small integers in a list, an attribute of the module."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.numbers: list[int] = [(7 * n * n + 3 * n) % 251 for n in range(400)]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + torch.tensor(self.numbers)[:4]


class Bert(nn.Module):
    """Embeddings with a buffer of positions, as many networks of language have it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("position_ids", torch.arange(512).expand((1, -1)))
        self.words = nn.Embedding(50, 48)
        self.positions = nn.Embedding(512, 48)
        self.head = nn.Linear(48, 50)

    def forward(self, x: Tensor) -> Tensor:
        places = self.position_ids[:, : x.shape[1]]
        return self.head(self.words(x) + self.positions(places))


class Gpt(nn.Module):
    """Twelve layers, each with its mask."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 48)
        self.blocks = nn.ModuleList(Block() for _ in range(12))

    def forward(self, x: Tensor) -> Tensor:
        y = self.words(x)
        for block in self.blocks:
            y = block(y)
        return y


class Block(nn.Module):
    """Attention under a mask that is kept for the longest text, as GPT-2 has it."""

    def __init__(self, length: int = 1024):
        super().__init__()
        mask = torch.tril(torch.ones((length, length), dtype=torch.bool))
        self.register_buffer("bias", mask.view(1, length, length), persistent=False)
        self.register_buffer("masked_bias", torch.tensor(-1e9), persistent=False)
        self.attention = nn.Linear(48, 144)
        self.norm = nn.LayerNorm(48)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.attention(self.norm(x)).split(48, 2)
        scores = q @ k.transpose(1, 2) / 6.9
        mask = self.bias[:, : scores.shape[1], : scores.shape[2]]
        return x + torch.where(mask, scores, self.masked_bias).softmax(2) @ v


class Swin(nn.Module):
    """Attention in windows of 7 x 7 with a table of biases that stored indices look into."""

    def __init__(self, layers: int = 4):
        super().__init__()
        self.layers = nn.ModuleList(Window() for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Window(nn.Module):
    def __init__(self, size: int = 7, heads: int = 2):
        super().__init__()
        places = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij"))
        apart = (places.flatten(1)[:, :, None] - places.flatten(1)[:, None]).permute(1, 2, 0)
        apart = (apart + size - 1) * torch.tensor([2 * size - 1, 1])
        self.register_buffer("relative_position_index", apart.sum(-1))
        self.table = nn.Parameter(torch.randn((2 * size - 1) ** 2, heads))
        self.qkv = nn.Linear(32, 96)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(2, [3, 2, 16]).permute(2, 0, 3, 1, 4).unbind(0)
        bias = self.table[self.relative_position_index.view(-1)].view(49, 49, 2).permute(2, 0, 1)
        y = (q @ k.transpose(2, 3) + bias.unsqueeze(0)).softmax(3) @ v
        return x + y.transpose(1, 2).flatten(2)


class Branching(nn.Module):
    """Looks rows up inside a branch, and hands a zero point through a loop."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.register_buffer("rows", TENSORS["rows"].clone())
        self.register_buffer("zero", SCALES["zero"].clone())
        self.register_buffer("steps", SCALES["steps"].clone())
        self.register_buffer("places", torch.tensor([3, 1, 0, 2]))

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x)
        zero, rows = self.zero, self.rows
        if bool(y.sum() > 0):
            for _ in range(int(x.shape[0])):
                zero = zero.view(4)
                y = torch.fake_quantize_per_channel_affine(y, self.steps, zero, 1, -128, 127)
        else:
            y = y + functional.embedding(y.argmax(1), rows).to(torch.float32)
        return y[:, self.places]


class Conditional(nn.Module):
    """Looks rows up in a branch, which is its own graph in an exported program."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.register_buffer("rows", TENSORS["rows"].clone())
        self.register_buffer("more", TENSORS["rows"].clone() + 1)
        self.register_buffer("places", torch.tensor([3, 1, 0, 2]))

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x)

        def yes(y: Tensor, rows: Tensor, more: Tensor) -> Tensor:
            return y + functional.embedding(y.argmax(1), rows.view(4, 4)).to(torch.float32)

        def no(y: Tensor, rows: Tensor, more: Tensor) -> Tensor:
            return y + more.to(torch.float32)[0]

        y = torch.cond(y.sum() > 0, yes, no, (y, self.rows, self.more))
        return y[:, self.places]


BASE = torch.arange(40.0)
ONE, OTHER = BASE[:30], BASE[10:]


class SharedConstants(nn.Module):
    """Traced, it has two constants that share a part of their memory."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + ONE[:4] + OTHER[:4]


class TiedAttribute(nn.Module):
    """A weight that is an attribute as well, under a different name."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)
        self.rows: list[Tensor] = [self.fc.weight]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) @ self.rows[0]


class Empty(nn.Module):
    """Has a buffer of no elements, which nothing reads."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.register_buffer("nothing", torch.zeros(0))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)
