"""Where a model stores tensors beside the main graph's initializers, and how to write there.

Every site has a name that a sample can use for it: names of values are those of the graph; in a
branch or loop body the node's first output and the attribute come before it, in a local function
the function's domain and name; an attribute of an operator is called after the node's first output.

    hidden in the then_branch of the node that makes y    y.then_branch.hidden
    k in the function mine.Shift                          mine.Shift.k
    coefficients of the node that makes score             score.coefficients
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

from conformance.runtimes.onnx.functions import STANDARD, function_key, subgraphs, title
from conformance.runtimes.onnx.usage import Usage

Holder: TypeAlias = TensorProto | SparseTensorProto | AttributeProto
"""What holds the numbers: a tensor, or an attribute that is a list of floats."""

_KIND = AttributeProto.AttributeType
_TREES = frozenset({"TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"})
_ACTIVATIONS = frozenset({"activation_alpha", "activation_beta"})
_SETTINGS = {
    "Upsample": frozenset({"scales"}),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _ACTIVATIONS),
}
_ENUMERATION = "nodes_modes"
_LEARNED = "ai.onnx.ml"
_FEWEST_NUMBERS, _FEWEST_LETTERS = 16, 64


@dataclass(frozen=True, slots=True)
class Site:
    """A tensor in ``holder``, which lies in ``parent``.

    ``local`` is its name in its own graph, "" for an attribute. ``needed`` says whether an output
    of the model depends on it, ``setting`` that it is none of the things a network learns, and
    ``learned`` that it is, even if it is a single number.
    """

    name: str
    local: str
    element: str
    needed: bool
    holder: Holder
    parent: GraphProto | AttributeProto
    setting: bool = False
    learned: bool = False


@dataclass(frozen=True, slots=True)
class Loose:
    """Values that cannot be replaced: single floats, integers and texts in attributes."""

    element: str
    count: int


@dataclass(slots=True)
class Sites:
    """All sites of ``model``, in the order of the file, and all loose values."""

    model: ModelProto
    tensors: list[Site] = field(default_factory=list)
    loose: list[Loose] = field(default_factory=list)
    usage: Usage = field(init=False)
    _numbers: set[tuple[str, str, str, float]] = field(default_factory=set)

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
                self._attribute(default, NodeProto(), (name, "", element), live)

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
        self.tensors.append(Site(scope + name, name, element, name in needed, holder, graph))

    def _nodes(
        self, nodes: Iterable[NodeProto], needed: frozenset[str], scope: str, place: str
    ) -> None:
        for index, node in enumerate(nodes):
            output = next((name for name in node.output if name), node.name or f"node[{index}]")
            here = f"{place}.node[{index}] {node.op_type}" + (f" {node.name}" if node.name else "")
            live = not needed.isdisjoint(node.output)
            for attribute in node.attribute:
                name, local = f"{scope}{output}.{attribute.name}", ""
                if is_constant(node):
                    name, local = scope + output, output
                self._attribute(attribute, node, (name, local, f"{here}.{attribute.name}"), live)
            for attribute_name, graph in subgraphs(node):
                inner = f"{scope}{output}.{attribute_name}."
                self._graph(graph, inner, f"{here}.{attribute_name}", live)

    def _attribute(
        self, attribute: AttributeProto, node: NodeProto, names: tuple[str, str, str], live: bool
    ) -> None:
        name, local, element = names
        if _is_tree(node) and attribute.name == _ENUMERATION:
            return
        setting = node.domain in STANDARD and attribute.name in _SETTINGS.get(node.op_type, ())
        learned = node.domain == _LEARNED
        for suffix, holder in _holders(attribute):
            self.tensors.append(
                Site(
                    *(name + suffix, local, element + suffix, live, holder, attribute),
                    setting=setting,
                    learned=learned,
                )
            )
        count = _loose(attribute, node) + self._is_new_number(attribute, node)
        if count:
            self.loose.append(Loose(element, count))

    def _is_new_number(self, attribute: AttributeProto, node: NodeProto) -> bool:
        """Say whether an attribute is a float that no node of this operator had there before.

        All layers of a network have one epsilon or slope; a thousand of them may be weights.
        """
        if not attribute.HasField("f") or not _is(attribute, _KIND.FLOAT) or is_constant(node):
            return False
        key = (node.domain, node.op_type, attribute.name, attribute.f)
        known = len(self._numbers)
        self._numbers.add(key)
        return len(self._numbers) > known


def is_constant(node: NodeProto) -> bool:
    """Say whether a node is the standard operator Constant."""
    return node.op_type == "Constant" and node.domain in STANDARD


def _is_tree(node: NodeProto) -> bool:
    """Say whether a node is a tree: its integers and words say which feature is asked where."""
    return node.op_type in _TREES and node.domain == _LEARNED


def _is(attribute: AttributeProto, *kinds: int) -> bool:
    """Say whether an attribute is of one of these types; before IR version 2 none was said."""
    return attribute.type in (_KIND.UNDEFINED, *kinds)


def _holders(attribute: AttributeProto) -> Iterator[tuple[str, Holder]]:
    """Yield what holds numbers in an attribute, with a suffix that tells several apart."""
    if attribute.floats and _is(attribute, _KIND.FLOATS):
        yield "", attribute
    if attribute.HasField("t") and _is(attribute, _KIND.TENSOR):
        yield "", attribute.t
    if attribute.HasField("sparse_tensor") and _is(attribute, _KIND.SPARSE_TENSOR):
        yield "", attribute.sparse_tensor
    if _is(attribute, _KIND.TENSORS):
        yield from ((f"[{index}]", tensor) for index, tensor in enumerate(attribute.tensors))
    if _is(attribute, _KIND.SPARSE_TENSORS):
        yield from ((f"[{i}]", sparse) for i, sparse in enumerate(attribute.sparse_tensors))


def _loose(attribute: AttributeProto, node: NodeProto) -> int:
    """Return how many integers, or letters, an attribute holds that could be weights in disguise.

    Those of a tree are its graph. Short lists and words are the settings that operators have.
    """
    if _is_tree(node):
        return 0
    letters = sum(len(text) for text in (attribute.s, *attribute.strings))
    if is_constant(node):
        single = attribute.type in (_KIND.INT, _KIND.FLOAT)
        return len(attribute.ints) + letters + single
    numbers = len(attribute.ints)
    return (numbers if numbers >= _FEWEST_NUMBERS else 0) + (
        letters if letters >= _FEWEST_LETTERS else 0
    )
