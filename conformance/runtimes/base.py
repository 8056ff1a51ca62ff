"""The parts of a network that are the same in every format, or in most."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from conformance.runtimes._protocol import Array, Change, Counts, PortInfo, Unread
from conformance.runtimes.batching import Run
from conformance.runtimes.fitting import as_stored, fit_tensors
from conformance.runtimes.roles import Inventory, MadeLate
from conformance.runtimes.running import FREE_BATCH, FunctionRunner


class StoringNetwork:
    """What every network says of its stored tensors, by its ``inventory``, and its ends.

    ``unused_fix`` says how to save the model without what its outputs do not need, if known.
    """

    inventory: Inventory
    unused_fix: str = ""

    @property
    def parameters(self) -> Mapping[str, Array]:
        """The parameters, which a sample must bring."""
        return self.inventory.parameters

    @property
    def scalars(self) -> Mapping[str, Array]:
        """The scalars, which a sample may bring, with any value."""
        return self.inventory.scalars

    @property
    def constants(self) -> Mapping[str, Array]:
        """The topology, which a sample may bring, with the values of the original."""
        return self.inventory.constants

    @property
    def aliases(self) -> Mapping[str, str]:
        """Further names of tied parameters, each with its name in ``parameters``."""
        return self.inventory.aliases

    @property
    def counts(self) -> Counts:
        """Elements of all stored tensors, by role."""
        return self.inventory.counts

    @property
    def everything(self) -> Mapping[str, Array]:
        """Every stored tensor of numbers, also those that no sample can bring."""
        return self.inventory.everything

    @property
    def topology_bytes(self) -> int:
        """Bytes of the topology that outputs depend on."""
        return self.inventory.topology_bytes

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that no output depends on."""
        return self.inventory.unused_parameters

    @property
    def unread(self) -> tuple[Unread, ...]:
        """Bytes that nothing reads, looked for when asked: most work does not need to know."""
        found = (*self.inventory.unread(), *self._unread())
        return tuple(each for each in found if each.bytes > 0)

    def _unread(self) -> Iterable[Unread]:
        """Return what nothing reads, stored tensors excluded; without entries of 0 bytes."""
        return ()

    def check_replaceable(self) -> None:
        """Raise UnsupportedError if the model has parameters that a replacement cannot reach."""
        self.inventory.check_replaceable()

    def close(self) -> None:
        """Give back what the network holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class ParameterNetwork(StoringNetwork, ABC):
    """A network that runs with any set of parameters; see :class:`conformance.runtimes.Network`.

    A format derives from it, fills in the attributes, and says in :meth:`_compute_with` how its
    library is run. The tensors of ``inventory`` are in the format's own layout.
    """

    inputs: tuple[PortInfo, ...]
    outputs: tuple[PortInfo, ...]
    versions: Mapping[str, str]
    settings: Mapping[str, str]
    unused_files: tuple[str, ...] = ()
    free_batch: int = FREE_BATCH
    """Items per run if the network prescribes no number."""
    foreign_classes: tuple[str, ...] = ()
    """Classes that the format's own loader needs and its library does not have; never used."""

    def __init__(self, file: str) -> None:
        self.file = file

    @abstractmethod
    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        """Return a function from inputs to outputs, of the network that holds ``tensors``.

        They are every parameter and, where a sample brought them, scalars, each in the type and
        shape of the network's own; None stands for the network's own. One may be made only when
        it is asked for: to ask late, and for one after the other, saves memory. What is left of an
        earlier call must not show: neither its tensors nor any state of a run.
        """

    def bind(self, replacement: Mapping[str, Array] | None = None) -> FunctionRunner:
        """Return a runner with the network's own parameters, or with all of them replaced.

        Raises ConformanceError if the replacement does not fit, UnsupportedError if the network
        cannot be run or replaced here.
        """
        if replacement is None:
            return self._runner(None)
        self.check_replaceable()
        return self._runner(
            fit_tensors(replacement, self.inventory, as_stored, element="parameters")
        )

    def bind_changed(self, change: Change) -> FunctionRunner:
        """Return a runner in which every parameter is what ``change`` makes of the network's own.

        Whatever else the graph holds stays.
        """
        own = self.parameters
        return self._runner(MadeLate(own, lambda name: change(name, own[name])))

    def _runner(self, tensors: Mapping[str, Array] | None) -> FunctionRunner:
        run = self._compute_with(tensors)
        return FunctionRunner(run, self.inputs, self.file, free_batch=self.free_batch)
