"""The immutable values a valid submission is made of.

The JSON Schemas in ``schemas/`` say what is allowed; these classes only hold what was accepted.
Sequences are tuples, paths are relative to the submission folder, sizes are bytes and digests are
lower-case hexadecimal SHA-256.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from conformance.verdicts import Json

Dim = int | str | None
"""One dimension: a size, the name of a dynamic axis, or None where it is free and unnamed."""


VALUE_TOLERANCE = 1e-6
"""How far a measured metric may lie from a declared one, where that is not declared as well."""


@dataclass(frozen=True, slots=True)
class File:
    """One submitted file; ``size`` in bytes, ``sha256`` in lower-case hexadecimal."""

    rel_filepath: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a network: NumPy dtype name (or ``string``) and shape."""

    name: str
    dtype: str
    shape: tuple[Dim, ...]

    def __str__(self) -> str:
        """Write the port as people do: ``x: float32[N, 1, 8, 8]``."""
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name}: {self.dtype}[{sizes}]"


@dataclass(frozen=True, slots=True)
class UseCase:
    """A use case the networks are meant for; the id is a free string."""

    id: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A reference to training or test data (Call, Required test data, items 2 and 3).

    ``items`` is None where nobody published the number, or nothing was trained.
    """

    id: str
    name: str
    version: str
    license: str
    split: str
    items: int | None
    description: str = ""
    url: str | None = None
    doi: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A declared metric value; ``tolerance`` is how far a measured value may lie from it."""

    metric: str
    vectors: str
    value: float
    tolerance: float


