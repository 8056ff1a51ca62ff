"""Tensors that are stored next to the main graph's initializers, as records that can be replaced.

They are small as a rule, and stay in the parsed graph; a replacement is written into a copy of it
before ONNX Runtime sees it, so that nothing of the original can be left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    helper,
    numpy_helper,
)

from conformance.runtimes._protocol import Array
from conformance.runtimes.onnx.buffers import Buffer
from conformance.runtimes.onnx.functions import all_nodes, subgraphs
from conformance.runtimes.onnx.header import read_record
from conformance.runtimes.onnx.layout import MAX_MESSAGE, check_limit
from conformance.runtimes.onnx.messages import DecodeError
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.sites import ELEMENTS, Holder, Site, Sites, elements_of
from conformance.runtimes.onnx.sparse import is_mostly_zero, sparse_record, unfolded
from conformance.runtimes.wire import Span, WireReader
from conformance.verdicts import Location, MalformedError

_DATA_FIELDS = (
    *("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data"),
    *("raw_data", "external_data", "data_location"),
)


@dataclass(frozen=True, slots=True)
class Embedded:
    """A tensor that is stored at a site."""

    record: TensorRecord
    site: Site
    file: str

    @property
    def is_replaceable(self) -> bool:
        """Whether a sample's tensor can take its place: no sparse one that is mostly zero."""
        holder = self.site.holder
        is_sparse = isinstance(holder, SparseTensorProto)
        return not (is_sparse and is_mostly_zero(holder, self.record.dtype))

    @property
    def is_sparse(self) -> bool:
        """Whether only its values that are not zero are stored."""
        return isinstance(self.site.holder, SparseTensorProto)

    def read(self) -> Array:
        """Return its elements, unless they are in another file; MalformedError if damaged."""
        array = self._array()
        array.setflags(write=False)
        return array

    def _array(self) -> Array:
        holder = self.site.holder
        if isinstance(holder, SparseTensorProto):
            return unfolded(holder, self.record, self.file)
        if isinstance(holder, AttributeProto):
            return elements_of(holder, self.site.field)
        try:
            array = numpy_helper.to_array(holder)
        except (DecodeError, ValueError, TypeError, OverflowError) as error:
            raise self._malformed(str(error)[:200]) from error
        if array.shape != self.record.dims:
            raise self._malformed(f"an array of shape {list(array.shape)}")
        return array

    def _malformed(self, found: str) -> MalformedError:
        record = self.record
        return MalformedError(
            f"the data of tensor {record.name!r} does not fit its type and shape",
            where=Location(file=self.file, element=record.element),
            expected=f"{record.elements} elements of {record.dtype.name} for {list(record.dims)}",
            found=found,
            fix="Export the model again: this tensor is damaged.",
        )


def embedded_tensors(sites: Iterable[Site], file: str, limit_bytes: int) -> tuple[Embedded, ...]:
    """Return the tensors at ``sites``.

    Raises MalformedError for a tensor that contradicts itself or a name that is not its own,
    LimitError for a sparse tensor that unfolds beyond ``limit_bytes``.
    """
    found = []
    for site in sites:
        tensor = Embedded(_record(site, file, limit_bytes), site, file)
        if tensor.record.external is None:
            tensor.read()
        found.append(tensor)
    return tuple(found)


def check_embedded(
    stored: Iterable[TensorRecord], embedded: Iterable[Embedded], file: str, limit_bytes: int
) -> None:
    """Refuse names that two tensors have, and more bytes than a graph can hold."""
    seen = {record.name: record for record in stored}
    for record in (tensor.record for tensor in embedded):
        if record.name in seen:
            raise MalformedError(
                f"two stored tensors are called {record.name!r}",
                where=Location(file=file, element=record.element),
                expected="a unique name for each tensor",
                found=f"the name of {seen[record.name].element} again",
                fix="Rename one of them, or the node whose output their names begin with.",
            )
        seen[record.name] = record
    size = sum(tensor.record.nbytes for tensor in embedded)
    check_limit(file, min(limit_bytes, MAX_MESSAGE), "tensors within the graph", size)


def _nodes_of(model: ModelProto) -> Iterator[NodeProto]:
    yield from all_nodes(model.graph.node)
    for function in model.functions:
        yield from all_nodes(function.node)


def write_embedded(model: ModelProto, data: Mapping[str, Buffer]) -> None:
    """Write ``data``, as ONNX stores it, to the sites of ``model`` of these names.

    Every sparse tensor must be among them: whole tensors take their places.
    """
    if not data:
        return
    for site in Sites(model).tensors:
        if site.name in data:
            _write(site, data[site.name])
    del model.graph.sparse_initializer[:]
    for node in _nodes_of(model):
        for _, graph in subgraphs(node):
            del graph.sparse_initializer[:]


def _write(site: Site, data: Buffer) -> None:
    holder = site.holder
    if isinstance(holder, AttributeProto):
        values = data.view(ELEMENTS[site.field]).tolist()
        if isinstance(getattr(holder, site.field), (float, int)):
            setattr(holder, site.field, values[0])
        else:
            getattr(holder, site.field)[:] = values
    elif isinstance(holder, TensorProto):
        for name in _DATA_FIELDS:
            holder.ClearField(name)
        holder.raw_data = data.tobytes()
    elif isinstance(site.parent, GraphProto):
        site.parent.initializer.append(_whole(holder, data))
    elif site.parent.name == "sparse_value":
        whole = _whole(holder, data)
        site.parent.Clear()
        site.parent.name, site.parent.type = "value", AttributeProto.TENSOR
        site.parent.t.CopyFrom(whole)


def _whole(sparse: SparseTensorProto, data: Buffer) -> TensorProto:
    return TensorProto(
        name=sparse.values.name,
        data_type=sparse.values.data_type,
        dims=sparse.dims,
        raw_data=data.tobytes(),
    )


def _record(site: Site, file: str, limit_bytes: int) -> TensorRecord:
    holder: Holder = site.holder
    if isinstance(holder, SparseTensorProto):
        return sparse_record(holder, site.name, site.element, file, limit_bytes)
    if isinstance(holder, AttributeProto):
        array = elements_of(holder, site.field)
        return TensorRecord(
            element=site.element,
            span=Span(0, 0),
            name=site.name,
            data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
            dtype=array.dtype,
            dims=array.shape,
            raw=None,
            external=None,
            constant=True,
        )
    data = holder.SerializeToString()
    reader = WireReader(memoryview(data), file, is_file=False)
    record = read_record(reader, Span(0, len(data)), site.element, site.name)
    return replace(record, span=Span(0, 0), raw=None)
