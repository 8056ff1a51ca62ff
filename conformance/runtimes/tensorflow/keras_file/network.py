"""An opened ``.keras`` file: its model, its weights, and how they are run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import final

from conformance.runtimes._protocol import Array, ModelSource
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.batching import Run
from conformance.runtimes.tensorflow.attached import (
    FEWEST_WEIGHTS,
    attached_values,
    check_replaceable,
)
from conformance.runtimes.tensorflow.computing import LoadedGraph
from conformance.runtimes.tensorflow.engine import settings_of, tensorflow_for, versions
from conformance.runtimes.tensorflow.graphs import check_operators, count_operators, reach
from conformance.runtimes.tensorflow.keras_file.archive import CONFIG, WEIGHTS, KerasArchive
from conformance.runtimes.tensorflow.keras_file.config import read_config
from conformance.runtimes.tensorflow.keras_file.hdf5 import Weights
from conformance.runtimes.tensorflow.keras_file.model import KerasModel, Slot, blank
from conformance.runtimes.tensorflow.keras_file.tracing import traced
from conformance.runtimes.tensorflow.operators import COMPUTING

FORMAT = "keras"


@final
class KerasNetwork(ParameterNetwork):
    """An opened ``.keras`` file; see :class:`conformance.runtimes.Network`."""

    def __init__(self, source: ModelSource) -> None:
        super().__init__(source.display[0])
        tf = tensorflow_for(FORMAT)
        self._archive = KerasArchive(source.files[0], self.file, source.limit_bytes)
        config = read_config(self._archive.read(CONFIG), self.file)
        self._weights = Weights(self._archive.read(WEIGHTS), self.file, FORMAT)
        model = KerasModel(config, self._weights, self.file, FORMAT, source.limit_bytes)
        graph, signature, self._handles = traced(tf, model, self.file)
        places = list(reach(graph, [node.name for node in graph.node], self.file).places())
        check_operators(places, COMPUTING, self.file)
        self._operators = count_operators(places)
        self._attached = attached_values(places, self.file, source.limit_bytes)
        self._loaded = LoadedGraph(graph, signature, self.file, FORMAT)
        self._slots = _by_name(model.slots)
        self._sort_variables()
        self.inputs, self.outputs = signature.inputs, signature.outputs
        self.unused_files = tuple(source.display[1:])
        self.versions, self.settings = versions(), settings_of(tf)

    def check_replaceable(self) -> None:
        """Raise UnsupportedError if the configuration holds parameters of its own."""
        used = sum(array.size for name, array in self.parameters.items() if name in self._slots)
        listed = sum(array.size for array in self.constants.values())
        check_replaceable(self._attached, listed, used, self._operators, self.file)

    def close(self) -> None:
        """Close the file; runners go on working."""
        self._weights.close()
        self._archive.close()

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        """Return the function of a session of its own, with its own variables."""
        given = tensors or {}
        return self._loaded.compute_with(
            {
                handle: given[name] if name in given else self._own(slot)
                for handle, (name, slot) in zip(self._handles, self._slots.items(), strict=True)
                if handle is not None
            }
        )

    def _own(self, slot: Slot) -> Array:
        return blank(slot) if slot.stored is None else self._weights.read(slot.stored)

    def _sort_variables(self) -> None:
        """Tell parameters, used or not, from counters and seeds."""
        stored = {name: s.stored for name, s in self._slots.items() if s.stored is not None}
        counters = {name for name, slot in self._slots.items() if slot.is_counter}
        used = set(stored.values())
        idle = {
            path: path
            for path, dataset in self._weights.datasets.items()
            if path not in used and dataset.size >= FEWEST_WEIGHTS
        }
        paths = {name: path for name, path in stored.items() if name not in counters}
        self.parameters = _Values(self._weights, {**paths, **idle})
        self.unused_parameters = (*self._unread(paths), *idle)
        self.constants = {n: self._weights.read(p) for n, p in stored.items() if n in counters}

    def _unread(self, names: Mapping[str, str]) -> Iterator[str]:
        """Yield the parameters that no output depends on."""
        for name, handle in zip(self._slots, self._handles, strict=True):
            if handle is None and name in names:
                yield name


class _Values(Mapping[str, Array]):
    """Values by name, each read when it is asked for."""

    def __init__(self, weights: Weights, paths: Mapping[str, str]) -> None:
        self._weights = weights
        self._paths = paths

    def __getitem__(self, name: str) -> Array:
        return self._weights.read(self._paths[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _by_name(slots: list[Slot]) -> dict[str, Slot]:
    """Return the variables by their paths, or by the places of their values where two share one."""
    paths = Counter(slot.path for slot in slots)
    return {
        slot.path if paths[slot.path] == 1 else slot.stored or f"{slot.path}:{place}": slot
        for place, slot in enumerate(slots)
    }
