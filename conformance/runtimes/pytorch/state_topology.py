"""The ONNX graph next to a state dict: its parameters have names, types and shapes, but no values.

What the state dict has a tensor for, and what the graph has no values for, is filled from the state
dict: initializers of the main graph and inputs. Whatever values the file holds for them are not
read. Everything else that the graph stores is its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import final

from onnx import TensorProto, ValueInfoProto

from conformance.runtimes._protocol import Array, ModelSource, PortInfo, Unread
from conformance.runtimes.batching import batch_size
from conformance.runtimes.fitting import Slot
from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.onnx.batch_size import quantises_dynamically
from conformance.runtimes.onnx.buffers import Buffer, buffer_of
from conformance.runtimes.onnx.contents import Contents
from conformance.runtimes.onnx.dtypes import dtype_of
from conformance.runtimes.onnx.faults import FAULTS, refused_model
from conformance.runtimes.onnx.half_copy import writes_half
from conformance.runtimes.onnx.layout import read_layout
from conformance.runtimes.onnx.opsets import check_opsets
from conformance.runtimes.onnx.ports import port_of
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.runner import OnnxRunner
from conformance.runtimes.onnx.session import open_session
from conformance.runtimes.onnx.skeleton import build_skeleton
from conformance.runtimes.onnx.store import TensorStore
from conformance.runtimes.onnx.topology import read_topology
from conformance.runtimes.onnx.unread import unread_in_model
from conformance.runtimes.pytorch.state_names import PREFIXES
from conformance.runtimes.roles import StoredTensor, Use
from conformance.runtimes.running import DYNAMIC_BATCH, FREE_BATCH
from conformance.runtimes.wire import Span
from conformance.verdicts import Location, UnsupportedError

_HEADER_BYTES = 256
"""Bytes that name, type and shape of a tensor may take in the graph."""


@final
class Topology:
    """The graph in ``source.files[1]``; ``tensors`` are the names in the state dict."""

    def __init__(self, source: ModelSource, tensors: Collection[str]) -> None:
        self.file = source.display[1]
        mapped = MappedFile(source.files[1], self.file)
        self._layout = layout = read_layout(mapped, source.limit_bytes)
        self._topology = read_topology(layout, self.file)
        names = {name for each in tensors for name in _bare(each)}
        taken = self._take_inputs(names)
        stored = [r for r in layout.records if not r.constant and _is_filled(r, names)]
        self._unread_values = stored
        own = [r for r in layout.records if r not in stored]
        self._slots = {record.name: record for record in (*stored, *taken)}
        self._contents = Contents(self._topology, layout.records, self.file, source.limit_bytes)
        embedded = self._contents.embedded
        self._own = (*own, *(tensor.record for tensor in embedded))
        self._check_inside(self._own)
        self._parts = (*self._slots.values(), *own)
        self._store = TensorStore(source, mapped, tuple(own), embedded)
        self.inputs = self._ports(self._topology.graph.input)
        self.outputs = self._ports(self._topology.graph.output)

    @property
    def slots(self) -> list[Slot]:
        """What the state dict fills: names, element types and shapes."""
        return [Slot(r.name, r.dtype, r.dims) for r in self._slots.values()]

    @property
    def tensors(self) -> list[StoredTensor]:
        """What the graph stores itself; a sample can replace it like the state dict's tensors."""
        found = self._contents.tensors(self._own, self._store)
        return [self._placed(tensor) for tensor in found]

    @property
    def loose(self) -> list[StoredTensor]:
        """What the graph holds and no sample can bring."""
        return [self._placed(tensor) for tensor in self._contents.loose]

    @property
    def operators(self) -> int:
        """Number of operators of the graph."""
        return self._contents.operators

    def unread(self) -> Iterator[Unread]:
        """Yield what nothing reads in the graph: above all, its own values of the parameters."""
        yield from unread_in_model(self._layout, self.file)
        for record in self._unread_values:
            place = f"{record.element} {record.name}, whose values the state dict has"
            yield Unread(self.file, place, record.span.size - _HEADER_BYTES)

    def needs(self, slot: str) -> bool:
        """Return whether an output depends on what fills a slot."""
        return self._contents.needs(slot)

    def uses(self, slot: str) -> frozenset[Use]:
        """Return how operators use what fills a slot."""
        return self._contents.uses(self._slots[slot])

    def runner(self, values: Mapping[str, Array]) -> OnnxRunner:
        """Return a runner of the graph with ``values`` in every slot, and for its own tensors."""
        check_opsets(self._topology, self.file)
        embedded = {
            tensor.record.name: buffer_of(values[tensor.record.name], tensor.record.dtype)
            for tensor in self._contents.embedded
            if tensor.record.name in values
        }
        skeleton = build_skeleton(
            self._topology,
            [(record, self._data(record, values)) for record in self._parts],
            self._contents.data(embedded, self._store),
        )
        try:
            session = open_session(skeleton)
        except FAULTS as error:
            raise refused_model(error, self._topology, self.file) from error
        dynamic = quantises_dynamically(self._topology)
        size = batch_size(self.inputs, DYNAMIC_BATCH if dynamic else FREE_BATCH)
        half = writes_half(self._topology, (record.data_type for record in self._parts))
        return OnnxRunner(session, skeleton, self.inputs, size, self.file, writes_half=half)

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _data(self, record: TensorRecord, values: Mapping[str, Array]) -> Buffer | TensorProto:
        if record.is_text:
            return self._store.message(record.name)
        values = values if record.name in values else self._store
        return buffer_of(values[record.name], record.dtype)

    def _ports(self, values: Collection[ValueInfoProto]) -> tuple[PortInfo, ...]:
        return tuple(port_of(value, self.file) for value in values)

    def _take_inputs(self, names: AbstractSet[str]) -> list[TensorRecord]:
        """Turn the inputs that are parameters into initializers without values."""
        graph = self._topology.graph
        taken = [each for each in graph.input if names & set(_bare(each.name))]
        kept = [each for each in graph.input if not names & set(_bare(each.name))]
        del graph.input[:]
        graph.input.extend(kept)
        return [_record(value, self.file) for value in taken]

    def _placed(self, tensor: StoredTensor) -> StoredTensor:
        return replace(tensor, place=f"{tensor.place} of {self.file}")

    def _check_inside(self, records: Collection[TensorRecord]) -> None:
        for record in records:
            if record.external is not None:
                raise UnsupportedError(
                    f"the constant {record.name!r} of the graph is stored in another file",
                    where=Location(self.file, element=record.element),
                    expected="lists of integers and strings in the graph itself",
                    found="external data",
                    fix="Keep small tensors in the file when exporting external data.",
                )


