"""Real NNEF models, written with the ``nnef`` package, for the tests of the runtime."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import nnef
import numpy as np
import torch

from conformance.runtimes import ModelSource, Network, runtime
from conformance.verdicts import ConformanceError

GIB = 1 << 30
TYPES = {"f": "scalar", "i": "integer", "u": "integer", "b": "logical"}


class Stream(io.BytesIO):
    """A file that ``nnef.write_tensor`` does not ask for a descriptor."""

    def seekable(self) -> bool:
        return False


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def tensor_bytes(array: np.ndarray, quantised: bool = False) -> bytes:
    """What ``nnef.write_tensor`` writes of an array."""
    file = Stream()
    nnef.write_tensor(file, np.asarray(array), quantized=quantised)
    return file.getvalue()


def variable(name: str, label: str, shape: Sequence[int], type: str = "scalar") -> str:
    return f"{name} = variable<{type}>(shape = {list(shape)}, label = '{label}');"


def graph(
    body: str,
    inputs: Mapping[str, Sequence[int]],
    outputs: Sequence[str] = ("y",),
    tensors: Mapping[str, np.ndarray] | None = None,
    *,
    head: str = "",
) -> str:
    """The text of a graph; each tensor is a variable of that label, and of its last part's name."""
    lines = [f"{name} = external(shape = {list(shape)});" for name, shape in inputs.items()]
    for label, array in (tensors or {}).items():
        name = label.rpartition("/")[2]
        lines.append(variable(name, label, array.shape, TYPES[array.dtype.kind]))
    statements = "\n    ".join([*lines, *body.strip().splitlines()])
    return (
        f"version 1.0;\n{head}\ngraph net({', '.join(inputs)}) -> ({', '.join(outputs)})\n"
        f"{{\n    {statements}\n}}\n"
    )


def save(
    folder: Path,
    text: str,
    tensors: Mapping[str, np.ndarray | bytes] | None = None,
    *,
    quant: str | None = None,
    **more: int,
) -> ModelSource:
    """A model in ``folder``: tensors are written as arrays, or as the bytes that they are."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graph.nnef").write_text(text, "utf-8")
    names = ["graph.nnef"]
    for label, array in (tensors or {}).items():
        data = array if isinstance(array, bytes) else tensor_bytes(array)
        names.append(f"{label}.dat")
        (folder / names[-1]).parent.mkdir(parents=True, exist_ok=True)
        (folder / names[-1]).write_bytes(data)
    if quant is not None:
        (folder / "graph.quant").write_text(quant, "utf-8")
        names.append("graph.quant")
    return source(folder, *names, **more)


def source(folder: Path, *names: str, limit_bytes: int = GIB) -> ModelSource:
    files = tuple(folder / name for name in names)
    return ModelSource(files=files, display=names, root=folder, limit_bytes=limit_bytes)


def opened(made: ModelSource) -> Network:
    return runtime("nnef").open(made)


def check(error: ConformanceError, *files: str) -> None:
    """An error must say where it is, in one of ``files``, and how to fix it."""
    assert error.where is not None
    assert error.where.file in files
    assert error.fix


def arrays(parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Copies of all of them."""
    return {name: np.array(array) for name, array in parameters.items()}