@dataclass(frozen=True, slots=True)
class Model:
    """An original, uncompressed network; ``files[0]`` is the one its runtime opens."""

    id: str
    title: str
    format: str
    network_type: str
    files: tuple[File, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameter_count: int
    use_cases: tuple[str, ...]
    training_data: tuple[str, ...]
    test_data: tuple[str, ...]
    metric_values: tuple[MetricValue, ...]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much worse than the original's a metric may be.

    ``bound`` is in units of the metric (``absolute``) or a fraction of the original's value
    (``relative``). A loss equal to the bound passes if ``inclusive``. ``upper_bound``, in the same
    units, limits improvement as well. With ``confidence`` (0..1) a loss whose interval at that
    level straddles the bound is undecided.
    """

    type: Literal["absolute", "relative"]
    bound: float
    inclusive: bool = True
    upper_bound: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A proposed metric (Call, Required test data, item 4).

    ``bindings`` maps the roles of the metric kind (``prediction``, ``target``, ...) to names of
    outputs and targets. ``against`` says what outputs are compared with: the targets of the
    vectors, or the outputs of the original.
    """

    id: str
    kind: str
    description: str
    direction: Literal["higher", "lower"]
    tolerance: Tolerance
    args: Mapping[str, Json] = field(default_factory=dict)
    bindings: Mapping[str, str] = field(default_factory=dict)
    against: Literal["targets", "original"] = "targets"


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of the reference vectors: ``items`` items, and the files that hold them."""

    items: int
    inputs: tuple[File, ...]
    targets: tuple[File, ...]
    outputs: tuple[File, ...]


@dataclass(frozen=True, slots=True)
class OutputTolerance:
    """How closely the original must reproduce its declared outputs: |a-b| <= atol + rtol*|b|."""

    atol: float
    rtol: float


@dataclass(frozen=True, slots=True)
class Counterpart:
    """An array, and the one of another vector set that it equals once its axes are reordered."""

    name: str
    of: str
    transpose: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Equivalence:
    """The vector set of a different model that is the same network in a different format.

    Arrays that ``inputs`` and ``outputs`` do not name have the same name and layout there.
    """

    vectors: str
    inputs: tuple[Counterpart, ...]
    outputs: tuple[Counterpart, ...]


@dataclass(frozen=True, slots=True)
class VectorSet:
    """Reference vectors of one model.

    If ``batched``, axis 0 of every array counts items and the tool chooses the batch size; if not,
    each shard is one run of the network on whole arrays.
    """

    id: str
    model: str
    dataset: str
    batched: bool
    shards: tuple[Shard, ...]
    output_tolerance: OutputTolerance
    equivalent_to: Equivalence | None = None

    @property
    def items(self) -> int:
        """Items in all shards."""
        return sum(shard.items for shard in self.shards)


@dataclass(frozen=True, slots=True)
class Software:
    """A program used to make a sample."""

    name: str
    version: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """The compression methods applied to a sample (Call, Required test data, item 5)."""

    summary: str
    parameter_reduction: tuple[str, ...]
    quantisation: tuple[str, ...]
    entropy_coding: tuple[str, ...]
    retraining: bool
    software: tuple[Software, ...]


@dataclass(frozen=True, slots=True)
class MetricUse:
    """A metric a sample is judged by, on one vector set, with the tolerance that holds there."""

    metric: str
    vectors: str
    tolerance: Tolerance


@dataclass(frozen=True, slots=True)
class Claims:
    """What the submitter says about a sample, to be compared with what is measured."""

    compressed_size: int
    compression_factor: float | None
    compressed_percent: float | None
    metric_values: tuple[MetricValue, ...]
    tensor_digests: Mapping[str, str]
    cumulative_size: int | None = None
    random_access: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """Indices ``begin`` to ``end`` (not included) of an axis."""

    axis: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class GatePermutation:
    """Equal blocks along an axis, one per letter, in the order ``source``, wanted in ``target``."""

    axis: int
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Combination:
    """How several tensors become one; ``axis`` is that of a concatenation."""

    how: Literal["concatenate", "add"]
    axis: int


@dataclass(frozen=True, slots=True)
class Padding:
    """Zeros before and after the values along an axis."""

    axis: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class NameMapping:
    """How tensors of a sample become a parameter of the model.

    What is not None is applied to each tensor in the order of the fields; then the tensors are
    combined, and the whole is padded.
    """

    sample: tuple[str, ...]
    model: str
    slice: Slice | None = None
    permute_gates: GatePermutation | None = None
    transpose: tuple[int, ...] | None = None
    reshape: tuple[int, ...] | None = None
    combine: Combination | None = None
    pad: Padding | None = None

    @property
    def is_renaming(self) -> bool:
        """Whether the tensor is the parameter as it is, but for its name."""
        changes = (self.slice, self.permute_gates, self.transpose, self.reshape, self.pad)
        return len(self.sample) == 1 and all(change is None for change in changes)


@dataclass(frozen=True, slots=True)
class UpdateOf:
    """What a sample is an update of: another sample, or with ``sample`` None the original.

    ``contexts_of`` is the sample whose decoder state is carried on; None is the parent.
    """

    sample: str | None
    contexts_of: str | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """An update that is merged with others, and its weight."""

    sample: str
    weight: float


@dataclass(frozen=True, slots=True)
class LayerClaims:
    """What the submitter says about a layer; sizes in bytes."""

    size: int
    cumulative_size: int
    metric_values: tuple[MetricValue, ...]


Mode = Literal["whole", "add", "replace"]
"""How tensors become parameters: as they are, added to what was there, or in its place."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sample that is decoded by itself, upon what the pieces before it gave.

    ``units`` are ranges (first, last) of NNR units; empty stands for whole files. ``withheld`` are
    those of later layers, which whoever decodes this one does not have.
    """

    files: tuple[File, ...]
    units: tuple[tuple[int, int], ...]
    mode: Mode
    params: Mapping[str, Json]
    name_map: tuple[NameMapping, ...]
    withheld: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a scalable sample; ``part`` is what it consists of."""

    id: str
    title: str
    part: Part
    claims: LayerClaims

    @property
    def mode(self) -> Mode:
        """How its tensors join those of the layers before it."""
        return self.part.mode


@dataclass(frozen=True, slots=True)
class Sample:
    """A compressed network.

    An update, a merge of updates and a scalable sample say so in ``update_of``, ``merge_of`` and
    ``layers``; a sample is at most one of them. ``dtype`` is the narrow floating-point type that
    decoded numbers are rounded to for parameters of that type.
    """

    id: str
    model: str
    title: str
    codec: str
    codec_params: Mapping[str, Json]
    files: tuple[File, ...]
    lossless: bool
    method: Method
    features: tuple[str, ...]
    metrics: tuple[MetricUse, ...]
    claims: Claims
    name_map: tuple[NameMapping, ...]
    family: str = ""
    update_of: UpdateOf | None = None
    merge_of: tuple[Branch, ...] = ()
    same_tensors_as: str | None = None
    layers: tuple[Layer, ...] = ()
    dtype: str | None = None
    parts: tuple[Part, ...] = field(init=False, repr=False, compare=False)
    """What is decoded one after the other: layers, the bitstreams of an update, or the whole.

    A merge has one part without files.
    """

    def __post_init__(self) -> None:
        # Looked up for every step of a chain: to build them then would be quadratic in steps.
        object.__setattr__(self, "parts", tuple(self._each_part()))

    def _each_part(self) -> Iterator[Part]:
        if self.layers:
            yield from (layer.part for layer in self.layers)
        elif self.update_of is None:
            yield Part(self.files, (), "whole", self.codec_params, self.name_map)
        else:
            for file in self.files:
                yield Part((file,), (), "add", self.codec_params, self.name_map)

    @property
    def size(self) -> int:
        """Bytes of all its files: the compressed size."""
        return sum(file.size for file in self.files)

    @property
    def is_derived(self) -> bool:
        """Whether it needs another sample or the original to be a network."""
        return self.update_of is not None or bool(self.merge_of)


@dataclass(frozen=True, slots=True)
class Submission:
    """A whole, valid submission; ``root`` is the folder it was read from."""

    root: Path
    schema_version: str
    id: str
    title: str
    description: str
    contributor: str
    mdms_number: str | None
    conforms_to: tuple[str, ...]
    license: str
    version: str
    published: bool
    use_cases: tuple[UseCase, ...]
    models: tuple[Model, ...]
    datasets: tuple[Dataset, ...]
    metrics: tuple[Metric, ...]
    vectors: tuple[VectorSet, ...]
    samples: tuple[Sample, ...]
    associated_files: tuple[File, ...]
    _by_id: Mapping[tuple[type, str], Model | Sample | VectorSet | Metric] = field(
        init=False, repr=False, compare=False
    )
    _used: Mapping[tuple[str, str], frozenset[str]] = field(init=False, repr=False, compare=False)
    _equalled: frozenset[str] = field(init=False, repr=False, compare=False)
    _places: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Looked up for every case: to search then would be quadratic in samples.
        listed: tuple[Model | Sample | VectorSet | Metric, ...]
        listed = (*self.models, *self.samples, *self.vectors, *self.metrics)
        object.__setattr__(self, "_by_id", {(type(each), each.id): each for each in listed})
        object.__setattr__(self, "_used", _used_metrics(self.models, self.samples))
        equalled = frozenset(s.same_tensors_as for s in self.samples if s.same_tensors_as)
        object.__setattr__(self, "_equalled", equalled)
        places = {sample.id: place for place, sample in enumerate(self.samples)}
        object.__setattr__(self, "_places", places)

    def model(self, id: str) -> Model:
        """Return the model with this id."""
        return cast("Model", self._by_id[Model, id])

    def sample(self, id: str) -> Sample:
        """Return the sample with this id."""
        return cast("Sample", self._by_id[Sample, id])

    def vector_set(self, id: str) -> VectorSet:
        """Return the vector set with this id."""
        return cast("VectorSet", self._by_id[VectorSet, id])

    def metric(self, id: str) -> Metric:
        """Return the metric with this id."""
        return cast("Metric", self._by_id[Metric, id])

    def metrics_on(self, vectors: str, model: Model) -> tuple[Metric, ...]:
        """Return what anything declares, claims or demands for ``model`` on a vector set."""
        used = self._used.get((model.id, vectors), frozenset())
        return tuple(metric for metric in self.metrics if metric.id in used)

    def place_of(self, sample: Sample) -> int:
        """Return the place in the metadata of the sample with the id of this one."""
        return self._places[sample.id]

    def is_compared(self, sample: Sample) -> bool:
        """Return whether this sample or another one says that both have the same tensors."""
        return sample.same_tensors_as is not None or sample.id in self._equalled


def _used_metrics(
    models: Iterable[Model], samples: Iterable[Sample]
) -> Mapping[tuple[str, str], frozenset[str]]:
    """Return the ids of metrics by model and vector set."""
    used: dict[tuple[str, str], set[str]] = defaultdict(set)
    for model in models:
        for value in model.metric_values:
            used[model.id, value.vectors].add(value.metric)
    for sample in samples:
        named: list[MetricUse | MetricValue]
        named = [*sample.metrics, *sample.claims.metric_values]
        named += [value for layer in sample.layers for value in layer.claims.metric_values]
        for each in named:
            used[sample.model, each.vectors].add(each.metric)
    return {key: frozenset(ids) for key, ids in used.items()}
