"""LiteRT's interpreter with the settings that verdicts are computed under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np

from conformance.runtimes._protocol import Array, PortInfo
from conformance.runtimes.libraries import library
from conformance.runtimes.tflite.faults import FAULTS, failed_run, refused_model
from conformance.runtimes.tflite.model import Model
from conformance.runtimes.tflite.ports import Ports

RESOLVER = "BUILTIN_WITHOUT_DEFAULT_DELEGATES"

SETTINGS: Mapping[str, str] = {
    "op_resolver_type": RESOLVER,
    "delegates": "none",
    "num_threads": "1",
    "reset_all_variables": "before each run",
}
"""Everything that differs from LiteRT's defaults, or that outputs may depend on."""


@final
class Session:
    """An interpreter of one model file, which may be deleted once this is made."""

    def __init__(self, path: str, model: Model, inputs: Ports, outputs: Ports, file: str) -> None:
        """Load ``path``; ``model`` and ``file`` are for messages about it.

        Raises NotRunError without LiteRT, UnsupportedError for an operator that it cannot run.
        """
        module = library("ai_edge_litert.interpreter", "tflite", "tflite")
        self._model, self._file = model, file
        self._inputs, self._outputs = inputs, outputs
        self._shapes: dict[str, tuple[int, ...]] = {}
        try:
            self._interpreter: Any = module.Interpreter(
                model_path=path,
                num_threads=1,
                # The default delegate, XNNPACK, chooses its kernels by the CPU at hand, and so
                # their rounding.
                experimental_op_resolver_type=module.OpResolverType[RESOLVER],
            )
        except FAULTS as error:
            raise refused_model(error, model, file) from error

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return every output for inputs that fit their ports; errors as ConformanceError."""
        self._shape(inputs)
        try:
            self._interpreter.reset_all_variables()
            for port, index in _pairs(self._inputs):
                self._interpreter.set_tensor(index, inputs[port.name])
            self._interpreter.invoke()
            # The interpreter gives a scalar of NumPy for a tensor of rank 0.
            return {
                port.name: np.asarray(self._interpreter.get_tensor(index))
                for port, index in _pairs(self._outputs)
            }
        except FAULTS as error:
            raise failed_run(error, self._model, self._file) from error

    def _shape(self, inputs: Mapping[str, Array]) -> None:
        """Plan memory for inputs of these shapes, if the run before had different ones."""
        shapes = {name: array.shape for name, array in inputs.items()}
        if shapes == self._shapes:
            return
        try:
            for port, index in _pairs(self._inputs):
                self._interpreter.resize_tensor_input(index, shapes[port.name], strict=True)
            self._interpreter.allocate_tensors()
        except FAULTS as error:
            self._shapes = {}
            raise refused_model(error, self._model, self._file) from error
        self._shapes = shapes


def _pairs(ports: Ports) -> Sequence[tuple[PortInfo, int]]:
    return list(zip(ports.infos, ports.tensors, strict=True))
