"""A copy of a graph that computes as the file says, and shows where float16 or bfloat16 overflows.

ONNX Runtime's CPU provider computes most operators on float16 in float32, and casts between two of
them are left out, so that no infinity appears where any device that has float16 gives one. In the
copy every operator computes in float32, and what it writes is rounded to the type that the file
says. A probe looks at each such tensor before it is rounded: the largest magnitude that is finite
in float32 and infinite in the type. Bodies of If, Loop and Scan hand the results of their probes
out; local functions are written out first.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import final

import numpy as np
from google.protobuf.message import DecodeError, EncodeError
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    TypeProto,
    ValueInfoProto,
    helper,
    inliner,
    numpy_helper,
    shape_inference,
    version_converter,
)

from conformance.runtimes._protocol import Array
from conformance.runtimes.onnx.functions import (
    STANDARD,
    all_nodes,
    function_key,
    subgraphs,
    title,
)
from conformance.runtimes.onnx.masked import BOTH, POSITIVE, absorbed, is_sum, keeps

HALF: Mapping[int, str] = {TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}
"""The types of 16 bits, and their names."""

THRESHOLD: Mapping[str, float] = {"float16": 65520.0, "bfloat16": float.fromhex("0x1.ffp+127")}
"""The smallest magnitude that rounds to infinity, to nearest with ties to even."""

OLDEST_OPSET = 9
"""The first operator set with Where and Scan as they are used here."""

_LARGEST: Mapping[int, float] = {
    TensorProto.FLOAT16: 65504.0,
    TensorProto.BFLOAT16: float.fromhex("0x1.fep+127"),
    TensorProto.FLOAT: float(np.finfo(np.float32).max),
}
_ADDITIVE = frozenset({"Add", "Sub", "Sum"})
_TYPE_ATTRIBUTES = frozenset(
    {
        *("to", "dtype", "output_dtype", "output_datatype", "stash_type"),
        *("precision", "softmax_precision", "qk_matmul_precision"),
    }
)
_BODIES = frozenset({"If", "Loop", "Scan"})
_BOUNDS_AS_INPUTS = 11
"""The first operator set in which Clip takes its bounds as inputs."""

_UNKNOWN = -1
_FAULTS = (
    *(shape_inference.InferenceError, version_converter.ConvertError),
    *(DecodeError, EncodeError, RuntimeError, ValueError),
)


@dataclass(frozen=True, slots=True)
class Probe:
    """A tensor of 16 bits that an operator writes; ``place`` says which node of which graph."""

    tensor: str
    operator: str
    place: str
    type: str


@dataclass(frozen=True, slots=True)
class HalfCopy:
    """The copy: ``output`` has a magnitude for each probe, 0 where nothing overflows.

    ``inputs`` are the names in the copy of inputs that it takes under a different name.
    ``unreached`` says in words which tensors have no probe.
    """

    model: ModelProto
    probes: tuple[Probe, ...]
    output: str
    inputs: Mapping[str, str]
    unreached: tuple[str, ...]


def writes_half(model: ModelProto, stored: Iterable[int]) -> bool:
    """Return whether anything in a model is float16 or bfloat16.

    ``stored`` are the element types of the stored tensors that ``model`` does not hold.
    """
    if any(each in HALF for each in stored):
        return True
    nodes = [*all_nodes(model.graph.node)]
    attributes: list[AttributeProto] = []
    for function in model.functions:
        nodes += all_nodes(function.node)
        attributes += function.attribute_proto
    attributes += (each for node in nodes for each in node.attribute)
    # What a function takes as a type may have any name where it is called.
    types = _TYPE_ATTRIBUTES.union(each.ref_attr_name for each in attributes)
    if any(_is_half_attribute(each, types) for each in attributes):
        return True
    graphs = [model.graph, *(graph for node in nodes for _, graph in subgraphs(node))]
    return any(
        value.type.tensor_type.elem_type in HALF
        for graph in graphs
        for value in (*graph.input, *graph.output)
    )


def half_copy(model: ModelProto, types: Mapping[str, int]) -> HalfCopy:
    """Return the copy of ``model``; ``types`` are element types that its inference may not find.

    Raises ValueError, with a reason in words, where there can be no copy.
    """
    version = _opset(model)
    if version < OLDEST_OPSET:
        raise ValueError(f"its operator set is {version}, and probes need {OLDEST_OPSET} or later")
    return _Copy(model, types).result()


def _opset(model: ModelProto) -> int:
    versions = {each.domain: each.version for each in model.opset_import}
    return max((versions[name] for name in STANDARD if name in versions), default=OLDEST_OPSET)


def written_out(model: ModelProto) -> ModelProto:
    """Return a model without local functions, and with the types of its values where known.

    Raises ValueError if a function cannot be written out.
    """
    named = ModelProto()
    named.CopyFrom(model)
    for function in named.functions:
        for node in function.node:
            node.name = f"{title(function_key(function))}.{node.name or node.op_type}"
    try:
        if named.functions:
            # To convert a function to the model's operator set, types around it must be known.
            known = shape_inference.infer_shapes(named)
            named = inliner.inline_local_functions(known, convert_version=True)
        return shape_inference.infer_shapes(named)
    except _FAULTS as error:
        raise ValueError(f"it cannot be analysed: {' '.join(str(error).split())[:200]}") from error


def unknown_types(model: ModelProto) -> tuple[str, ...]:
    """Return the values of the main graph whose types inference did not find."""
    known = _types(model.graph)
    return tuple(
        name for node in model.graph.node for name in node.output if name and name not in known
    )


def _types(graph: GraphProto) -> dict[str, int]:
    """Return the element types of values; 0 for what is not a tensor."""
    values = (*graph.input, *graph.output, *graph.value_info)
    found = {
        value.name: value.type.tensor_type.elem_type
        for value in values
        if value.type.WhichOneof("value") is not None
        and (not value.type.HasField("tensor_type") or value.type.tensor_type.elem_type)
    }
    return found | {tensor.name: tensor.data_type for tensor in graph.initializer}


def _is_half_attribute(attribute: AttributeProto, types: Set[str] = _TYPE_ATTRIBUTES) -> bool:
    tensors = [attribute.t, *attribute.tensors]
    protos = [attribute.tp, *attribute.type_protos]
    return (
        (attribute.name in types and attribute.i in HALF)
        or any(tensor.data_type in HALF for tensor in tensors)
        or any(_holds_half(each) for each in protos)
        or attribute.sparse_tensor.values.data_type in HALF
    )


def _holds_half(type: TypeProto) -> bool:
    widened = TypeProto()
    widened.CopyFrom(type)
    _widen(widened)
    return widened != type


def _widen(type: TypeProto) -> None:
    """Make a type of 16-bit numbers one of float32."""
    kind = type.WhichOneof("value")
    if kind == "tensor_type":
        if type.tensor_type.elem_type in HALF:
            type.tensor_type.elem_type = TensorProto.FLOAT
    elif kind == "sequence_type":
        _widen(type.sequence_type.elem_type)
    elif kind == "optional_type":
        _widen(type.optional_type.elem_type)
    elif kind == "map_type":
        _widen(type.map_type.value_type)


@dataclass(slots=True)
class _Body:
    """A graph being rewritten: its new nodes, and the results of its probes, in their order.

    ``absorbed`` are the infinities that make no difference, by value. ``masked`` are the results
    that masks kept out of a probe, by its place in ``results``, with the limit of its type;
    ``sums`` the probes whose masked sums a value holds; ``unmasked`` whether a mask was taken away
    from such a sum, by probe.
    """

    types: Mapping[str, int]
    place: str
    absorbed: Mapping[str, frozenset[int]] = field(default_factory=dict)
    masked: dict[int, tuple[str, float]] = field(default_factory=dict)
    sums: dict[str, frozenset[int]] = field(default_factory=dict)
    unmasked: dict[int, list[str]] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)

    def add(self, operator: str, inputs: Sequence[str], output: str, **settings: int) -> str:
        node = NodeProto(op_type=operator, input=inputs, output=[output])
        node.attribute.extend(helper.make_attribute(*each) for each in settings.items())
        self.nodes.append(node)
        return output


@final
class _Copy:
    """Rewrites one model in place."""

    def __init__(self, model: ModelProto, types: Mapping[str, int]) -> None:
        self._model = model
        self._types = types
        self._version = _opset(model)
        self._taken = _names(model.graph)
        self._count = 0
        self._constants: dict[bytes, TensorProto] = {}
        self._unreached: list[str] = []
        self._inputs: dict[str, str] = {}

    def result(self) -> HalfCopy:
        graph = self._model.graph
        body = self._rewritten(graph, self._types, "")
        output = self._new("overflows")
        if body.probes:
            body.add("Concat", body.results, output, axis=0)
            graph.output.append(_vector(output, len(body.probes)))
        self._finish(graph, body)
        graph.initializer.extend(self._constants.values())
        return HalfCopy(
            self._model, tuple(body.probes), output, self._inputs, tuple(self._unreached)
        )

    def _rewritten(self, graph: GraphProto, outer: Mapping[str, int], place: str) -> _Body:
        body = _Body({**outer, **_types(graph)}, place, absorbed(graph, main=not place))
        for tensor in graph.initializer:
            if tensor.data_type in HALF:
                name, tensor.name = tensor.name, self._new(tensor.name)
                body.add("Cast", [tensor.name], name, to=TensorProto.FLOAT)
        for value in graph.input:
            if not place and value.type.tensor_type.elem_type in HALF:
                self._inputs[value.name] = name = self._new(value.name)
                body.add("Cast", [name], value.name, to=TensorProto.FLOAT)
                value.name = name
            elif place:
                _widen(value.type)
        for index, node in enumerate(graph.node):
            self._node(node, index, body)
        self._settle(body)
        return body

    def _finish(self, graph: GraphProto, body: _Body) -> None:
        for value in graph.output:
            _widen(value.type)
        # ONNX Runtime finds them again, in the types of the copy.
        del graph.value_info[:]
        del graph.node[:]
        graph.node.extend(body.nodes)

    def _node(self, node: NodeProto, index: int, body: _Body) -> None:
        place = f"{body.place}node {node.name or index}"
        standard = node.domain in STANDARD
        copy = NodeProto()
        copy.CopyFrom(node)
        if standard and node.op_type == "Constant":
            self._constant(copy, body)
            return
        if any(True for _ in subgraphs(node)):
            if standard and node.op_type in _BODIES:
                self._control(copy, place, body)
            else:
                self._unreached.append(f"the bodies of {node.op_type} ({place})")
                body.nodes.append(copy)
            return
        if standard and node.op_type == "BitCast":
            self._unreached.append(f"{node.output[0]!r}: bits are reinterpreted ({place})")
        for attribute in copy.attribute:
            _widen_attribute(attribute)
        if standard and node.op_type == "Clip" and self._version >= _BOUNDS_AS_INPUTS:
            self._bound(copy, body.types.get(node.output[0], _UNKNOWN))
        self._follow(node, body)
        body.nodes.append(copy)
        for position, name in enumerate(node.output):
            kind = body.types.get(name, _UNKNOWN)
            if name and kind == _UNKNOWN and _may_be_half(node, body.types):
                self._unreached.append(f"{name!r}: the type that {node.op_type} writes is unknown")
            if name and kind in HALF:
                copy.output[position] = self._new(name)
                probe = Probe(name, node.op_type, place, HALF[kind])
                self._probed(copy.output[position], name, kind, node, probe, body)

    def _bound(self, clip: NodeProto, kind: int) -> None:
        """Give a Clip of 16 bits the bounds that it has if the file names none."""
        if kind in HALF:
            clip.input.extend([""] * (3 - len(clip.input)))
            for position, sign in ((1, -1), (2, 1)):
                bound = clip.input[position] or self._number(sign * _LARGEST[kind])
                clip.input[position] = bound

    def _constant(self, node: NodeProto, body: _Body) -> None:
        name = node.output[0]
        is_half = any(each.t.data_type in HALF for each in node.attribute)
        body.nodes.append(node)
        if is_half:
            node.output[0] = self._new(name)
            body.add("Cast", [node.output[0]], name, to=TensorProto.FLOAT)

    def _probed(
        self, wide: str, name: str, type: int, node: NodeProto, probe: Probe, body: _Body
    ) -> None:
        """Round ``wide`` to ``name``, and add the largest magnitude that becomes infinite so."""
        body.add("Cast", [wide], (rounded := self._new(name)), to=type)
        body.add("Cast", [rounded], name, to=TensorProto.FLOAT)
        size = body.add("Abs", [wide], self._new(name))
        bad = self._greater(size, THRESHOLD[probe.type], body)
        finite = body.add("Less", [size, self._number(math.inf)], self._new(name))
        bad = body.add("And", [bad, finite], self._new(name))
        masks = [self._is_mask(each, limit, body) for each, limit in _masks(node, type, body.types)]
        signs = BOTH if node.op_type not in _ADDITIVE else body.absorbed.get(name, BOTH)
        if masks and signs:
            mask = functools.reduce(
                lambda one, other: body.add("Or", [one, other], self._new(name)), masks
            )
            if signs != BOTH:
                below = ["Less", "Greater"][POSITIVE in signs]
                side = body.add(below, [wide, self._number(0.0)], self._new(name))
                mask = body.add("And", [mask, side], self._new(name))
            if node.op_type in _ADDITIVE:
                spared = body.add("And", [bad, mask], self._new(name))
                kept = self._largest(spared, size, body)
                body.masked[len(body.results)] = kept, _LARGEST[type]
                body.sums[name] = body.sums.get(name, frozenset()) | {len(body.results)}
            bad = body.add("And", [bad, body.add("Not", [mask], self._new(name))], self._new(name))
        body.results.append(self._largest(bad, size, body))
        body.probes.append(probe)

    def _follow(self, node: NodeProto, body: _Body) -> None:
        """Note where sums of masks go, and whether the mask is taken away from them again."""
        given = (name for place, name in enumerate(node.input) if keeps(node, place))
        sums = frozenset[int]().union(*(body.sums.get(name, ()) for name in given))
        if not sums:
            return
        body.sums.update(dict.fromkeys(node.output, sums))
        if is_sum(node):
            one, other = node.input
            least = min(body.masked[each][1] for each in sums)
            product = body.add("Mul", [one, other], self._new(one))
            # Of a difference, what is subtracted has the sign of the mask.
            against = "Greater" if node.op_type == "Sub" else "Less"
            away = body.add(against, [product, self._number(0.0)], self._new(one))
            for operand in (one, other):
                mask = self._is_mask(operand, least, body)
                away = body.add("And", [away, mask], self._new(one))
            for each in sums:
                found = self._largest(away, self._number(1.0), body)
                body.unmasked.setdefault(each, []).append(found)

    def _settle(self, body: _Body) -> None:
        """Count what masks kept out of a probe where a mask was taken away again."""
        for place, found in body.unmasked.items():
            away = body.add("Max", found, self._new("away"))
            lost = body.add("Mul", [away, body.masked[place][0]], self._new("lost"))
            result = body.results[place]
            body.results[place] = body.add("Max", [result, lost], self._new(result))

    def _largest(self, chosen: str, size: str, body: _Body) -> str:
        """Return the name of: the largest of the sizes that are chosen, 0 if none is."""
        found = body.add("Where", [chosen, size, self._number(0.0)], self._new(size))
        flat = body.add("Reshape", [found, self._constant_of(np.array([-1]))], self._new(size))
        # A tensor without elements has no largest one.
        some = body.add("Concat", [flat, self._zeros(1)], self._new(size), axis=0)
        return body.add("ReduceMax", [some], self._new(size), keepdims=1)

    def _is_mask(self, operand: str, least: float, body: _Body) -> str:
        near = body.add("Abs", [operand], self._new(operand))
        return self._greater(near, least, body)

    def _greater(self, size: str, least: float, body: _Body) -> str:
        """Return the name of: magnitudes of at least ``least``."""
        below = float(np.nextafter(np.float32(least), np.float32(0)))
        return body.add("Greater", [size, self._number(below)], self._new(size))

    def _control(self, node: NodeProto, place: str, body: _Body) -> None:
        bodies = [
            (graph, self._rewritten(graph, body.types, f"{place}.{name} "))
            for name, graph in subgraphs(node)
        ]
        total = sum(len(inner.probes) for _, inner in bodies)
        if total:
            {"If": self._branches, "Loop": self._loop, "Scan": self._scan}[node.op_type](
                node, bodies, total, body
            )
            body.probes += [probe for _, inner in bodies for probe in inner.probes]
        for graph, inner in bodies:
            self._finish(graph, inner)
        body.nodes.append(node)

    def _branches(
        self, node: NodeProto, bodies: list[tuple[GraphProto, _Body]], total: int, body: _Body
    ) -> None:
        """Let each branch give its own results, and zeros for those of the other one."""
        for graph, inner in bodies:
            parts = [
                name
                for _, each in bodies
                if each.probes
                for name in (each.results if each is inner else [self._zeros(len(each.probes))])
            ]
            output = inner.add("Concat", parts, self._new("branch"), axis=0)
            graph.output.append(_vector(output, total))
        node.output.append(self._new("if"))
        body.results.append(node.output[-1])

    def _loop(
        self, node: NodeProto, bodies: list[tuple[GraphProto, _Body]], total: int, body: _Body
    ) -> None:
        """Carry the largest results from round to round, after the loop's own states."""
        node.input.extend([""] * (2 - len(node.input)))
        self._carry(node, bodies[0], total, body, len(node.input) - 2, 2, 1)

    def _scan(
        self, node: NodeProto, bodies: list[tuple[GraphProto, _Body]], total: int, body: _Body
    ) -> None:
        scanned = next(each.i for each in node.attribute if each.name == "num_scan_inputs")
        self._carry(node, bodies[0], total, body, len(node.input) - scanned, 0, 0)

    def _carry(
        self,
        node: NodeProto,
        only: tuple[GraphProto, _Body],
        total: int,
        body: _Body,
        states: int,
        before: int,
        before_outputs: int,
    ) -> None:
        """Add a state to a loop; ``before`` count what its body takes and gives ahead of states."""
        graph, inner = only
        given, kept = self._new("state"), self._new("state")
        found = inner.add("Concat", inner.results, self._new("round"), axis=0)
        inner.add("Max", [given, found], kept)
        graph.input.insert(before + states, _vector(given, total))
        graph.output.insert(before_outputs + states, _vector(kept, total))
        node.input.insert(before + states, self._zeros(total))
        node.output.extend([""] * (states - len(node.output)))
        node.output.insert(states, self._new("loop"))
        body.results.append(node.output[states])

    def _new(self, name: str) -> str:
        while True:
            self._count += 1
            made = f"{name}/half-{self._count}"
            if made not in self._taken:
                return made

    def _number(self, value: float) -> str:
        return self._constant_of(np.float32(value))

    def _zeros(self, count: int) -> str:
        return self._constant_of(np.zeros(count, np.float32))

    def _constant_of(self, value: np.generic | Array) -> str:
        """Return the name of a constant of the main graph, which bodies see as well."""
        tensor = numpy_helper.from_array(np.asarray(value))
        key = tensor.SerializeToString()
        if key not in self._constants:
            tensor.name = self._new("constant")
            self._constants[key] = tensor
        return self._constants[key].name


