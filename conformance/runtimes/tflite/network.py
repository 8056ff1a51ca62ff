"""An opened TFLite model: what it takes, gives and holds, and how it is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from conformance.runtimes._protocol import Array, ModelSource, Unread
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.batching import Run
from conformance.runtimes.libraries import versions_of
from conformance.runtimes.roles import Inventory, MadeLate
from conformance.runtimes.tflite.dtypes import packed
from conformance.runtimes.tflite.flatbuffer import Reader
from conformance.runtimes.tflite.graph import check_graphs, graphs_in_use, needed_tensors
from conformance.runtimes.tflite.hidden import loose_values
from conformance.runtimes.tflite.image import LARGEST_TABLES, plan_layout, written_copy
from conformance.runtimes.tflite.interpreter import SETTINGS, Session
from conformance.runtimes.tflite.model import read_model
from conformance.runtimes.tflite.ports import read_ports
from conformance.runtimes.tflite.stored import as_tensors, stored_tensors
from conformance.runtimes.tflite.tensors import check_tensors
from conformance.runtimes.tflite.unread import unread_in
from conformance.runtimes.tflite.uses import uses_of
from conformance.tensorfiles import LFS_BYTES, map_file, refuse_lfs_pointer
from conformance.verdicts import LimitError, Location, UnsupportedError


@final
class TfliteNetwork(ParameterNetwork):
    """An opened TFLite model; see :class:`conformance.runtimes.Network`."""

    def __init__(self, source: ModelSource) -> None:
        super().__init__(source.display[0])
        self._path = str(source.files[0].absolute())
        with source.files[0].open("rb") as file:
            self._data = map_file(file)
        refuse_lfs_pointer(bytes(self._data[:LFS_BYTES]), self.file)
        reader = Reader(self._data, self.file)
        self._model = read_model(reader)
        self._graphs = graphs_in_use(self._model, self.file)
        check_graphs(self._model, self._graphs, self.file)
        check_tensors(reader, self._model, self._graphs, source.limit_bytes)
        needed, uses = needed_tensors(self._model), uses_of(self._model, self._graphs)
        self._stored = stored_tensors(reader, self._model, uses, needed)
        self.inventory = Inventory(
            as_tensors(self._data, self._stored),
            file=self.file,
            loose=loose_values(self._data, self._model, self._graphs, self._stored),
            operators=sum(len(self._model.subgraphs[n].operators) for n in self._graphs),
        )
        self._spare = unread_in(reader, self._model, self._stored)
        self._layout = plan_layout(self._model, self._stored, len(self._data))
        self._check_limit(source.limit_bytes)
        self._inputs, self._outputs = read_ports(self._model, self.file)
        self.inputs, self.outputs = self._inputs.infos, self._outputs.infos
        self.unused_files = source.display[1:]
        self.versions = versions_of("ai-edge-litert", "numpy", "ml_dtypes")
        self.settings = SETTINGS

    def check_replaceable(self) -> None:
        """Raise UnsupportedError if the model has parameters that a replacement cannot reach."""
        super().check_replaceable()
        if not self._layout.is_plain and self._layout.total > LARGEST_TABLES:
            raise UnsupportedError(
                "tensors of a large model share their data, or are sparse",
                where=Location(file=self.file, element="model.buffers"),
                expected="separate dense data for each tensor of a model beyond 2 GiB",
                found="buffers that several tensors refer to, or sparse tensors",
                fix="Convert the model without sparsity, and without sharing equal constants.",
            )

    def _unread(self) -> tuple[Unread, ...]:
        return self._spare

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        replaceable = self._layout.is_plain or self._layout.total <= LARGEST_TABLES
        if tensors is None and (self._layout.is_plain or not replaceable):
            return self._session(self._path).run
        given = tensors or {}
        dtypes = {each.name: each.dtype for each in self._stored}
        contents = MadeLate(dtypes, lambda name: packed(self._array(name, given), dtypes[name]))
        # Tensors that share data, and sparse ones, have their own in the copy. The file is run as
        # such a copy too:
        # where its data lie in memory may show in the last bits of an output.
        with written_copy(self._data, self._layout, contents) as path:
            return self._session(path).run

    def _array(self, name: str, given: Mapping[str, Array]) -> Array:
        return given[name] if name in given else self.inventory.stored(name).values()

    def _session(self, path: str) -> Session:
        return Session(path, self._model, self._inputs, self._outputs, self.file)

    def _check_limit(self, limit_bytes: int) -> None:
        if self._layout.total > limit_bytes:
            raise LimitError(
                "the model would take too much memory",
                where=Location(file=self.file, element="model.buffers"),
                expected=f"at most {limit_bytes} bytes",
                found=f"{self._layout.total} bytes",
                fix="Submit a smaller model, or judge it with a higher memory limit.",
            )
