"""A state dict and an ONNX graph as one network, run by ONNX Runtime."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import final

from conformance.runtimes._protocol import Array, ModelSource, PortInfo, Unread
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.batching import Run
from conformance.runtimes.fitting import Slot
from conformance.runtimes.libraries import versions_of
from conformance.runtimes.onnx.runner import OnnxRunner
from conformance.runtimes.onnx.session import SETTINGS
from conformance.runtimes.pytorch.state_dict import read_state_dict
from conformance.runtimes.pytorch.state_names import check_fit, match_names
from conformance.runtimes.pytorch.state_topology import Topology
from conformance.runtimes.pytorch.values import native
from conformance.runtimes.roles import Inventory, StoredTensor
from conformance.runtimes.running import FREE_BATCH, FunctionRunner
from conformance.verdicts import ConformanceError, Location, MalformedError

_FILES = 2


@final
class StateDictNetwork(ParameterNetwork):
    """A graph with the parameters of a state dict; see :class:`conformance.runtimes.Network`."""

    def __init__(self, source: ModelSource) -> None:
        super().__init__(source.display[0])
        _check_files(source)
        self._state = read_state_dict(source.files[0], self.file, source.limit_bytes)
        tensors, self._aliases = self._state.tensors, self._state.aliases
        self._topology = Topology(source, {*tensors, *self._aliases})
        self._names = self._matched()
        self.inventory = Inventory(
            [*self._stored(), *self._topology.tensors],
            file=self.file,
            aliases=self._aliases,
            loose=self._topology.loose,
            operators=self._topology.operators,
        )
        self.inputs, self.outputs = self._topology.inputs, self._topology.outputs
        self.unused_files = source.display[_FILES:]
        self.versions = versions_of("onnx", "onnxruntime", "numpy", "ml_dtypes")
        self.settings = SETTINGS

    def close(self) -> None:
        """Close the files."""
        self._topology.close()
        self._state.close()

    def _unread(self) -> Iterator[Unread]:
        yield from self._state.unread()
        yield from self._topology.unread()

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        return self._graph_with(tensors).run

    def _graph_with(self, tensors: Mapping[str, Array] | None) -> OnnxRunner:
        given, stored = tensors or {}, self._state.tensors
        own = [each.name for each in self._topology.tensors]
        values = {name: given[name] for name in own if name in given}
        made: dict[str, Array] = {}
        for slot, name in self._names.items():
            if name not in made:
                made[name] = given[name] if name in given else stored[name]
            values[slot] = made[name]
        return self._topology.runner(values)

    def _runner(self, tensors: Mapping[str, Array] | None) -> FunctionRunner:
        runner = self._graph_with(tensors)
        return FunctionRunner(
            runner.run,
            self.inputs,
            self.file,
            free_batch=runner.batch_size or FREE_BATCH,
            watch=runner.watch,
        )

    def _matched(self) -> Mapping[str, str]:
        """Return which tensor fills each slot of the graph, by the first of its names."""
        tensors, aliases = self._state.tensors, self._aliases
        slots = self._topology.slots
        arrays = {name: tensors[name] for name in tensors}
        arrays |= {name: tensors[first] for name, first in aliases.items()}
        names = match_names(arrays, [slot.name for slot in slots])
        read = {aliases.get(name, name) for name in names.values()}
        # Counters, which no inference reads, and empty tensors take no part in the size.
        spare = {name for name, array in arrays.items() if not array.size or _is_counter(array)}
        own = [Slot(each.name, each.dtype, each.shape) for each in self._topology.tensors]
        check_fit(
            names,
            arrays,
            {*aliases, *read, *spare},
            slots,
            (self.file, self._topology.file),
            [*_fixed(self._topology.inputs), *own],
        )
        for tensor in self._topology.tensors:
            if tensor.name in arrays:
                raise _twice(tensor, self.file)
        return {slot: aliases.get(name, name) for slot, name in names.items()}

    def _stored(self) -> Iterator[StoredTensor]:
        """Yield the tensors of the state dict, used as the graph uses what they fill."""
        filled: dict[str, list[str]] = {}
        for slot, name in self._names.items():
            filled.setdefault(name, []).append(slot)
        for name, array in self._state.tensors.items():
            slots = filled.get(name, [])
            yield StoredTensor(
                name=name,
                place=name,
                dtype=array.dtype,
                shape=array.shape,
                values=partial(self._state.tensors.__getitem__, name),
                uses=frozenset(use for slot in slots for use in self._topology.uses(slot)),
                is_needed=any(self._topology.needs(slot) for slot in slots),
            )


def _is_counter(array: Array) -> bool:
    return array.size == 1 and array.dtype.kind in "iub"


def _twice(tensor: StoredTensor, file: str) -> MalformedError:
    return MalformedError(
        f"two stored tensors are called {tensor.name!r}",
        where=Location(file, element=tensor.name),
        expected="a unique name for each tensor of the state dict and the graph",
        found=f"the name of {tensor.place} again",
        fix="Rename one of them, or the node whose output their names begin with.",
    )


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
            fix="List the ONNX graph of the network as the second file of the model; for init, "
            f"put it next to the weights as {source.files[0].with_suffix('.onnx').name}.",
        )
