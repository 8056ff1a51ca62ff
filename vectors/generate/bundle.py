"""What a bundled submission is made of: everything about it that files do not say.

A script makes a :class:`Bundle` of the other parts and hands it to ``bundle_writer``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import load_file
from tensor_layouts import NameMap, Tensors, arrange

HERE = Path(__file__).resolve().parent

Array = NDArray[Any]
Json = Any


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a network: its name, element type and the shape of one item."""

    name: str
    dtype: str
    item: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """The network in one format.

    ``build`` makes what the exporter of the format writes, from parameters to which ``name_map``
    leads from the tensors of a sample; these are the set ``tensors``. ``batch`` is the first
    dimension of input and output, and ``note`` the end of the title.
    """

    format: str
    build: Callable[[Tensors], Any]
    name_map: NameMap = ()
    note: str = ""
    tensors: str = ""
    batch: str | int = "N"
    channels_last: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a sample: names of its files below ``samples/``, or a range of units.

    ``extra`` has the other entries of the metadata: mode, params, name_map.
    """

    id: str
    title: str
    files: Sequence[str] = ()
    units: tuple[int, int] | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample but for what is measured.

    ``files`` are bytes by name below ``samples/``; without any the sample is a merge. ``bounds``
    replaces the bound of a metric's tolerance, ``within`` the tolerance of a claimed value.
    ``format`` is that of its model if there are several. ``extra`` has further entries of the
    metadata: update_of, merge_of, same_tensors_as, family.
    """

    id: str
    title: str
    codec: str
    files: Mapping[str, bytes]
    method: Mapping[str, Json]
    params: Mapping[str, Json] = field(default_factory=dict)
    bounds: Mapping[str, float] = field(default_factory=dict)
    within: Mapping[str, float] = field(default_factory=dict)
    layers: Sequence[Layer] = ()
    lossless: bool = False
    format: str = ""
    name_map: NameMap = ()
    claims: Mapping[str, Json] = field(default_factory=dict)
    extra: Mapping[str, Json] = field(default_factory=dict)


Kind = Callable[[Tensors], Sample]
"""A way of compression, for every format: one file for all that have the same tensors."""


@dataclass(frozen=True, slots=True)
class TensorSet:
    """What samples hold: ``make`` gives it from the weights, ``note`` ends the method's summary."""

    make: Callable[[Tensors], Tensors] = dict
    note: str = ""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Inputs, targets and their name; without targets, the inputs themselves are the targets.

    The items are divided among shards, one for each of ``suffixes``. ``names`` are those of the
    files by role, in which ``{shard}`` and ``{layout}`` are the number of the shard and ``first``
    or ``last``, the place of the channels.
    """

    inputs: Array
    targets: Array | None = None
    target: str = ""
    names: Mapping[str, str] = field(
        default_factory=lambda: {role: role for role in ("inputs", "targets", "outputs")}
    )
    suffixes: Sequence[str] = (".safetensors",)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One submission. ``name`` begins the ids of its models; the first dataset is for training.

    ``network`` is the title of the models, of which the first is in ONNX: the one that the others
    are said to be equivalent to. ``file`` begins the names of their files. ``kinds`` are in every
    format, ``samples`` are further ones. ``largest_difference`` is how far a framework may be from
    float64, ``output_tolerance`` how far a runtime. ``within`` has the tolerance of the claimed
    values of each metric. ``remake`` makes the NNC bitstreams again, with the NNCodec that an
    interpreter has.
    """

    id: str
    name: str
    title: str
    description: str
    use_cases: Sequence[Mapping[str, str]]
    network: str
    network_type: str
    datasets: Sequence[Mapping[str, Json]]
    metrics: Sequence[Mapping[str, Json]]
    input: Port
    output: Port
    models: Sequence[Model]
    vectors: Callable[[], Vectors]
    output_tolerance: Mapping[str, float]
    weights: Callable[[], Tensors] | None = None
    kinds: Sequence[Kind] = ()
    samples: Callable[[], Iterable[Sample]] = tuple
    tensor_sets: Mapping[str, TensorSet] = field(default_factory=lambda: {"": TensorSet()})
    license: str = "CC-BY-4.0"
    file: str = "model"
    largest_difference: float = 1e-4
    within: Mapping[str, float] = field(default_factory=dict)
    decimals: int = 6
    remake: Callable[[str], None] | None = None

    @property
    def stem(self) -> str:
        """The beginning of the names of the files in this folder."""
        return self.id.replace("-", "_")

    @property
    def scripts(self) -> dict[str, str]:
        """The entry of a method's software that every sample has."""
        return own_scripts(self.id)

    def load_weights(self) -> Tensors:
        """Return the weights: the committed ones of this submission unless said otherwise."""
        return self.weights() if self.weights else committed_weights(self.id)

    def model_id(self, format: str) -> str:
        """Return the id of the model in ``format``, which matters only if there are several."""
        return f"{self.name}-{format}" if len(self.models) > 1 else self.name

    def set_id(self, format: str) -> str:
        """Return the id of the vector set of the model in ``format``."""
        return f"test-{format}" if len(self.models) > 1 else "test"

    def parameters(self, model: Model, weights: Tensors) -> Tensors:
        """Return the weights under the names and in the layouts of ``model``."""
        return arrange(self.tensor_sets[model.tensors].make(weights), model.name_map)


def committed_weights(id: str) -> Tensors:
    """Return the trained weights of the submission ``id``."""
    return load_file(HERE / f"{id.replace('-', '_')}_weights.safetensors")


def own_scripts(id: str) -> dict[str, str]:
    """Return how a method names the script of the submission ``id``."""
    script = f"vectors/generate/{id.replace('-', '_')}.py"
    return {"name": f"{script} of nnr-conformance", "version": "1.0.0"}


def dataset(
    source: Mapping[str, str], id: str, split: str, items: int, description: str
) -> dict[str, Json]:
    """Return the entry of a part of the data of ``source``: name, version, url and license."""
    return {"id": id, **source, "split": split, "items": items, "description": description}
