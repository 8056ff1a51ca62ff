"""An opened ``.keras`` file: its model, its weights, and how they are run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import final

from conformance.runtimes._protocol import Array, ModelSource, Unread
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.batching import Run
from conformance.runtimes.roles import Inventory, MadeLate, StoredTensor, Use
from conformance.runtimes.tensorflow.computing import LoadedGraph
from conformance.runtimes.tensorflow.constants import Constants
from conformance.runtimes.tensorflow.engine import settings_of, tensorflow_for, versions
from conformance.runtimes.tensorflow.graphs import batch_of, check_operators, count_operators, reach
from conformance.runtimes.tensorflow.idle import FEWEST_IDLE, IDLE_USES, fix_for_keras
from conformance.runtimes.tensorflow.keras_file.archive import CONFIG, WEIGHTS, KerasArchive
from conformance.runtimes.tensorflow.keras_file.config import read_config
from conformance.runtimes.tensorflow.keras_file.hdf5 import Weights
from conformance.runtimes.tensorflow.keras_file.model import KerasModel, Slot, blank
from conformance.runtimes.tensorflow.keras_file.tracing import traced
from conformance.runtimes.tensorflow.operators import COMPUTING
from conformance.runtimes.tensorflow.uses import MAIN, key_of

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
        constants = Constants(graph, signature.fetched, self.file, source.limit_bytes)
        self._loaded = LoadedGraph(graph, signature, self.file, FORMAT)
        self._slots = _by_name(model.slots)
        self.inventory = Inventory(
            [*self._tensors(constants), *self._idle()],
            file=self.file,
            # Constants stand in the configuration, or Keras made them: no sample can name them.
            loose=[*constants.tensors.values(), *constants.loose],
            operators=count_operators(places),
        )
        self.free_batch = batch_of(places)
        self.unused_fix = fix_for_keras(self.unused_parameters)
        self.inputs, self.outputs = signature.inputs, signature.outputs
        self.unused_files = tuple(source.display[1:])
        self.versions, self.settings = versions(), settings_of(tf)

    def close(self) -> None:
        """Close the file; runners go on working."""
        self._weights.close()
        self._archive.close()

    def _unread(self) -> Iterator[Unread]:
        yield from self._archive.unread()
        yield self._weights.unread()

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        """Return the function of its own session, with its own variables."""
        given = tensors or {}
        names = {
            handle: name
            for handle, name in zip(self._handles, self._slots, strict=True)
            if handle is not None
        }

        def value(handle: str) -> Array:
            name = names[handle]
            return given[name] if name in given else self._own(self._slots[name])

        return self._loaded.compute_with(MadeLate(names, value))

    def _own(self, slot: Slot) -> Array:
        return blank(slot) if slot.stored is None else self._weights.read(slot.stored)

    def _tensors(self, constants: Constants) -> Iterator[StoredTensor]:
        """Yield the stored variables of the model."""
        for handle, (name, slot) in zip(self._handles, self._slots.items(), strict=True):
            if slot.stored is not None:
                uses = constants.uses.get(key_of(MAIN, handle)) if handle is not None else None
                is_needed = handle is not None
                yield self._stored(slot.stored, name, uses or frozenset(), is_needed)

    def _idle(self) -> Iterator[StoredTensor]:
        """Yield arrays that no layer asks for, under their paths; a few numbers are let pass."""
        used = {slot.stored for slot in self._slots.values()}
        for path, dataset in self._weights.datasets.items():
            if path not in used and dataset.size >= FEWEST_IDLE:
                yield self._stored(path, path, IDLE_USES, False)

    def _stored(self, path: str, name: str, uses: frozenset[Use], is_needed: bool) -> StoredTensor:
        dtype, shape = self._weights.dtype(path), self._weights.shape(path)
        read = partial(self._weights.read, path)
        return StoredTensor(name, f"{WEIGHTS} {path}", dtype, shape, read, uses, is_needed)


def _by_name(slots: list[Slot]) -> dict[str, Slot]:
    """Return the variables by their paths, or by the places of their values where two share one."""
    paths = Counter(slot.path for slot in slots)
    return {
        slot.path if paths[slot.path] == 1 else slot.stored or f"{slot.path}:{place}": slot
        for place, slot in enumerate(slots)
    }
