"""Where a model stores tensors next to the main graph's initializers, and how to write there.

Every site has a name that a sample can use for it: names of values are those of the graph; in a
branch or loop body the node's first output and the attribute come before it, in a local function
the function's domain and name; an attribute of an operator is called after the node's first output.

    hidden in the then_branch of the node that makes y    y.then_branch.hidden
    k in the function mine.Shift                          mine.Shift.k
    coefficients of the node that makes score             score.coefficients
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType
from conformance.runtimes.onnx.functions import STANDARD, function_key, subgraphs, title
from conformance.runtimes.onnx.usage import Usage
from conformance.runtimes.roles import StoredTensor

Holder: TypeAlias = TensorProto | SparseTensorProto | AttributeProto
"""What holds the elements: a tensor, or an attribute that is itself a list or a single value."""

_KIND = AttributeProto.AttributeType
_TREES = frozenset({"TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"})
_ENUMERATION = "nodes_modes"
_LEARNED = "ai.onnx.ml"
_VALUES = ("default_", "values_", "keys_", "cats_", "classlabels_", "string_vocabulary")
_FEWEST_NUMBERS, _FEWEST_LETTERS = 16, 64
_SWITCHES = (-1, 0, 1)
_FIELDS = {
    _KIND.FLOAT: "f",
    _KIND.INT: "i",
    _KIND.STRING: "s",
    _KIND.FLOATS: "floats",
    _KIND.INTS: "ints",
    _KIND.STRINGS: "strings",
}
ELEMENTS: Mapping[str, DType] = {
    **dict.fromkeys(("f", "floats"), np.dtype(np.float32)),
    **dict.fromkeys(("i", "ints"), np.dtype(np.int64)),
    **dict.fromkeys(("s", "strings"), np.dtype(object)),
}
"""Fields of an attribute that hold a value or a list of them, with their element types."""


@dataclass(frozen=True, slots=True)
class Site:
    """A tensor in ``holder``, which lies in ``parent``.

    ``value`` is the name under which operators read it: several tensors of one attribute have one.
    ``needed`` says whether an output of the model depends on it, ``field`` which field of an
    attribute holds the elements, "" for a tensor.
    """

    name: str
    value: str
    element: str
    needed: bool
    holder: Holder
    parent: GraphProto | AttributeProto
    field: str = ""


@dataclass(slots=True)
class Sites:
    """All sites of ``model``, in the order of the file.

    ``loose`` is what cannot be replaced: numbers and words in attributes of operators.
    """

    model: ModelProto
    tensors: list[Site] = field(default_factory=list)
    loose: list[StoredTensor] = field(default_factory=list)
    usage: Usage = field(init=False)
    _settings: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.usage = Usage(self.model)
        called = self.usage.called(self.model.graph)
        self._graph(self.model.graph, "", "graph", live=True)
        for function in self.model.functions:
            key = function_key(function)
            live = key in called
            needed = self.usage.of_function(function) if live else frozenset()
            place, scope = f"function {function.name}", f"{title(key)}."
            self._nodes(function.node, needed, scope, place)
            for default in function.attribute_proto:
                name, element = f"{scope}{default.name}", f"{place}.{default.name}"
                self._attribute(default, NodeProto(), (name, element), live)
        numbers = np.array(self._settings, np.int64)
        self.loose.append(_loose_tensor("integers that are settings of operators", numbers))

    def _graph(self, graph: GraphProto, scope: str, place: str, live: bool) -> None:
        needed = self.usage.of_graph(graph) if live else frozenset()
        for tensor in graph.initializer:
            self._stored(tensor, tensor.name, graph, (scope, f"{place}.initializer"), needed)
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            self._stored(sparse, name, graph, (scope, f"{place}.sparse_initializer"), needed)
        self._nodes(graph.node, needed, scope, place)

    def _stored(
        self,
        holder: Holder,
        name: str,
        graph: GraphProto,
        around: tuple[str, str],
        needed: frozenset[str],
    ) -> None:
        scope, place = around
        element = f"{place} {name}".rstrip()
        full = scope + name
        self.tensors.append(Site(full, full, element, name in needed, holder, graph))

    def _nodes(
        self, nodes: Iterable[NodeProto], needed: frozenset[str], scope: str, place: str
    ) -> None:
        for index, node in enumerate(nodes):
            output = value_name(node, index)
            here = f"{place}.node[{index}] {node.op_type}" + (f" {node.name}" if node.name else "")
            live = not needed.isdisjoint(node.output)
            for attribute in node.attribute:
                name = scope + output + ("" if is_constant(node) else f".{attribute.name}")
                self._attribute(attribute, node, (name, f"{here}.{attribute.name}"), live)
            for attribute_name, graph in subgraphs(node):
                inner = f"{scope}{output}.{attribute_name}."
                self._graph(graph, inner, f"{here}.{attribute_name}", live)

    def _attribute(
        self, attribute: AttributeProto, node: NodeProto, names: tuple[str, str], live: bool
    ) -> None:
        name, element = names
        if _is_tree(node) and attribute.name == _ENUMERATION:
            return
        held = _list_field(attribute, node)
        if held:
            self.tensors.append(Site(name, name, element, live, attribute, attribute, held))
        for suffix, holder in _holders(attribute):
            full, place = name + suffix, element + suffix
            self.tensors.append(Site(full, name, place, live, holder, attribute))
        self.loose += (_loose_tensor(element, array) for array in _loose(attribute, node))
        if not is_constant(node) and not _is_tree(node):
            # Layers repeat the settings of others, weights do not: in order they are packed well.
            self._settings += _integers(attribute)


def value_name(node: NodeProto, index: int) -> str:
    """Return what a node is called: its first output, or else its own name, or its place."""
    return next((name for name in node.output if name), node.name or f"node[{index}]")


def is_constant(node: NodeProto) -> bool:
    """Return whether a node is the standard operator Constant."""
    return node.op_type == "Constant" and node.domain in STANDARD


def _is_tree(node: NodeProto) -> bool:
    """Return whether a node is a tree: its integers and words say which feature is asked where."""
    return node.op_type in _TREES and node.domain == _LEARNED


def _is(attribute: AttributeProto, *kinds: int) -> bool:
    """Return whether an attribute is of one of these types; before IR version 2 none was said."""
    return attribute.type in (_KIND.UNDEFINED, *kinds)


def elements_of(attribute: AttributeProto, held: str) -> Array:
    """Return what is in the field ``held`` of an attribute: a single value or a list of them."""
    return np.array(getattr(attribute, held), ELEMENTS[held])


def _list_field(attribute: AttributeProto, node: NodeProto) -> str:
    """Return the field of an attribute that holds numbers, or for a Constant anything; "" if none.

    Tensors are in no such field.
    """
    if attribute.ref_attr_name:
        return ""
    if not is_constant(node):
        return "floats" if attribute.floats and _is(attribute, _KIND.FLOATS) else ""
    if attribute.type in _FIELDS:
        return _FIELDS[attribute.type]
    known = (name for name in ("floats", "ints", "strings") if getattr(attribute, name))
    return next(known, "") if attribute.type == _KIND.UNDEFINED else ""


def _holders(attribute: AttributeProto) -> Iterator[tuple[str, TensorProto | SparseTensorProto]]:
    """Yield the tensors in an attribute, with a suffix that distinguishes several."""
    if attribute.HasField("t") and _is(attribute, _KIND.TENSOR):
        yield "", attribute.t
    if attribute.HasField("sparse_tensor") and _is(attribute, _KIND.SPARSE_TENSOR):
        yield "", attribute.sparse_tensor
    if _is(attribute, _KIND.TENSORS):
        yield from ((f"[{index}]", tensor) for index, tensor in enumerate(attribute.tensors))
    if _is(attribute, _KIND.SPARSE_TENSORS):
        yield from ((f"[{i}]", sparse) for i, sparse in enumerate(attribute.sparse_tensors))


def _loose(attribute: AttributeProto, node: NodeProto) -> Iterator[Array]:
    """Yield what an attribute of an operator holds that could be weights in disguise.

    Single floats count once for each value: all layers of a network have one epsilon or slope, and
    a thousand of them may be weights. Short lists of integers are counted together, see above; a
    few words are the settings that operators have, unless an operator gives them as its values.
    Those of a tree are its graph.
    """
    if is_constant(node):
        return
    if attribute.HasField("f") and _is(attribute, _KIND.FLOAT):
        yield np.array(attribute.f, np.float32)
    if _is_tree(node):
        return
    words = [attribute.s, *attribute.strings]
    if len(attribute.ints) >= _FEWEST_NUMBERS:
        yield np.array(attribute.ints, np.int64)
    is_value = node.domain == _LEARNED and attribute.name.startswith(_VALUES)
    if (is_value and any(words)) or sum(len(word) for word in words) >= _FEWEST_LETTERS:
        yield np.array(words, object)


def _integers(attribute: AttributeProto) -> Iterator[int]:
    """Yield the integer or the short list of them that an attribute holds, but for switches."""
    if _is(attribute, _KIND.INTS) and len(attribute.ints) < _FEWEST_NUMBERS:
        yield from (number for number in attribute.ints if number not in _SWITCHES)
    if _is(attribute, _KIND.INT) and attribute.i not in _SWITCHES:
        yield attribute.i


def _loose_tensor(element: str, array: Array) -> StoredTensor:
    return StoredTensor("", element, array.dtype, array.shape, lambda: array)