def archive(
    folder: Path, name: str = "model.tgz", files: Mapping[str, bytes] | None = None
) -> Path:
    """An archive of ``files``, or of all files in ``folder``."""
    members = files or {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".tgz"
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member, data in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            info.mtime = 1700000000.25
            tar.addfile(info, io.BytesIO(data))
    path = folder / name
    path.write_bytes(gzip.compress(buffer.getvalue(), 6, mtime=0))
    return path


# Two networks that PyTorch builds as well, each with all of its parameters in variables.


def cnn_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    shapes = {
        "conv1/weight": (4, 1, 3, 3),
        "conv1/bias": (1, 4),
        "norm/mean": (1, 4),
        "norm/variance": (1, 4),
        "norm/offset": (1, 4),
        "norm/scale": (1, 4),
        "fc/filter": (5, 36),
        "fc/shift": (1, 5),
    }
    made = {
        label: floats(*shape, seed=seed * 100 + place)
        for place, (label, shape) in enumerate(shapes.items())
    }
    made["norm/variance"] = np.abs(made["norm/variance"]) + 0.5
    return made


CNN_BODY = """
a = conv(x, weight, bias, padding = [(1, 1), (1, 1)]);
b = batch_normalization(a, mean, variance, offset, scale, epsilon = 0.001);
c = max_pool(relu_c, size = [1, 1, 2, 2], stride = [1, 1, 2, 2],
    padding = [(0, 0), (0, 0), (0, 0), (0, 0)], border = 'ignore');
d = reshape(c, shape = [0, -1]);
e = linear(d, filter, shift);
y = softmax(e, axes = [1]);
"""


def cnn_text(batch: int = 2) -> str:
    body = CNN_BODY.replace("\nc =", "\nrelu_c = relu(b);\nc =")
    return graph(body, {"x": (batch, 1, 6, 6)}, ("y",), cnn_tensors())


def cnn(folder: Path, seed: int = 0, batch: int = 2) -> ModelSource:
    return save(folder, cnn_text(batch), cnn_tensors(seed))


def cnn_with_limit(folder: Path, limit_bytes: int) -> ModelSource:
    return save(folder, cnn_text(), cnn_tensors(), limit_bytes=limit_bytes)


def cnn_outputs(tensors: Mapping[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """The same network written with PyTorch."""
    t = {name: torch.tensor(np.asarray(array)) for name, array in tensors.items()}
    functional = torch.nn.functional
    with torch.no_grad():
        out = functional.conv2d(
            torch.tensor(image), t["conv1/weight"], t["conv1/bias"][0], padding=1
        )
        out = functional.batch_norm(
            *(out, t["norm/mean"][0], t["norm/variance"][0], t["norm/scale"][0]),
            *(t["norm/offset"][0], False, 0.0, 0.001),
        )
        out = functional.max_pool2d(torch.relu(out), 2).flatten(1)
        out = functional.linear(out, t["fc/filter"], t["fc/shift"][0])
        return torch.softmax(out, 1).numpy()


def lstm_tensors(inputs: int = 3, hidden: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    return {
        "lstm/kernel": floats(4 * hidden, inputs, seed=seed),
        "lstm/recurrent": floats(4 * hidden, hidden, seed=seed + 1),
        "lstm/offset": floats(1, 4 * hidden, seed=seed + 2),
    }


def lstm_text(steps: int = 5, inputs: int = 3, hidden: int = 4, batch: int = 2) -> str:
    """An LSTM, unrolled: gates i, f, g, o as PyTorch orders them."""
    names = ", ".join(f"x{t}" for t in range(steps))
    lines = [
        f"[{names}] = unstack(x, axis = 1);",
        f"h0 = constant(shape = [{batch}, {hidden}], value = [0.0]);",
        f"c0 = constant(shape = [{batch}, {hidden}], value = [0.0]);",
    ]
    for t in range(steps):
        n = t + 1
        lines += [
            f"p{n} = linear(x{t}, kernel, offset);",
            f"q{n} = matmul(h{t}, recurrent, transposeB = true);",
            f"s{n} = add(p{n}, q{n});",
            f"[i{n}, f{n}, g{n}, o{n}] = split(s{n}, axis = 1, ratios = [1, 1, 1, 1]);",
            f"is{n} = sigmoid(i{n});",
            f"fs{n} = sigmoid(f{n});",
            f"gs{n} = tanh(g{n});",
            f"os{n} = sigmoid(o{n});",
            f"fc{n} = mul(fs{n}, c{t});",
            f"ig{n} = mul(is{n}, gs{n});",
            f"c{n} = add(fc{n}, ig{n});",
            f"ct{n} = tanh(c{n});",
            f"h{n} = mul(os{n}, ct{n});",
        ]
    lines.append(f"y = stack([{', '.join(f'h{t + 1}' for t in range(steps))}], axis = 1);")
    inputs_of = {"x": (batch, steps, inputs)}
    return graph("\n".join(lines), inputs_of, ("y",), lstm_tensors(inputs, hidden))


def lstm_outputs(tensors: Mapping[str, np.ndarray], sequence: np.ndarray) -> np.ndarray:
    """``torch.nn.LSTM`` with the same parameters."""
    hidden = tensors["lstm/recurrent"].shape[1]
    module = torch.nn.LSTM(sequence.shape[2], hidden, batch_first=True)
    state = {
        "weight_ih_l0": tensors["lstm/kernel"],
        "weight_hh_l0": tensors["lstm/recurrent"],
        "bias_ih_l0": tensors["lstm/offset"][0],
        "bias_hh_l0": np.zeros(4 * hidden, np.float32),
    }
    module.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    with torch.no_grad():
        return module(torch.tensor(sequence))[0].numpy()
