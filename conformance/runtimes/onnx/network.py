"""An opened ONNX model: what it takes, gives and holds, and how parameters are bound to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

from onnx import TensorProto

from conformance.runtimes._protocol import Array, Change, ModelSource, Unread
from conformance.runtimes.base import StoringNetwork
from conformance.runtimes.batching import fixed_batch, takes_batches
from conformance.runtimes.fitting import fit_tensors
from conformance.runtimes.libraries import versions_of
from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.onnx.batch_size import free_batch
from conformance.runtimes.onnx.buffers import Buffer, aligned, buffer_of
from conformance.runtimes.onnx.contents import Contents
from conformance.runtimes.onnx.external import external_locations
from conformance.runtimes.onnx.faults import FAULTS, refused_model
from conformance.runtimes.onnx.half_copy import writes_half
from conformance.runtimes.onnx.layout import read_layout
from conformance.runtimes.onnx.messages import parse_model
from conformance.runtimes.onnx.opsets import check_opsets
from conformance.runtimes.onnx.ports import port_of
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.runner import OnnxRunner
from conformance.runtimes.onnx.session import SETTINGS, open_session
from conformance.runtimes.onnx.skeleton import build_skeleton
from conformance.runtimes.onnx.store import TensorStore
from conformance.runtimes.onnx.topology import read_topology
from conformance.runtimes.onnx.unread import unread_in_model
from conformance.runtimes.roles import Inventory, MadeLate


@final
class OnnxNetwork(StoringNetwork):
    """An opened ONNX model; see :class:`conformance.runtimes.Network`."""

    def __init__(self, source: ModelSource) -> None:
        self._file = source.display[0]
        mapped = MappedFile(source.files[0], self._file)
        layout = read_layout(mapped, source.limit_bytes)
        self._layout = layout
        self._stored = layout.records
        self._topology = read_topology(layout, self._file)
        self._contents = Contents(self._topology, self._stored, self._file, source.limit_bytes)
        self._store = TensorStore(source, mapped, self._stored, self._contents.embedded)
        self.inventory = Inventory(
            self._contents.tensors(self._contents.records, self._store),
            file=self._file,
            loose=self._contents.loose,
            operators=self._contents.operators,
        )
        self.inputs = tuple(port_of(value, self._file) for value in self._topology.graph.input)
        self.outputs = tuple(port_of(value, self._file) for value in self._topology.graph.output)
        self.unused_files = _unused_files(source, self._contents.records)
        self.versions: Mapping[str, str] = versions_of("onnx", "onnxruntime", "numpy", "ml_dtypes")
        self.settings = SETTINGS

    def bind(self, replacement: Mapping[str, Array] | None = None) -> OnnxRunner:
        """Return a runner with the model's own parameters, or with all of them replaced.

        Scalars that a replacement does not hold stay, and so does the topology. Raises
        ConformanceError if it does not fit, UnsupportedError if the model stores parameters where
        they cannot be replaced or uses an operator that is not there, MalformedError if the graph
        is not valid.
        """
        buffers: dict[str, Buffer] = {}
        if replacement is not None:
            self._forget()
            self.check_replaceable()
            buffers = fit_tensors(
                replacement,
                self.inventory,
                lambda array, slot: buffer_of(array, slot.dtype),
                element="graph.initializer",
            )
        return self._bind(buffers)

    def bind_changed(self, change: Change) -> OnnxRunner:
        """Return a runner in which every parameter is what ``change`` makes of the model's own.

        Whatever else the graph holds stays.
        """

        def changed(name: str) -> Buffer:
            buffer = buffer_of(
                change(name, self.parameters[name]), self.inventory.stored(name).dtype
            )
            self._store.forget(name)
            return buffer

        return self._bind(MadeLate(self.parameters, changed))

    def _unread(self) -> Iterator[Unread]:
        yield from unread_in_model(self._layout, self._file)
        yield from self._store.gaps()

    def _bind(self, buffers: Mapping[str, Buffer]) -> OnnxRunner:
        """Return a runner with these data in the place of the model's own."""
        check_opsets(self._topology, self._file)
        tensors = (buffers[r.name] if r.name in buffers else self._own(r) for r in self._stored)
        skeleton = build_skeleton(
            self._topology,
            zip(self._stored, tensors, strict=True),
            self._contents.data(buffers, self._store),
        )
        try:
            session = open_session(skeleton)
        except FAULTS as error:
            raise refused_model(error, self._topology, self._file) from error
        size = self._batch_size(skeleton.model)
        half = writes_half(self._topology, (record.data_type for record in self._stored))
        return OnnxRunner(session, skeleton, self.inputs, size, self._file, writes_half=half)

    def close(self) -> None:
        """Close the files; runners go on working."""
        self._store.close()

    def _forget(self) -> None:
        """Let the kernel take back the parameters' pages: they are about to be replaced."""
        for record in self._stored:
            self._store.forget(record.name)

    def _own(self, record: TensorRecord) -> Buffer | TensorProto:
        """Return the model's own data of a tensor, in place where it lies well."""
        stored = self._store.stored_bytes(record.name)
        if stored is None:
            if record.is_text:
                return self._store.message(record.name)
            return buffer_of(self._store[record.name], record.dtype)
        data = aligned(stored)
        if data is not stored:
            self._store.forget(record.name)
        return data

    def _batch_size(self, skeleton: bytes) -> int | None:
        if not takes_batches(self.inputs):
            return None
        return fixed_batch(self.inputs) or free_batch(parse_model(skeleton))


def _unused_files(source: ModelSource, records: tuple[TensorRecord, ...]) -> tuple[str, ...]:
    """Return the listed files, but for the first, that no tensor is stored in."""
    first = source.files[0]
    used = {first.parent / location for location in external_locations(records, first)}
    pairs = zip(source.files[1:], source.display[1:], strict=True)
    return tuple(name for file, name in pairs if file not in used)