def _masks(node: NodeProto, type: int, types: Mapping[str, int]) -> Iterator[tuple[str, float]]:
    """Yield what may be a mask at the limit of its type, and that limit.

    Adding to it, and casting it to a type with a nearer limit, makes an infinity of a number that
    stands for one.
    """
    if node.domain not in STANDARD:
        return
    if node.op_type in _ADDITIVE:
        yield from ((name, _LARGEST[type]) for name in node.input)
    elif node.op_type in ("Cast", "CastLike"):
        source = types.get(node.input[0], 0)
        if source in _LARGEST:
            yield node.input[0], _LARGEST[source]


def _may_be_half(node: NodeProto, types: Mapping[str, int]) -> bool:
    read = [types.get(name, _UNKNOWN) for name in node.input if name]
    return any(each in HALF or each == _UNKNOWN for each in read) or any(
        _is_half_attribute(each) for each in node.attribute
    )


def _widen_attribute(attribute: AttributeProto) -> None:
    if attribute.name in _TYPE_ATTRIBUTES and attribute.i in HALF:
        attribute.i = TensorProto.FLOAT
    for tensor in [attribute.t] if attribute.HasField("t") else attribute.tensors:
        if tensor.data_type in HALF:
            wide = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
    if attribute.HasField("tp"):
        _widen(attribute.tp)


def _vector(name: str, length: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [length])


def _names(graph: GraphProto) -> set[str]:
    found = {value.name for value in (*graph.input, *graph.initializer)}
    for node in all_nodes(graph.node):
        found.update(node.output)
        for _, inner in subgraphs(node):
            found.update(value.name for value in (*inner.input, *inner.initializer))
    return found
