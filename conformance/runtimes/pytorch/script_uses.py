"""How a TorchScript graph uses the tensors that its archive stores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.pytorch.script_graph import READ, Graph, constant_of
from conformance.runtimes.pytorch.uses import HANDS_ON, Step, uses_of
from conformance.runtimes.roles import Use

_CONSTANT, _BRANCH, _LOOP = "prim::Constant", "prim::If", "prim::Loop"
_LISTED = "prim::ListConstruct"
_HANDS_ON = frozenset(
    f"prim::{name}"
    for name in (
        *("ListConstruct", "ListUnpack", "TupleConstruct", "TupleIndex", "TupleSlice"),
        *("TupleUnpack", "DictConstruct", "ConstantChunk", "NumToTensor", "VarConcat", "VarStack"),
        *("tolist", "unchecked_cast", "unchecked_unwrap_optional"),
    )
)
_GOES_ON = 2
"""The inputs of a loop before those that it carries: how often, and whether at all."""

_Named = Callable[[str], list[str]]


class ScriptUses:
    """The uses of stored tensors by name, and which of them the graph reads at all.

    ``names_at`` returns the names of the tensors at a path of attributes; ``constants`` are the
    tensors of the code. In the compiled graph these have lost their names: they are found by their
    values, and those of equal ones are used alike. ``read`` does not have what only attributes are.
    """

    def __init__(
        self,
        torch: Any,
        graph: Graph,
        ranks: Mapping[str, int],
        names_at: _Named,
        constants: Mapping[str, Array],
    ) -> None:
        self._torch = torch
        self._names_at = names_at
        self._at: dict[str, list[str]] = {}
        self._seen: dict[object, object] = {}
        self._constants: dict[object, list[str]] = {}
        for name, array in constants.items():
            self._constants.setdefault(_fingerprint(array), []).append(name)
        self.read: set[str] = set()
        self.of: Mapping[str, frozenset[Use]] = uses_of(
            self._steps(graph), ranks, graph.input_names(), graph.output_names()
        )

    def _steps(self, graph: Graph) -> Iterator[Step]:
        for node in graph.nodes():
            results = [value.debugName() for value in node.outputs()]
            if node.kind() == READ:
                yield from self._attribute(graph, node, results)
            elif node.kind() == _CONSTANT:
                names = self._constant(node.output())
                self.read.update(names)
                yield Step(HANDS_ON, {"0": names}, results)
            elif node.kind() in (_BRANCH, _LOOP):
                yield from _inner_steps(node, results)
            else:
                yield _step(self._torch, node, results)

    def _attribute(self, graph: Graph, node: Any, results: list[str]) -> Iterator[Step]:
        """Yield what hands on the tensors of an attribute; of a module, its attributes are read."""
        path = graph.attribute(node)
        if node.output().type().kind() == "ClassType" or not path:
            return
        place = f"attribute {path}"
        if path not in self._at:
            self._at[path] = self._names_at(path)
            yield Step(HANDS_ON, {"0": self._at[path]}, [place])
        yield Step(HANDS_ON, {"0": [place]}, results)

    def _constant(self, value: Any) -> list[str]:
        """Return the names of the stored tensors that are, or are in, a constant."""
        if not self._constants:
            return []
        found = (self._fingerprint(each) for each in _tensors_in(self._torch, value))
        return [name for each in found for name in self._constants.get(each, ())]

    def _fingerprint(self, tensor: Any) -> object:
        """Return that of a tensor, computed once for all nodes that hold it."""
        place = tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride()
        if place not in self._seen:
            self._seen[place] = _fingerprint(_bits(self._torch, tensor))
        return self._seen[place]


def _step(torch: Any, node: Any, results: list[str]) -> Step:
    inputs = list(node.inputs())
    if node.kind() in _HANDS_ON:
        return Step(HANDS_ON, {"0": [value.debugName() for value in inputs]}, results)
    names = _argument_names(torch, node.schema()) if node.kind().startswith("aten::") else ()
    arguments: dict[str, list[str]] = {}
    along: object = None
    for place, value in enumerate(inputs):
        name = names[place] if place < len(names) else str(place)
        arguments[name] = [value.debugName()]
        if name == "indices" and value.node().kind() == _LISTED:
            arguments[name] = [_or_nothing(each) for each in value.node().inputs()]
        if name == "dim":
            along = constant_of(value)
    return Step(node.kind().partition("::")[2], arguments, results, along)


def _inner_steps(node: Any, results: list[str]) -> Iterator[Step]:
    """Yield what a branch or a loop hands to and from its blocks, whose nodes follow."""
    inputs = [value.debugName() for value in node.inputs()]
    is_loop = node.kind() == _LOOP
    begin = _GOES_ON if is_loop else 1
    yield Step(node.kind(), {"choice": inputs[:begin]}, ())
    for block in node.blocks():
        takes = [value.debugName() for value in block.inputs()][1:] if is_loop else []
        gives = [value.debugName() for value in block.outputs()]
        if is_loop:
            yield Step(node.kind(), {"choice": gives[:1]}, ())
            gives = gives[1:]
            yield from _passing(inputs[begin:], takes)
            yield from _passing(inputs[begin:], results)
            yield from _passing(gives, takes)
        yield from _passing(gives, results)


def _passing(sources: list[str], results: list[str]) -> Iterator[Step]:
    for source, result in zip(sources, results, strict=True):
        yield Step(HANDS_ON, {"0": [source]}, [result])


def _or_nothing(value: Any) -> str:
    return "" if value.type().kind() == "NoneType" else str(value.debugName())


@cache
def _argument_names(torch: Any, schema: str) -> tuple[str, ...]:
    return tuple(argument.name for argument in torch._C.parse_schema(schema).arguments)


def _tensors_in(torch: Any, value: Any) -> Iterator[Any]:
    """Yield the tensors of a constant, those in lists, tuples and dictionaries too."""
    if value.type().kind() not in ("TensorType", "ListType", "TupleType", "DictType"):
        return
    waiting = [value.toIValue()]
    while waiting:
        each = waiting.pop()
        if isinstance(each, torch.Tensor):
            yield each
        elif isinstance(each, list | tuple):
            waiting += each
        elif isinstance(each, dict):
            waiting += each.values()


def _bits(torch: Any, tensor: Any) -> Array:
    """Return the elements of a tensor in a type that NumPy has."""
    tensor = tensor.detach().resolve_conj().resolve_neg().contiguous()
    if str(tensor.dtype).removeprefix("torch.") in _EXTENDED:
        tensor = tensor.view(torch.uint8 if tensor.itemsize == 1 else torch.int16)
    array: Array = tensor.numpy()
    return array


_EXTENDED = {
    *("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"),
    "float8_e8m0fnu",
}


def _fingerprint(array: Array) -> tuple[object, ...]:
    """Return what is equal for tensors of one shape, size of element, and values."""
    data: Any = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    digest = hashlib.sha256(memoryview(data)).digest()
    return array.shape, array.dtype.itemsize, digest
