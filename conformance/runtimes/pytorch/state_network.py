"""A state dict and an ONNX graph as one network, run by ONNX Runtime."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import final

from conformance.runtimes._protocol import Array, ModelSource, PortInfo
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.batching import Run
from conformance.runtimes.fitting import Slot
from conformance.runtimes.libraries import versions_of
from conformance.runtimes.onnx.session import SETTINGS
from conformance.runtimes.pytorch.state_dict import read_state_dict
from conformance.runtimes.pytorch.state_names import check_fit, match_names
from conformance.runtimes.pytorch.state_topology import Topology
from conformance.runtimes.pytorch.stored import check_ties
from conformance.runtimes.pytorch.values import native
from conformance.verdicts import ConformanceError, Location

_FILES = 2


@final
class StateDictNetwork(ParameterNetwork):
    """A graph with the parameters of a state dict; see :class:`conformance.runtimes.Network`."""

    def __init__(self, source: ModelSource) -> None:
        super().__init__(source.display[0])
        _check_files(source)
        self._state = read_state_dict(source.files[0], self.file, source.limit_bytes)
        self._own: dict[str, Array] = {**self._state.parameters, **self._state.constants}
        names = {*self._own, *self._state.aliases}
        self._topology = Topology(source, names)
        slots = self._topology.slots
        self._names = match_names(names, [slot.name for slot in slots])
        aliases = self._state.aliases
        arrays = {**self._own, **{name: self._own[first] for name, first in aliases.items()}}
        read = {aliases.get(name, name) for name in self._names.values()}
        optional = {*aliases, *read}
        check_fit(
            self._names,
            arrays,
            optional,
            slots,
            (self.file, self._topology.file),
            _fixed(self._topology.inputs),
        )
        self.parameters = self._state.parameters
        self.constants = {n: arrays[n] for n in (*self._state.constants, *aliases)}
        self.inputs, self.outputs = self._topology.inputs, self._topology.outputs
        used = {
            aliases.get(name, name)
            for slot, name in self._names.items()
            if not self._topology.unused(slot)
        }
        self.unused_parameters = tuple(name for name in self.parameters if name not in used)
        self.unused_files = source.display[_FILES:]
        self.versions = versions_of("onnx", "onnxruntime", "numpy", "ml_dtypes")
        self.settings = SETTINGS

    def check_replaceable(self) -> None:
        """Raise UnsupportedError if the graph has parameters that a replacement cannot reach."""
        unused = set(self.unused_parameters)
        parameters = self.parameters.items()
        used = sum(math.prod(array.shape) for name, array in parameters if name not in unused)
        self._topology.check_replaceable(used)

    def close(self) -> None:
        """Close the files."""
        self._topology.close()
        self._state.close()

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        given = tensors if tensors is not None else {}
        check_ties(given, self._state.aliases, self.file)
        first = {slot: self._state.aliases.get(n, n) for slot, n in self._names.items()}
        values = {
            slot: given[name] if name in given else self._own[name] for slot, name in first.items()
        }
        return self._topology.runner(values).run


def _fixed(ports: Sequence[PortInfo]) -> list[Slot]:
    """Return the ports that could be parameters: their type and shape are known and fixed."""
    slots: list[Slot] = []
    for port in ports:
        shape = tuple(size for size in port.shape if isinstance(size, int))
        with contextlib.suppress(KeyError):
            if len(shape) == len(port.shape):
                slots.append(Slot(port.name, native(port.dtype), shape))
    return slots


def _check_files(source: ModelSource) -> None:
    if len(source.files) < _FILES or source.files[1].suffix.lower() != ".onnx":
        raise ConformanceError(
            "a state dict holds no network",
            where=Location(source.display[0]),
            expected="two files: the state dict, then the graph as .onnx",
            found=", ".join(source.display),
            mend="List the ONNX graph of the network as the second file of the model; for init, "
            f"put it beside the weights as {source.files[0].with_suffix('.onnx').name}.",
        )
