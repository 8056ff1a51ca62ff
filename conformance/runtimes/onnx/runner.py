"""Running a session: inputs checked and fitted, outputs as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
import onnxruntime

from conformance.runtimes._protocol import Array, Dim, PortInfo
from conformance.runtimes.batching import no_batches, run_in_batches
from conformance.runtimes.onnx.batch_size import fixed_batch
from conformance.runtimes.onnx.faults import FAULTS, failed_run
from conformance.runtimes.onnx.skeleton import Skeleton
from conformance.verdicts import ConformanceError, Location


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
    ) -> None:
        self._session = session
        self._buffers = skeleton.buffers  # the session reads them in place
        self._inputs = inputs
        self._file = file
        self._casts: dict[str, str] = {}
        self.batch_size = batch_size

    @property
    def casts(self) -> Mapping[str, str]:
        """Inputs that were given in another floating-point type than the network takes."""
        return dict(self._casts)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return every output for whole inputs, in one run.

        Strings come back as NumPy strings. Raises ConformanceError if an input does not fit the
        network's, or if the run fails.
        """
        self._check_names(inputs)
        feeds = {port.name: self._fitted(port, inputs[port.name]) for port in self._inputs}
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
        self._check_names(inputs)
        fixed = fixed_batch(self._inputs) is not None
        return run_in_batches(self.run, inputs, items, size=self.batch_size, fixed=fixed)

    def _check_names(self, inputs: Mapping[str, Array]) -> None:
        wanted = [port.name for port in self._inputs]
        if set(wanted) != set(inputs):
            raise ConformanceError(
                "the inputs given are not those of the network",
                where=Location(file=self._file, element="graph.input"),
                expected=", ".join(wanted),
                found=", ".join(inputs) or "none",
                mend="Name the tensors of the input files after the network's inputs.",
            )

    def _fitted(self, port: PortInfo, array: Array) -> Array:
        """Return ``array`` in the element type of the input, if it fits."""
        given = "string" if array.dtype.kind in "USO" else array.dtype.name
        floating = _is_float(given) and _is_float(port.dtype)
        if not _matches(array.shape, port.shape) or not (given == port.dtype or floating):
            raise self._misfit(port, given, array)
        if port.dtype == "string":
            return array.astype(object)
        if given != port.dtype:
            self._casts[port.name] = f"{given} -> {port.dtype}"
        return np.ascontiguousarray(array, dtype=np.dtype(port.dtype)).reshape(array.shape)

    def _misfit(self, port: PortInfo, given: str, array: Array) -> ConformanceError:
        return ConformanceError(
            f"input {port.name!r} does not fit the network",
            where=Location(file=self._file, element=port.name),
            expected=f"{port.dtype} of shape {_shown(port.shape)}",
            found=f"{given} of shape {_shown(array.shape)}",
            mend="Correct the input files of the vectors, or the shape the model declares.",
        )


def _is_float(name: str) -> bool:
    return name in {"float16", "bfloat16", "float32", "float64"}


def _matches(shape: tuple[int, ...], wanted: tuple[Dim, ...]) -> bool:
    if len(shape) != len(wanted):
        return False
    return all(not isinstance(w, int) or w == s for s, w in zip(shape, wanted, strict=True))


def _shown(shape: tuple[Dim, ...]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def _without_objects(array: Array) -> Array:
    return array.astype(np.str_) if array.dtype == np.dtype(object) else array
