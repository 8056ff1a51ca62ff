"""What a parsed graph holds beside the tensors that were found in its file."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import ModelProto

from conformance.runtimes._protocol import Array
from conformance.runtimes.onnx.buffers import Buffer, buffer_of
from conformance.runtimes.onnx.embedded import (
    Embedded,
    check_embedded,
    embedded_tensors,
    shaping_names,
)
from conformance.runtimes.onnx.functions import check_functions
from conformance.runtimes.onnx.randomness import check_repeatable
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.sites import Sites


class Contents:
    """The embedded tensors of ``topology``, and which tensors of the model its outputs need.

    ``stored`` are the tensors that were found in the file. Raises MalformedError, LimitError or
    UnsupportedError for functions, operators and tensors that cannot be judged.
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
        sites = Sites(topology)
        shaping = shaping_names(topology)
        self.loose = tuple(sites.loose)
        self.embedded: tuple[Embedded, ...] = embedded_tensors(
            sites.tensors, shaping, file, limit_bytes
        )
        check_embedded(stored, self.embedded, file, limit_bytes)
        self.records = (*stored, *(tensor.record for tensor in self.embedded))
        self.parameters = (
            *(r for r in stored if r.is_parameter and not (r.constant and r.name in shaping)),
            *(tensor.record for tensor in self.embedded if tensor.is_parameter),
        )
        parameters = {record.name for record in self.parameters}
        self.constants = tuple(r for r in self.records if r.name not in parameters)
        self.stuck = tuple(tensor.record for tensor in self.embedded if tensor.is_stuck)
        self._needed = sites.usage.of_graph(topology.graph)
        self._embedded_needed = {t.record.name: t.site.needed for t in self.embedded}

    def needs(self, name: str) -> bool:
        """Say whether an output depends on a tensor, or on any other value of the main graph."""
        return self._embedded_needed.get(name, name in self._needed)

    def data(self, given: Mapping[str, Buffer], own: Mapping[str, Array]) -> dict[str, Buffer]:
        """Return what has to be written into the graph: what is given, unfolded or fetched."""
        data: dict[str, Buffer] = {}
        for tensor in self.embedded:
            record = tensor.record
            if record.name in given:
                data[record.name] = given[record.name]
            elif tensor.is_sparse or record.external is not None:
                data[record.name] = buffer_of(own[record.name], record.dtype)
        return data
