"""What a parsed graph holds next to the tensors that were found in its file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onnx import ModelProto

from conformance.runtimes._protocol import Array
from conformance.runtimes.onnx.buffers import Buffer, buffer_of
from conformance.runtimes.onnx.embedded import Embedded, check_embedded, embedded_tensors
from conformance.runtimes.onnx.functions import check_functions
from conformance.runtimes.onnx.randomness import check_repeatable
from conformance.runtimes.onnx.reading import Reading
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.sites import Sites
from conformance.runtimes.roles import StoredTensor, Use


class Contents:
    """The embedded tensors of ``topology``, and how it uses all the tensors of the model.

    ``stored`` are the tensors that were found in the file; ``loose`` is what no sample can bring.
    Raises MalformedError, LimitError or UnsupportedError for functions, operators and tensors that
    cannot be judged.
    """

    def __init__(
        self,
        topology: ModelProto,
        stored: tuple[TensorRecord, ...],
        file: str,
        limit_bytes: int,
    ) -> None:
        check_functions(topology, file)
        check_repeatable(topology, file)
        sites, reading = Sites(topology), Reading(topology)
        self.embedded: tuple[Embedded, ...] = embedded_tensors(sites.tensors, file, limit_bytes)
        check_embedded(stored, self.embedded, file, limit_bytes)
        self.records = (*stored, *(tensor.record for tensor in self.embedded))
        self.loose: tuple[StoredTensor, ...] = tuple(sites.loose)
        self.operators = reading.operators
        self._reading = reading
        self._needed = sites.usage.of_graph(topology.graph)
        self._embedded = {tensor.record.name: tensor for tensor in self.embedded}

    def needs(self, name: str) -> bool:
        """Return whether an output depends on a tensor, or on any other value of the main graph."""
        embedded = self._embedded.get(name)
        return embedded.site.needed if embedded is not None else name in self._needed

    def uses(self, record: TensorRecord) -> frozenset[Use]:
        """Return how operators use a tensor."""
        embedded = self._embedded.get(record.name)
        value = embedded.site.value if embedded is not None else record.name
        return self._reading.uses(value, len(record.dims))

    def tensors(
        self, records: Iterable[TensorRecord], values: Mapping[str, Array]
    ) -> list[StoredTensor]:
        """Return ``records`` as stored tensors, whose elements ``values`` has."""
        return [self._tensor(record, values) for record in records]

    def data(self, given: Mapping[str, Buffer], own: Mapping[str, Array]) -> dict[str, Buffer]:
        """Return what must be written into the graph: what is given, unfolded or fetched."""
        data: dict[str, Buffer] = {}
        for tensor in self.embedded:
            record = tensor.record
            if record.name in given:
                data[record.name] = given[record.name]
            elif tensor.is_sparse or record.external is not None:
                data[record.name] = buffer_of(own[record.name], record.dtype)
        return data

    def _tensor(self, record: TensorRecord, values: Mapping[str, Array]) -> StoredTensor:
        embedded = self._embedded.get(record.name)
        return StoredTensor(
            name=record.name,
            place=record.element,
            dtype=record.dtype,
            shape=record.dims,
            values=lambda: values[record.name],
            uses=self.uses(record),
            is_needed=self.needs(record.name),
            is_replaceable=embedded is None or embedded.is_replaceable,
        )
