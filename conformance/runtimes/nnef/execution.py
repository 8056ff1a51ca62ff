"""Running a graph by the PyTorch interpreter of nnef_tools: one thread, no gradients, no state."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from conformance.runtimes._protocol import Array, PortInfo
from conformance.runtimes.faults import as_error, cannot_run, too_large
from conformance.runtimes.nnef.libraries import imported
from conformance.runtimes.nnef.operator_fixes import fixed_operators
from conformance.runtimes.nnef.supported import DECLARATIONS, interpreter_operators
from conformance.runtimes.nnef.text.document import Document, outputs_of
from conformance.verdicts import Location, UnsupportedError

SETTINGS: Mapping[str, str] = {
    "device": "cpu",
    "threads": "1",
    "mode": "inference",
    "deterministic_algorithms": "on",
    "interpreter": "nnef_tools.interpreter.pytorch",
    "element types": "scalar: float32, integer: int64, logical: bool",
}
"""What outputs may depend on."""

_FAULTS = (
    *(RuntimeError, AssertionError, TypeError, ValueError, LookupError),
    *(ArithmeticError, AttributeError, NotImplementedError),
)
_CANNOT_RUN = cannot_run("nnef_tools")
_UNKNOWN = replace(
    _CANNOT_RUN,
    fix=f"{_CANNOT_RUN.fix} What its interpreter does not know can be written in another way.",
)
_FAILURES = (
    too_large("can't allocate memory", "not enough memory", "bad_alloc", "out of memory"),
    # The interpreter asserts where it implements less than NNEF defines.
    replace(_UNKNOWN, kind=UnsupportedError, signs=(AssertionError,)),
    _UNKNOWN,
)
_MOST_TEXT = 300


class Computation:
    """A graph with the values of its variables, ready to run.

    ``values`` are by the name of the tensor, and are copied. Raises ConformanceError if the
    interpreter does not take the graph, LimitError if there is not memory enough.
    """

    def __init__(
        self,
        graph: Any,
        document: Document,
        values: Mapping[str, Array],
        outputs: tuple[PortInfo, ...],
    ) -> None:
        self._document = document
        self._outputs = outputs
        self._steps = [
            (operation.name, outputs_of(operation))
            for operation in graph.operations
            if operation.name not in DECLARATIONS
        ]
        self._shapes = {name: tuple(tensor.shape) for name, tensor in graph.tensors.items()}
        self._inputs = tuple(graph.inputs)
        self._torch = imported("torch")
        with self._settled(None):
            self._module = self._interpreter(graph, values)

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return every output.

        Raises UnsupportedError for what the interpreter does not implement, LimitError if there is
        not memory enough, ConformanceError for any other fault of an operation.
        """
        done: set[str] = set()
        self._module.activation_callback = partial(self._follow, done)
        with self._settled(done):
            tensors = [self._torch.tensor(inputs[name]) for name in self._inputs]
            made = [np.array(tensor.numpy()) for tensor in self._module(*tensors)]
        outputs = {port.name: array for port, array in zip(self._outputs, made, strict=True)}
        for port in self._outputs:
            self._check(port, outputs[port.name])
        return outputs

    def _follow(self, done: set[str], name: str, tensor: Any) -> None:
        """Note that a tensor is made; UnsupportedError if it has a different shape than NNEF says.

        The next operations might broadcast a wrong shape, and nobody would notice.
        """
        wanted = self._shapes.get(name)
        if wanted is not None and tuple(tensor.shape) != wanted:
            raise UnsupportedError(
                f"the interpreter computes a different shape for the tensor {name!r}",
                where=self._place(done),
                expected=str(list(wanted)),
                found=str(list(tensor.shape)),
                fix="Write the network with other operations.",
            )
        done.add(name)

    def _interpreter(self, graph: Any, values: Mapping[str, Array]) -> Any:
        """Return the interpreter's module, which holds the only copy of ``values``."""
        tensors = dict(graph.tensors)
        for name, array in values.items():
            tensors[name] = tensors[name]._replace(data=array)
        operators = fixed_operators(self._torch, interpreter_operators())
        interpreter = imported("nnef_tools.interpreter.pytorch")
        module = interpreter.NNEFModule(graph._replace(tensors=tensors), custom_operators=operators)
        for tensor in module._nnef_graph.tensors:
            tensor.data = None
        return module.requires_grad_(False).eval()

    def _check(self, port: PortInfo, array: Array) -> None:
        if array.shape != port.shape or array.dtype.name != port.dtype:
            raise UnsupportedError(
                f"the interpreter computes a different shape or type for output {port.name!r}",
                where=self._document.file.where(port.name),
                expected=f"{port.dtype} of shape {list(port.shape)}",
                found=f"{array.dtype.name} of shape {list(array.shape)}",
                fix="Write the network with other operations.",
            )

    @contextmanager
    def _settled(self, done: set[str] | None) -> Iterator[None]:
        """Run with the settings above, and say faults as a ConformanceError."""
        torch = self._torch
        threads, exact = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            with torch.inference_mode(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except _FAULTS as error:
            text = " ".join(str(error).split())[:_MOST_TEXT] or type(error).__name__
            raise as_error(error, text, _FAILURES, self._place(done)) from error
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(exact)

    def _place(self, done: set[str] | None) -> Location:
        """Return where the first operation is that has not made what it makes."""
        if done is not None:
            for name, targets in self._steps:
                if not done.issuperset(targets):
                    return self._document.where(name, "".join(targets[:1]))
        return self._document.file.where("graph")