def _is_filled(record: TensorRecord, names: AbstractSet[str]) -> bool:
    """Return whether the state dict fills an initializer: by its name, or as it has no values."""
    is_list = len(record.dims) <= 1 and record.dtype.kind in "iubO"
    is_empty = record.external is not None and not is_list
    return is_empty or not names.isdisjoint(_bare(record.name))


def _bare(name: str) -> set[str]:
    """Return a name with and without the prefixes that wrappers put before it."""
    return {name.removeprefix(prefix) for prefix in PREFIXES}


def _record(value: ValueInfoProto, file: str) -> TensorRecord:
    """Return an input that is a parameter as a record without data."""
    tensor = value.type.tensor_type
    dtype = dtype_of(tensor.elem_type)
    dims = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim]
    if dtype is None or dtype.kind == "O" or not value.type.HasField("tensor_type") or -1 in dims:
        raise UnsupportedError(
            f"the parameter {value.name!r} of the graph has no fixed type and shape",
            where=Location(file, element=value.name),
            expected="an element type and the size of every axis",
            found=f"{dtype.name if dtype is not None else f'type {tensor.elem_type}'} {dims}",
            fix="Export the graph with the types and shapes of its parameters.",
        )
    return TensorRecord(
        element=f"graph.input {value.name}",
        span=Span(0, 0),
        name=value.name,
        data_type=tensor.elem_type,
        dtype=dtype,
        dims=tuple(dims),
        raw=None,
        external=None,
    )
