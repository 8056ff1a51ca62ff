"""PyTorch files of the bundled networks, to the same bytes each time; and how they are trained."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import Tensor, nn

MODEL_FILE = "model.pt"
WRITTEN_BY_PYTORCH = ("version", "byteorder", ".data/serialization_id")
"""Members that PyTorch's writer of archives adds by itself."""

Arrays = dict[str, NDArray[np.float32]]


def load_weights(network: nn.Module, weights: Arrays) -> nn.Module:
    """Give ``network`` the ``weights`` and return it, set for inference."""
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return network.eval()


def write_traced(folder: Path, network: nn.Module, example: Tensor) -> list[Path]:
    """Write ``model.pt``, the network traced with ``example``, and return its path.

    What TorchScript says about the Python code that the network was made from is left out.
    """
    path = folder / MODEL_FILE
    torch.jit.save(torch.jit.trace(network, example, strict=False), path)
    with zipfile.ZipFile(path) as archive:
        members = {
            entry.filename.split("/", 1)[1]: archive.read(entry) for entry in archive.infolist()
        }
    writer = torch._C.PyTorchFileWriter(str(path))
    for name, content in members.items():
        if not name.endswith(".debug_pkl") and name not in WRITTEN_BY_PYTORCH:
            writer.write_record(name, content, len(content))
    writer.write_end_of_file()
    return [path]


def run_traced(files: list[Path], inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the only output for ``inputs``, computed by PyTorch."""
    return _run(torch.jit.load(files[0]).eval(), inputs)


def write_exported(
    folder: Path, network: nn.Module, example: Tensor, *, with_example: bool = True
) -> list[Path]:
    """Write ``model.pt2``, the program exported with ``example``, and return its path.

    The first axis of the input stays free. ``example`` has two items, because one would fix it; a
    large one is better not kept in the file.
    """
    path = folder / "model.pt2"
    free = ({0: torch.export.Dim("N", max=4096)},)
    program = torch.export.export(network, (example,), dynamic_shapes=free, strict=True)
    for node in program.graph.nodes:
        node.meta = {key: value for key, value in node.meta.items() if key == "val"}
    if not with_example:
        program.example_inputs = None
    torch.export.save(program, path)
    return [path]


def run_exported(files: list[Path], inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the only output for ``inputs``, computed by PyTorch."""
    return _run(torch.export.load(files[0]).module(), inputs)


def write_state_dict(folder: Path, weights: Arrays) -> list[Path]:
    """Write ``model.pt``, the weights alone, and return its path."""
    path = folder / MODEL_FILE
    torch.save({name: torch.from_numpy(weights[name]) for name in weights}, path)
    return [path]


def run_state_dict(
    make: Callable[[], nn.Module], files: list[Path], inputs: NDArray[Any]
) -> NDArray[Any]:
    """Return the output of the network that ``make`` makes; the topology is not looked at."""
    network = make().eval()
    network.load_state_dict(torch.load(files[0], weights_only=True))
    return _run(network, inputs)


def batches(items: int, size: int, epochs: int) -> Iterator[Tensor]:
    """Yield the indices of each batch, in another order in every epoch."""
    for _ in range(epochs):
        yield from torch.randperm(items).split(size)


def set_up_training(seed: int) -> None:
    """Let PyTorch draw the same numbers and compute in the same order each time."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def save_weights(network: nn.Module, target: Path) -> None:
    """Write the weights of ``network`` as float32."""
    target.write_bytes(save({name: v.numpy() for name, v in network.state_dict().items()}))


def _run(network: nn.Module, inputs: NDArray[Any]) -> NDArray[Any]:
    fed = inputs.astype(np.float32) if inputs.dtype.kind == "f" else inputs
    with torch.no_grad():
        found = network(torch.from_numpy(fed))
    (output,) = found.values() if isinstance(found, dict) else (found,)
    values: NDArray[Any] = output.numpy()
    return values
