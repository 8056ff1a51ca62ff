"""A runner made of one function: what most formats need on top of their library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from conformance.runtimes._protocol import Array, PortInfo
from conformance.runtimes.batching import (
    Run,
    fixed_batch,
    no_batches,
    run_in_batches,
    takes_batches,
)
from conformance.runtimes.feeding import Feed

FREE_BATCH = 32
"""Items per run where the network prescribes no number and its intermediate shapes are unknown."""


@final
class FunctionRunner:
    """A network whose parameters are settled; see :class:`conformance.runtimes.Runner`.

    ``compute`` gets one array for every input, checked and in the input's element type, and returns
    every output. Whatever its library raises it has to turn into a ConformanceError itself.
    """

    def __init__(self, compute: Run, inputs: Sequence[PortInfo], file: str) -> None:
        self._compute = compute
        self._feed = Feed(inputs, file)
        takes = takes_batches(inputs)
        self._fixed = fixed_batch(inputs) if takes else None
        self.batch_size: int | None = (self._fixed or FREE_BATCH) if takes else None

    @property
    def casts(self) -> Mapping[str, str]:
        """Inputs that were given in another floating-point type than the network takes."""
        return dict(self._feed.casts)

    def watch(self) -> None:
        """Return None: the library computes in the types that the file says."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return every output for whole inputs; ConformanceError if an input does not fit."""
        return self._compute(self._feed.fitted(inputs))

    def run_batched(self, inputs: Mapping[str, Array], items: int) -> dict[str, Array]:
        """Return every output for ``items`` items, ``batch_size`` at a time.

        Errors as for :meth:`run`; UnsupportedError if the network cannot be run in batches.
        """
        if self.batch_size is None:
            raise no_batches()
        self._feed.check_names(inputs)
        return run_in_batches(
            self.run, inputs, items, size=self.batch_size, fixed=self._fixed is not None
        )
