"""The ONNX graph beside a state dict: its parameters have names, types and shapes, but no values.

A parameter is an initialiser of the main graph, or an input of the graph that the state dict has a
tensor for. Whatever values the file holds for them are not read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import final

from onnx import TensorProto, ValueInfoProto

from conformance.runtimes._protocol import Array, ModelSource, PortInfo
from conformance.runtimes.fitting import Slot
from conformance.runtimes.onnx.attached import Kept, check_replaceable
from conformance.runtimes.onnx.buffers import Buffer, buffer_of
from conformance.runtimes.onnx.contents import Contents
from conformance.runtimes.onnx.dtypes import dtype_of
from conformance.runtimes.onnx.faults import FAULTS, refused_model
from conformance.runtimes.onnx.layout import read_layout
from conformance.runtimes.onnx.mapped import MappedFile
from conformance.runtimes.onnx.opsets import check_opsets
from conformance.runtimes.onnx.ports import port_of
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.runner import OnnxRunner
from conformance.runtimes.onnx.session import open_session
from conformance.runtimes.onnx.skeleton import build_skeleton
from conformance.runtimes.onnx.store import TensorStore
from conformance.runtimes.onnx.topology import read_topology
from conformance.runtimes.onnx.wire import Span
from conformance.runtimes.pytorch.state_names import PREFIXES
from conformance.verdicts import ConformanceError, Location, UnsupportedError

MOST_VALUES = 64 << 10
"""Bytes of values that the graph may hold for parameters: they count as size of the original."""


@final
class Topology:
    """The graph in ``source.files[1]``; ``tensors`` are the names in the state dict."""

    def __init__(self, source: ModelSource, tensors: Collection[str]) -> None:
        self.file = source.display[1]
        mapped = MappedFile(source.files[1], self.file)
        layout = read_layout(mapped, source.limit_bytes)
        self._topology = read_topology(layout, self.file)
        self._contents = Contents(self._topology, layout.records, self.file, source.limit_bytes)
        self._check_values(layout.records)
        taken = self._take_inputs({name for each in tensors for name in _bare(each)})
        own = tuple(r for r in layout.records if r.constant or not r.is_parameter)
        self._parameters = [
            *(r for r in layout.records if r.is_parameter and not r.constant),
            *taken,
        ]
        embedded = self._contents.embedded
        self._check_inside((*own, *(tensor.record for tensor in embedded)))
        self._constants = own
        self._store = TensorStore(source, mapped, own, embedded)
        self.inputs = self._ports(self._topology.graph.input)
        self.outputs = self._ports(self._topology.graph.output)

    @property
    def slots(self) -> list[Slot]:
        """The parameters: names, element types and shapes."""
        return [Slot(r.name, r.dtype, r.dims) for r in self._parameters]

    def unused(self, name: str) -> bool:
        """Say whether no output depends on a parameter."""
        return not self._contents.needs(name)

    def check_replaceable(self, parameters: int) -> None:
        """Raise UnsupportedError if the graph holds parameters elsewhere; see attached.py."""
        names = {record.name for record in self._parameters}
        contents = self._contents
        stuck = [record for record in contents.parameters if record.name not in names]
        kept = Kept(contents.constants, contents.loose, (*contents.stuck, *stuck))
        check_replaceable(kept, parameters, self.file)

    def runner(self, values: Mapping[str, Array]) -> OnnxRunner:
        """Return a runner of the graph with ``values`` for every parameter."""
        check_opsets(self._topology, self.file)
        parts = [(r, self._data(r, values)) for r in (*self._parameters, *self._constants)]
        skeleton = build_skeleton(self._topology, parts, self._contents.data({}, self._store))
        try:
            session = open_session(skeleton)
        except FAULTS as error:
            raise refused_model(error, self._topology, self.file) from error
        return OnnxRunner(session, skeleton, self.inputs, None, self.file)

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
        """Turn the inputs that are parameters into initialisers without values."""
        graph = self._topology.graph
        taken = [each for each in graph.input if names & set(_bare(each.name))]
        kept = [each for each in graph.input if not names & set(_bare(each.name))]
        del graph.input[:]
        graph.input.extend(kept)
        return [_record(value, self.file) for value in taken]

    def _check_values(self, records: Collection[TensorRecord]) -> None:
        held = {r.name: r.span.size for r in records if r.is_parameter and not r.constant}
        if sum(held.values()) > MOST_VALUES:
            largest = max(held, key=lambda name: held[name])
            raise ConformanceError(
                "the graph holds values of its own for the parameters",
                where=Location(self.file, element=largest),
                expected=f"at most {MOST_VALUES} bytes: the state dict has the values, and these "
                "would count as size of the original",
                found=f"{sum(held.values())} bytes",
                mend="Export the graph with export_params=False, or with external data whose file "
                "is left out of the submission.",
            )

    def _check_inside(self, records: Collection[TensorRecord]) -> None:
        for record in records:
            if record.external is not None:
                raise UnsupportedError(
                    f"the constant {record.name!r} of the graph is stored in another file",
                    where=Location(self.file, element=record.element),
                    expected="lists of integers and texts in the graph itself",
                    found="external data",
                    mend="Keep small tensors in the file when exporting external data.",
                )


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
            found=TensorProto.DataType.Name(tensor.elem_type) + f" {dims}",
            mend="Export the graph with the types and shapes of its parameters.",
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
