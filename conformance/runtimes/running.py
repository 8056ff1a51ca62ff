"""A runner made of one function: what most formats need on top of their library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import final

from conformance.runtimes._protocol import Array, PortInfo, Watch
from conformance.runtimes.batching import (
    Run,
    batch_size,
    fixed_batch,
    no_batches,
    run_in_batches,
)
from conformance.runtimes.feeding import Feed

FREE_BATCH = 32
"""Items per run where the network prescribes no number and its intermediate shapes are unknown."""

DYNAMIC_BATCH = 1
"""Items per run where the ranges of activations are taken from the batch: it depends on no other.
"""


@final
class FunctionRunner:
    """A network whose parameters are settled; see :class:`conformance.runtimes.Runner`.

    ``compute`` gets one array for every input, checked and in the input's element type, and returns
    every output. Whatever its library raises it must turn into a ConformanceError itself.
    ``free_batch`` is the batch size of a network that prescribes none; ``watch`` makes a watch
    where the library does not compute in the types that the file says.
    """

    def __init__(
        self,
        compute: Run,
        inputs: Sequence[PortInfo],
        file: str,
        *,
        free_batch: int = FREE_BATCH,
        watch: Callable[[], Watch | None] = lambda: None,
    ) -> None:
        self._compute = compute
        self._watch = watch
        self._feed = Feed(inputs, file)
        self.batch_size: int | None = batch_size(inputs, free_batch)
        self._fixed = self.batch_size is not None and fixed_batch(inputs) is not None

    @property
    def casts(self) -> Mapping[str, str]:
        """Inputs that were given in another floating-point type than the network takes."""
        return dict(self._feed.casts)

    def watch(self) -> Watch | None:
        """Return a watch for overflows, or None if the library computes in the file's types."""
        return self._watch()

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
        return run_in_batches(self.run, inputs, items, size=self.batch_size, fixed=self._fixed)
