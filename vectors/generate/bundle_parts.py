"""What a bundled submission is made of: the parts of a :class:`Bundle`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundle_samples import SampleKind, Tensors
from numpy.typing import NDArray
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent

Array = NDArray[Any]
NameMap = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a network: its name, element type and the shape of one item."""

    name: str
    dtype: str
    item: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BundledModel:
    """The network in one format.

    ``parameters`` gives the weights under the names and in the layouts of the format, ``write``
    makes the files from them, the one to be opened first, and ``run`` gives the output for an
    input in the framework itself. ``name_map`` leads from the tensors of a sample to the
    parameters, and ``batch`` is the first dimension of input and output.
    """

    format: str
    title: str
    write: Callable[[Path, Tensors], list[Path]]
    run: Callable[[list[Path], Array], Array]
    parameters: Callable[[Tensors], Tensors] = dict
    name_map: NameMap = field(default_factory=list)
    batch: str | int = "N"


@dataclass(frozen=True, slots=True)
class Vectors:
    """Inputs, targets and their name; without a name, the inputs themselves are the targets."""

    inputs: Array
    targets: Array | None = None
    target: str = ""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One submission. ``name`` begins the ids of its models; the first dataset is for training.

    ``reference`` computes the network in float64. ``largest_difference`` is how far a framework
    may be from it, ``output_tolerance`` how far a runtime. ``within`` has the tolerance of the
    claimed values of each metric.
    """

    id: str
    name: str
    head: Mapping[str, Any]
    network_type: str
    datasets: Sequence[Mapping[str, Any]]
    metrics: Sequence[Mapping[str, Any]]
    input: Port
    output: Port
    models: Sequence[BundledModel]
    samples: Sequence[SampleKind]
    vectors: Callable[[], Vectors]
    reference: Callable[[Tensors, Array], Array]
    output_tolerance: Mapping[str, float]
    largest_difference: float
    within: Mapping[str, float]
    decimals: int = 6

    @property
    def stem(self) -> str:
        """The beginning of the names of the files in this folder."""
        return self.id.replace("-", "_")

    def weights(self) -> Tensors:
        """Return the committed weights."""
        return load_file(HERE / f"{self.stem}_weights.safetensors")
