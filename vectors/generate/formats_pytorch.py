"""The digits network in PyTorch's formats: TorchScript, exported program, weights and topology.

PyTorch writes its archives without dates. What would differ between machines is left out: what
the formats say about the Python code that the network was made from.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import onnx
import torch
from network import OUTPUT, Weights, build_model
from numpy.typing import NDArray
from onnx import helper
from torch import Tensor, nn

WRITTEN_BY_PYTORCH = ("version", "byteorder", ".data/serialization_id")
"""Members that PyTorch's writer of archives adds by itself."""


class DigitsCnn(nn.Module):
    """The network; the names of its layers are the names of the parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(32)
        self.fc1 = nn.Linear(512, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the logits, of shape (N, 10), of images of shape (N, 1, 8, 8)."""
        pooled = nn.functional.max_pool2d(self.bn1(self.conv1(image)).relu(), 2)
        features = self.bn2(self.conv2(pooled)).relu().flatten(1)
        return {OUTPUT: self.fc2(self.fc1(features).relu())}


def write_torchscript(folder: Path, weights: Weights) -> list[Path]:
    """Write ``digits.pt``, the traced network, and return its path."""
    path = folder / "digits.pt"
    traced = torch.jit.trace(_network(weights), torch.zeros(1, 1, 8, 8), strict=False)
    torch.jit.save(traced, path)
    _drop_members(path, ".debug_pkl")
    return [path]


def run_torchscript(files: list[Path], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of ``images``, computed by PyTorch."""
    return _run(torch.jit.load(files[0]).eval(), images)


def write_exported(folder: Path, weights: Weights) -> list[Path]:
    """Write ``digits.pt2``, the exported program, and return its path."""
    path = folder / "digits.pt2"
    batch = torch.export.Dim("N", max=4096)
    # An example of one item would fix the batch size at one.
    example = torch.zeros(2, 1, 8, 8)
    program = torch.export.export(
        _network(weights), (example,), dynamic_shapes=({0: batch},), strict=True
    )
    for node in program.graph.nodes:
        node.meta = {key: value for key, value in node.meta.items() if key == "val"}
    torch.export.save(program, path)
    return [path]


def run_exported(files: list[Path], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of ``images``, computed by PyTorch."""
    return _run(torch.export.load(files[0]).module(), images)


def write_state_dict(folder: Path, weights: Weights) -> list[Path]:
    """Write ``digits.pt``, the weights alone, and ``digits.onnx``, the network without them."""
    path, topology = folder / "digits.pt", folder / "digits.onnx"
    torch.save(_network(weights).state_dict(), path)
    topology.write_bytes(_without_weights(build_model(weights)).SerializeToString())
    return [path, topology]


def run_state_dict(files: list[Path], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of ``images``, computed by PyTorch; the topology is not looked at."""
    network = DigitsCnn().eval()
    network.load_state_dict(torch.load(files[0], weights_only=True))
    return _run(network, images)


def _network(weights: Weights) -> DigitsCnn:
    network = DigitsCnn().eval()
    # PyTorch itself supplies the counters of batches, which have no part in inference.
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return network


def _run(network: nn.Module, images: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        logits: NDArray[np.float32] = network(torch.from_numpy(images))[OUTPUT].numpy()
    return logits


def _drop_members(path: Path, suffix: str) -> None:
    """Write an archive of PyTorch again without the members whose names end in ``suffix``."""
    with zipfile.ZipFile(path) as archive:
        members = {
            entry.filename.split("/", 1)[1]: archive.read(entry) for entry in archive.infolist()
        }
    writer = torch._C.PyTorchFileWriter(str(path))
    for name, content in members.items():
        if not name.endswith(suffix) and name not in WRITTEN_BY_PYTORCH:
            writer.write_record(name, content, len(content))
    writer.write_end_of_file()


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Turn the weights of ``model`` into inputs of its graph, without values."""
    stripped = onnx.ModelProto()
    stripped.CopyFrom(model)
    stripped.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in model.graph.initializer
    )
    del stripped.graph.initializer[:]
    onnx.checker.check_model(stripped, full_check=True)
    return stripped
