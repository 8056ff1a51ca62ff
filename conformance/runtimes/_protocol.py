"""What every runtime offers: the values and protocols the evaluation works with.

A :class:`Runtime` opens a :class:`ModelSource` as a :class:`Network`; binding parameters to the
network gives a :class:`Runner`, which computes outputs from inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
"""An array of any element type."""

Change: TypeAlias = Callable[[str, Array], Array]
"""Takes the name and the values of a parameter; returns others of the same type and shape."""

Dim: TypeAlias = int | str | None
"""One dimension: a size, the name of a dynamic axis, or None where it is free and unnamed."""

ANY_SHAPE: tuple[Dim, ...] = ("...",)
"""The shape of a port whose model file gives neither sizes nor their number (TorchScript)."""

ANY_DTYPE = "any"
"""The element type of a port whose model file does not give it."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The files of one model.

    ``files[0]`` is opened; any other file it refers to must be among ``files`` and inside
    ``root``. ``display`` names the files in messages, in the same order. ``limit_bytes`` bounds
    what the parameters together, and the graph without them, may take in memory.
    """

    files: tuple[Path, ...]
    display: tuple[str, ...]
    root: Path
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class PortInfo:
    """An input or output of a network.

    ``dtype`` is a NumPy name, or ``string``. The shape of an output that the model file does not
    give is ``()``. A format that says nothing about its tensors gives ``ANY_DTYPE`` and
    ``ANY_SHAPE``: what the submission declares is then compared with the arrays of its vectors and
    of each run.
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Elements of a network's stored tensors, by role (see :mod:`conformance.runtimes.roles`).

    ``unused`` are those of parameters that no output depends on; ``parameters`` the others.
    """

    parameters: int
    scalars: int = 0
    topology: int = 0
    unused: int = 0


@dataclass(frozen=True, slots=True)
class Description:
    """What a model file says about itself; ``external_files`` are relative to its folder."""

    inputs: tuple[PortInfo, ...]
    outputs: tuple[PortInfo, ...]
    parameter_count: int
    external_files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """Bytes of a model's files that neither its outputs nor its loader need.

    ``file`` is as displayed, ``piece`` says what they are and where. Graph, code and what a
    container needs (headers, directories, alignment) are not among them, and neither are
    parameters that no output depends on: these have their own names. ``fix`` says how to remove
    them, where that is no more than a line.
    """

    file: str
    piece: str
    bytes: int
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Overflow:
    """A value that is finite in float32 and becomes infinite in the ``type`` the file says.

    ``tensor`` is what ``operator`` writes, at ``place`` in the graph; ``value`` is the largest
    magnitude on the first ``item`` that shows it. ``item`` is None where only the items of a batch
    together do.
    """

    tensor: str
    operator: str
    place: str
    type: str
    item: int | None
    value: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What a watch found on ``items`` items, in ``tensors`` of 16 bits that operators write.

    ``unreached`` says in words which parts of the network could not be watched.
    """

    tensors: int
    items: int
    overflows: tuple[Overflow, ...]
    unreached: tuple[str, ...]


class Watch(Protocol):
    """Looks at float16 and bfloat16 where a library computes them in a wider type."""

    def add(
        self, inputs: Mapping[str, Array], items: int | None, outputs: Mapping[str, Array]
    ) -> None:
        """Take in a shard, which is one run if ``items`` is None, and the network's own outputs."""

    def result(self) -> Watched:
        """Return what was found in all shards."""


class Runner(Protocol):
    """A network whose parameters are settled, ready to run."""

    @property
    def batch_size(self) -> int | None:
        """Items per run, the same on every machine; None if the network takes no batches."""

    @property
    def casts(self) -> Mapping[str, str]:
        """Inputs given in another floating-point type: name to ``"float32 -> float16"``."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return every output for whole inputs, in one run."""

    def run_batched(self, inputs: Mapping[str, Array], items: int) -> dict[str, Array]:
        """Return every output for inputs whose axis 0 counts ``items`` items, batch by batch."""

    def watch(self) -> Watch | None:
        """Return a watch for overflows, or None if the library computes in the file's types."""


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """Outputs on some items, by name: the runtime's, and those of another implementation."""

    items: int
    outputs: Mapping[str, tuple[Array, Array]]


@runtime_checkable
class Referenced(Protocol):
    """A runner whose format has a second implementation, which decides nothing."""

    def by_reference(self, inputs: Mapping[str, Array], items: int | None) -> SecondOpinion | str:
        """Return the outputs on the first items, or in words why it was not asked.

        ``inputs`` are those of a shard, which is one run if ``items`` is None.
        """


class Network(Protocol):
    """An opened model; a context manager that closes its files."""

    @property
    def inputs(self) -> tuple[PortInfo, ...]:
        """The inputs, in the model's order."""

    @property
    def outputs(self) -> tuple[PortInfo, ...]:
        """The outputs, in the model's order."""

    @property
    def parameters(self) -> Mapping[str, Array]:
        """The parameters, which a sample must bring, each read when it is asked for."""

    @property
    def scalars(self) -> Mapping[str, Array]:
        """The scalars: a sample may bring them, with any value."""

    @property
    def constants(self) -> Mapping[str, Array]:
        """The topology: a sample may bring it, with the values of the original."""

    @property
    def aliases(self) -> Mapping[str, str]:
        """Further names of tied parameters, each with its name in ``parameters``."""

    @property
    def counts(self) -> Counts:
        """Elements of all stored tensors, by role."""

    @property
    def everything(self) -> Mapping[str, Array]:
        """Every stored tensor of numbers, also those that no sample can bring."""

    @property
    def topology_bytes(self) -> int:
        """Bytes of the topology that outputs depend on."""

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that no output depends on."""

    @property
    def unused_fix(self) -> str:
        """How to save the model without what its outputs do not need; empty if not known."""

    @property
    def unused_files(self) -> tuple[str, ...]:
        """The listed files, as displayed, that the network is not made of."""

    @property
    def unread(self) -> Sequence[Unread]:
        """Documentation, metadata, examples, unaccounted bytes and the like: nothing reads it."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the libraries that compute."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that outputs may depend on."""

    def check_replaceable(self) -> None:
        """Raise UnsupportedError if the model has parameters that a replacement cannot reach."""

    def bind(self, replacement: Mapping[str, Array] | None = None) -> Runner:
        """Return a runner with the network's own parameters, or with all of them replaced.

        Scalars are replaced where the replacement has them; topology in it must be equal.

        Raises ConformanceError if the replacement does not fit, MalformedError for a graph that
        is not valid, UnsupportedError for one that cannot be run or replaced here.
        """

    def bind_changed(self, change: Change) -> Runner:
        """Return a runner in which every parameter is what ``change`` makes of the network's own.

        Whatever else the graph holds stays. Parameters are changed one after the other: memory is
        needed for those of the runner, and additionally for the largest of them.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class Runtime(Protocol):
    """A model format; instances hold no state."""

    runtime_id: ClassVar[str]

    def open(self, source: ModelSource) -> Network:
        """Read everything but the parameters; MalformedError, LimitError or UnsupportedError."""

    def describe(self, path: Path) -> Description:
        """Return what the model file at ``path`` says about itself; errors as for ``open``."""


@runtime_checkable
class SlowRuntime(Runtime, Protocol):
    """A model format whose library takes seconds to import; registered in the group of its kind."""

    def import_libraries(self) -> None:
        """Import what it computes with, in a process that is then forked: no thread may start."""
