"""The graph of a prototxt in the test phase: layers, and the values that flow between them.

Caffe names blobs, and a layer may write over its own input. Here every value has a number of its
own, so that nothing depends on names or on what is written over what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.runtimes.caffe.inputs import declared_inputs
from conformance.runtimes.caffe.layers import KINDS, REFUSED, Inferred, Node, Shape, Weight, refusal
from conformance.runtimes.caffe.options import check_options
from conformance.runtimes.caffe.phases import layers_to_test
from conformance.runtimes.caffe.sizes import SizeCheck
from conformance.verdicts import Location, MalformedError, UnsupportedError

MAX_LAYERS = 10_000

MAX_NAME = 1024
"""The most characters of a name of a layer or of a blob: messages show them."""


@dataclass(frozen=True, slots=True)
class Value:
    """A blob at one point of the network; ``name`` is Caffe's, and not unique."""

    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, the numbers of the values it takes and makes, and what it learns."""

    node: Node
    bottoms: tuple[int, ...]
    tops: tuple[int, ...]
    weights: tuple[Weight, ...]

    @property
    def name(self) -> str:
        """Its name in both files."""
        return self.node.name


@dataclass(slots=True)
class Graph:
    """A network: ``inputs`` and ``outputs`` are numbers of ``values``, ``layers`` in order."""

    file: str
    values: list[Value] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)


def build_graph(net: Any, file: str, limit_bytes: int) -> Graph:
    """Return the graph of ``net``, every shape worked out.

    Raises MalformedError if it is not a network, LimitError if its values together take more than
    ``limit_bytes``, UnsupportedError for a layer or an option that cannot be run.
    """
    layers = layers_to_test(net, file)
    if len(layers) > MAX_LAYERS:
        raise MalformedError(
            "the prototxt has too many layers",
            where=Location(file=file, element="layer"),
            expected=f"at most {MAX_LAYERS}",
            found=str(len(layers)),
            fix="Submit a smaller network.",
        )
    _check_names(layers, file)
    builder = _Builder(Graph(file), SizeCheck(file, limit_bytes))
    for name, shape in declared_inputs(net, layers, file):
        builder.add_input(name, shape)
    for layer in layers:
        # Before what such a layer is the cause of: that nothing makes the label which it takes.
        if layer.type in REFUSED:
            raise _refused(layer, file)
    for layer in layers:
        if layer.type != "Input":
            builder.add_layer(layer)
    return builder.finished()


def _check_names(layers: Sequence[Any], file: str) -> None:
    for place, layer in enumerate(layers):
        longest = max(len(name) for name in (layer.name, layer.type, *layer.bottom, *layer.top))
        if longest > MAX_NAME:
            raise MalformedError(
                "a name in the prototxt is too long",
                where=Location(file=file, element=f"layer {place} of the test phase"),
                expected=f"at most {MAX_NAME} characters",
                found=f"{longest} characters",
                fix="Rename the layer or the blob.",
            )


def _refused(layer: Any, file: str) -> UnsupportedError:
    reason, fix = refusal(layer.type)
    return UnsupportedError(
        f"layer {layer.name!r} is of type {layer.type!r}: {reason}",
        where=Location(file, element=f"layer {layer.name!r} ({layer.type})"),
        expected="layers that compute outputs from inputs, of the types listed in "
        "docs/runtimes-caffe.md",
        found=layer.type or "no type",
        fix=fix,
    )


class _Builder:
    def __init__(self, graph: Graph, sizes: SizeCheck) -> None:
        self._graph = graph
        self._sizes = sizes
        self._current: dict[str, int] = {}
        self._learning: set[str] = set()
        self._shared: set[str] = set()

    def add_input(self, name: str, shape: Shape) -> None:
        if name in self._current:
            raise self._twice(name, f"input {name!r}")
        self._sizes.add([shape], f"input {name!r}")
        self._graph.inputs.append(self._new(name, shape))

    def add_layer(self, message: Any) -> None:
        bottoms = tuple(self._value(name, message) for name in message.bottom)
        node = self._node(message, bottoms)
        inferred = KINDS[node.type].infer(node)
        self._sizes.add(inferred.tops, node.where.element or "", inferred.scratch_bytes)
        self._check_learning(node, inferred, message)
        self._check_tops(node, message)
        tops = tuple(
            self._new(name, shape) for name, shape in zip(message.top, inferred.tops, strict=True)
        )
        self._graph.layers.append(Layer(node, bottoms, tops, inferred.weights))

    def finished(self) -> Graph:
        """Return the graph; its outputs are the values that no layer takes."""
        graph = self._graph
        taken = {number for layer in graph.layers for number in layer.bottoms}
        made = (number for layer in graph.layers for number in layer.tops)
        graph.outputs = [number for number in made if number not in taken]
        if not graph.outputs:
            raise MalformedError(
                "the network has no output",
                where=Location(file=graph.file, element="layer"),
                expected="a layer whose output no other layer takes",
                found=f"{len(graph.layers)} layers without one",
                fix="Remove the layers that use up the output (Silence).",
            )
        return graph

    def _new(self, name: str, shape: Shape) -> int:
        self._current[name] = len(self._graph.values)
        self._graph.values.append(Value(name, shape))
        return self._current[name]

    def _value(self, name: str, message: Any) -> int:
        if name not in self._current:
            raise MalformedError(
                f"layer {message.name!r} takes {name!r}, which nothing makes before it",
                where=Location(file=self._graph.file, element=f"layer {message.name!r}"),
                expected="the name of an input, or of an output of an earlier layer",
                found=repr(name),
                fix="Correct the bottom of the layer, or put the layers in order.",
            )
        return self._current[name]

    def _node(self, message: Any, bottoms: Sequence[int]) -> Node:
        known = KINDS.get(message.type)
        if known is None:
            raise _refused(message, self._graph.file)
        node = Node(
            file=self._graph.file,
            name=message.name,
            type=message.type,
            options=getattr(message, known.options) if known.options else None,
            bottoms=tuple(self._graph.values[number].shape for number in bottoms),
            tops=len(message.top),
        )
        check_options(node, known, message)
        return node

    def _check_tops(self, node: Node, message: Any) -> None:
        """Refuse a name that is taken, but for a layer that writes over its own input."""
        made: set[str] = set()
        for place, name in enumerate(message.top):
            in_place = place < len(message.bottom) and message.bottom[place] == name
            if (name in self._current and not in_place) or name in made:
                raise self._twice(name, node.where.element or "")
            made.add(name)

    def _check_learning(self, node: Node, inferred: Inferred, message: Any) -> None:
        """Refuse learning layers that a caffemodel could not distinguish, or that share blobs."""
        if not inferred.weights:
            return
        named = [param.name for param in message.param if param.name]
        shared = set(named)
        node.require(
            bool(node.name) and node.name not in self._learning,
            *("its name is empty or taken", "a unique name", repr(node.name)),
        )
        doubled = {name for name, times in Counter(named).items() if times > 1} | (
            shared & self._shared
        )
        if doubled:
            raise node.unsupported(
                "it shares learned blobs with another layer, or two of its blobs have one name",
                *("its own blobs", f"param name {min(doubled)!r}"),
                'Remove "name" from the "param" of the layers: the caffemodel has blobs for each.',
            )
        self._learning.add(node.name)
        self._shared |= shared

    def _twice(self, name: str, element: str) -> MalformedError:
        return MalformedError(
            f"the blob {name!r} is made twice",
            where=Location(file=self._graph.file, element=element),
            expected="a new name for every output, or that of the input in the same place",
            found=repr(name),
            fix="Rename the output (top) of the layer.",
        )
