"""Running a session: fitted inputs in, plain arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
import onnxruntime

from conformance.runtimes._protocol import Array, PortInfo, SecondOpinion
from conformance.runtimes.batching import (
    batches,
    fixed_batch,
    no_batches,
    run_in_batches,
    takes_batches,
)
from conformance.runtimes.feeding import Feed
from conformance.runtimes.onnx.faults import FAULTS, failed_run
from conformance.runtimes.onnx.half_watch import HalfWatch
from conformance.runtimes.onnx.reference import REFERENCE_ITEMS, reference_outputs
from conformance.runtimes.onnx.skeleton import Skeleton


@final
class OnnxRunner:
    """A network with its parameters settled; see :class:`conformance.runtimes.Runner`."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        skeleton: Skeleton,
        inputs: tuple[PortInfo, ...],
        batch_size: int | None,
        file: str,
        *,
        writes_half: bool,
    ) -> None:
        self._session = session
        self._skeleton = skeleton  # the session reads its buffers in place
        self._writes_half = writes_half
        self._feed = Feed(inputs, file)
        self._fixed = takes_batches(inputs) and fixed_batch(inputs) is not None
        self._file = file
        self.batch_size = batch_size

    @property
    def casts(self) -> Mapping[str, str]:
        """Inputs that were given in another floating-point type than the network takes."""
        return dict(self._feed.casts)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return every output for whole inputs, in one run.

        Strings come back as NumPy strings. Raises ConformanceError if an input does not fit the
        network's, or if the run fails.
        """
        feeds = self._feed.fitted(inputs)
        names = [output.name for output in self._session.get_outputs()]
        try:
            outputs = self._session.run(names, feeds)
        except FAULTS as error:
            raise failed_run(error, self._file) from error
        return {name: _without_objects(array) for name, array in zip(names, outputs, strict=True)}

    def run_batched(self, inputs: Mapping[str, Array], items: int) -> dict[str, Array]:
        """Return every output for ``items`` items, ``batch_size`` at a time.

        Errors as for :meth:`run`; UnsupportedError if the network cannot be run in batches.
        """
        if self.batch_size is None:
            raise no_batches()
        self._feed.check_names(inputs)
        return run_in_batches(self.run, inputs, items, size=self.batch_size, fixed=self._fixed)

    def watch(self) -> HalfWatch | None:
        """Return a watch for overflows of 16-bit types, if the network has any."""
        if not self._writes_half:
            return None
        return HalfWatch(self._skeleton, self._feed, self.batch_size, fixed=self._fixed)

    def by_reference(self, inputs: Mapping[str, Array], items: int | None) -> SecondOpinion | str:
        """Return outputs on the first items by ``onnx.reference`` too, or why it was not asked.

        A batch that the network prescribes is filled up.
        """
        count = 1
        if items is not None and self.batch_size is not None:
            size = self.batch_size if self._fixed else REFERENCE_ITEMS
            first = min(items, size, REFERENCE_ITEMS)
            inputs = {name: array[:first] for name, array in inputs.items()}
            inputs, count = next(batches(inputs, first, size, fixed=self._fixed))
        second = reference_outputs(self._skeleton, self._feed.fitted(inputs))
        if isinstance(second, str):
            return second
        outputs = {name: (array, second[name]) for name, array in self.run(inputs).items()}
        return SecondOpinion(count, outputs)


def _without_objects(array: Array) -> Array:
    return array.astype(np.str_) if array.dtype == np.dtype(object) else array
