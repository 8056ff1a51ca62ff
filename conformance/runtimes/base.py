"""The part of a network that is the same in every format whose parameters are read into arrays."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import numpy as np

from conformance.runtimes._protocol import Array, PortInfo
from conformance.runtimes.batching import Run
from conformance.runtimes.fitting import Slot, as_stored, fit_tensors
from conformance.runtimes.running import FunctionRunner


class ParameterNetwork(ABC):
    """A network that runs with any set of parameters; see :class:`conformance.runtimes.Network`.

    A format derives from it, fills in the attributes, and says in :meth:`_compute_with` how its
    library is run. ``parameters`` are by name, in the format's own layout.
    """

    inputs: tuple[PortInfo, ...]
    outputs: tuple[PortInfo, ...]
    parameters: Mapping[str, Array]
    versions: Mapping[str, str]
    settings: Mapping[str, str]
    constants: Mapping[str, Array]
    """Stored tensors that belong to the graph (shapes, axes): a sample may bring them."""

    unused_parameters: tuple[str, ...] = ()
    unused_files: tuple[str, ...] = ()
    foreign_classes: tuple[str, ...] = ()
    """Classes that the format's own loader needs and its library does not have; never used."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.constants = {}

    @abstractmethod
    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        """Return a function from inputs to outputs, of the network that holds ``tensors``.

        They are every parameter and, where a sample brought them, constants, each in the type and
        shape of the network's own; None stands for the network's own. What is left of an earlier
        call must not show: neither its tensors nor any state of a run.
        """

    @property
    def parameter_count(self) -> int:
        """Elements of all parameters."""
        return sum(math.prod(array.shape) for array in self.parameters.values())

    @property
    def topology_constants(self) -> tuple[str, ...]:
        """Names of stored tensors that are part of the graph, not parameters."""
        return tuple(self.constants)

    def check_replaceable(self) -> None:  # noqa: B027 - most formats can replace every parameter
        """Raise UnsupportedError if the model has parameters that a replacement cannot reach."""

    def bind(self, replacement: Mapping[str, Array] | None = None) -> FunctionRunner:
        """Return a runner with the network's own parameters, or with all of them replaced.

        Raises ConformanceError if the replacement does not fit, UnsupportedError if the network
        cannot be run or replaced here.
        """
        if replacement is None:
            return self._runner(None)
        self.check_replaceable()
        fitted = fit_tensors(
            replacement,
            _slots(self.parameters),
            _slots(self.constants),
            as_stored,
            file=self.file,
            element="parameters",
        )
        return self._runner(fitted)

    def bind_empty(self) -> FunctionRunner:
        """Return a runner with every parameter zero, whatever else the graph holds."""
        zeros = {n: np.zeros(a.shape, a.dtype) for n, a in self.parameters.items()}
        return self._runner(zeros)

    def close(self) -> None:  # noqa: B027 - most formats keep no file open
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

    def _runner(self, tensors: Mapping[str, Array] | None) -> FunctionRunner:
        return FunctionRunner(self._compute_with(tensors), self.inputs, self.file)


def _slots(arrays: Mapping[str, Array]) -> Sequence[Slot]:
    return [Slot(name, array.dtype, array.shape) for name, array in arrays.items()]
