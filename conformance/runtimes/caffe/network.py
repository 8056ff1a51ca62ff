"""A Caffe network: its ports, its parameters, and its translation that is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conformance.runtimes._protocol import Array, ModelSource, PortInfo, Unread
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.batching import Run
from conformance.runtimes.caffe.caffemodel import read_blobs
from conformance.runtimes.caffe.graph import Graph, build_graph
from conformance.runtimes.caffe.layers import KINDS
from conformance.runtimes.caffe.options import numbers_in
from conformance.runtimes.caffe.phases import layers_to_test
from conformance.runtimes.caffe.prototxt import check_text_size, read_prototxt, unread_in_text
from conformance.runtimes.caffe.stored import (
    StoredBlobs,
    check_content,
    parameter_name,
    place_parameters,
    stored_tensors,
    unread_in,
)
from conformance.runtimes.caffe.translation import OnnxEngine
from conformance.runtimes.libraries import versions_of
from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.roles import Inventory, MadeLate, StoredTensor
from conformance.verdicts import ConformanceError, Location

_FILES = 2


class CaffeNetwork(ParameterNetwork):
    """A prototxt and its caffemodel; see :class:`conformance.runtimes.Network`."""

    def __init__(self, source: ModelSource) -> None:
        super().__init__(source.display[0])
        _check_files(source)
        net = read_prototxt(source.files[0], self.file)
        self._text = source.files[0]
        self._graph = build_graph(net, self.file, source.limit_bytes)
        check_text_size(source.files[0], self.file, len(self._graph.layers))
        self._mapped = MappedFile(source.files[1], source.display[1])
        try:
            self._read(source.limit_bytes)
        except BaseException:
            self._mapped.close()
            raise
        self.unused_files = source.display[_FILES:]

    def _read(self, limit_bytes: int) -> None:
        graph, file = self._graph, self._mapped.display
        places = place_parameters(graph, read_blobs(self._mapped), file, limit_bytes)
        check_content(self._mapped, places)
        self._value_bytes = sum(place.blob.span.size for place in places.values())
        self._blobs = StoredBlobs(self._mapped, places)
        self.inventory = Inventory(
            stored_tensors(self._blobs, places, _used_parameters(graph)),
            file=self.file,
            loose=_loose(graph),
            operators=len(graph.layers),
        )
        self.inputs = _ports(graph, graph.inputs)
        self.outputs = _ports(graph, graph.outputs)
        self._engine = OnnxEngine(graph)
        self.settings = self._engine.settings
        self.versions = {**self._engine.versions, **versions_of("protobuf")}

    def close(self) -> None:
        """Unmap the caffemodel."""
        self._mapped.close()

    def _unread(self) -> Iterator[Unread]:
        layers = len(self._graph.layers)
        yield from unread_in_text(self._text, self.file)
        net = read_prototxt(self._text, self.file)
        kept = sum(each.ByteSize() for each in layers_to_test(net, self.file))
        spare = sum(each.ByteSize() for each in net.layer) - kept
        yield Unread(self.file, "layers of the training phase", spare if net.layer else 0)
        yield unread_in(self._mapped, self._value_bytes, layers)

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        own, given = self._blobs, tensors or {}
        return self._engine.load(
            MadeLate(own, lambda name: given[name] if name in given else own[name])
        )


def _check_files(source: ModelSource) -> None:
    if len(source.files) < _FILES:
        raise ConformanceError(
            "a Caffe network is made of two files",
            where=Location(source.display[0]),
            expected="a prototxt, and a caffemodel",
            found=", ".join(source.display),
            fix="List the prototxt first and the caffemodel second under the model's files.",
        )


def _ports(graph: Graph, numbers: Sequence[int]) -> tuple[PortInfo, ...]:
    values = (graph.values[number] for number in numbers)
    return tuple(PortInfo(value.name, "float32", value.shape) for value in values)


def _loose(graph: Graph) -> list[StoredTensor]:
    found = (numbers_in(layer.node, KINDS[layer.node.type]) for layer in graph.layers)
    return [numbers for numbers in found if numbers is not None]


def _used_parameters(graph: Graph) -> set[str]:
    """Return the parameters of layers that an output depends on."""
    needed, used = set(graph.outputs), set()
    for layer in reversed(graph.layers):
        if needed.intersection(layer.tops):
            needed.update(layer.bottoms)
            used |= {parameter_name(layer, weight) for weight in layer.weights}
    return used
