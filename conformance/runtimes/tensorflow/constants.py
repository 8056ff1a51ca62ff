"""Values that a graph holds itself: constants, which are tensors, and long settings of nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType
from conformance.runtimes.faults import Fault
from conformance.runtimes.libraries import library
from conformance.runtimes.roles import StoredTensor, Use
from conformance.runtimes.tensorflow.dtypes import QUANTISED, STRING, known_dtype
from conformance.runtimes.tensorflow.engine import EXTRA
from conformance.runtimes.tensorflow.faults import DAMAGED, damaged, explained
from conformance.runtimes.tensorflow.uses import MAIN, key_of, uses_of
from conformance.verdicts import LimitError, Location, MalformedError

_NEUTRAL = (0.0, 1.0)
_SETTING = 16
_LONG_TEXT = 64
_UNREADABLE = Fault(
    kind=MalformedError,
    message="a constant cannot be read",
    expected="as many values as its shape says",
    fix=DAMAGED,
)


class Constants:
    """The constants of a graph and of its functions, and what else is stored in nodes.

    ``tensors`` are the constants, by the key of :func:`key_of`; ``loose`` is what no sample can
    bring; ``uses`` are those of all values. Raises LimitError for tensors that unfold to more than
    ``limit_bytes`` together.
    """

    def __init__(self, graph: Any, fetched: Mapping[str, str], file: str, limit_bytes: int) -> None:
        self.uses = uses_of(graph, fetched.values())
        self.tensors: dict[str, StoredTensor] = {}
        self.loose: list[StoredTensor] = []
        self._file = file
        room = limit_bytes
        for scope, node in _nodes(graph):
            place = f"node {node.name} ({node.op})" + (f" of function {scope}" if scope else "")
            room -= self._take(key_of(scope, node.name), node, place)
            if room < 0:
                raise LimitError(
                    "the constants of the graph unfold to more memory than is allowed",
                    where=Location(file=file, element=place),
                    expected=f"at most {limit_bytes} bytes in all",
                    found="more",
                    fix="Submit smaller tensors, or judge them with a higher memory limit.",
                )

    def _take(self, key: str, node: Any, place: str) -> int:
        """Note what a node holds; return the bytes that its tensors unfold to."""
        size = 0
        for name, value in node.attr.items():
            here = f"{place}.{name}"
            self.loose += _settings(value, here)
            for tensor in (value.tensor, *value.list.tensor):
                if not tensor.ByteSize():
                    continue
                dtype = _dtype_of(tensor)
                size += _unfolded(tensor, dtype, here, self._file)
                if dtype is None:
                    # Texts in one piece, lists of tensors, rare types: as the bytes they are.
                    data = np.frombuffer(tensor.SerializeToString(), np.uint8)
                    self.loose.append(_loose(here, data))
                elif node.op == "Const" and name == "value":
                    self.tensors[key] = self._constant(key, tensor, dtype, place)
                else:
                    self.loose.append(self._constant(key, tensor, dtype, here))
        return size

    def _constant(self, key: str, tensor: Any, dtype: DType, place: str) -> StoredTensor:
        uses: frozenset[Use] = self.uses.get(key, frozenset())
        shape = tuple(int(dim.size) for dim in tensor.tensor_shape.dim)
        values = _reading(tensor, dtype, self._file, place)
        return StoredTensor(shown_name(key), place, dtype, shape, values, uses)


def shown_name(key: str) -> str:
    """Return the name of a constant: its node's, after that of the function if it is in one."""
    scope, _, node = key.partition("\0")
    return f"{scope}/{node}" if scope else node


def replaced(graph: Any, arrays: Mapping[str, Array]) -> Any:
    """Return a copy of a GraphDef with other values in constants, by key."""
    copy = type(graph)()
    copy.CopyFrom(graph)
    for scope, node in _nodes(copy):
        array = arrays.get(key_of(scope, node.name))
        if array is not None:
            old = node.attr["value"].tensor
            new = type(old)(dtype=old.dtype, tensor_content=np.ascontiguousarray(array).tobytes())
            new.tensor_shape.CopyFrom(old.tensor_shape)
            old.CopyFrom(new)
    return copy


def _nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    """Yield every node with its scope."""
    for node in graph.node:
        yield MAIN, node
    for function in graph.library.function:
        for node in function.node_def:
            yield function.signature.name, node


def _dtype_of(tensor: Any) -> DType | None:
    """Return the element type of a tensor that can be read; None for any other."""
    if tensor.dtype == STRING:
        return np.dtype(object) if not tensor.tensor_content else None
    return known_dtype(QUANTISED.get(tensor.dtype, tensor.dtype))


def _reading(tensor: Any, dtype: DType, file: str, place: str) -> Callable[[], Array]:
    """Return what reads a tensor: one value may stand for many."""

    def read() -> Array:
        tensors = library("tensorflow.python.framework.tensor_util", "savedmodel", EXTRA)
        plain = type(tensor)()
        plain.CopyFrom(tensor)
        plain.dtype = QUANTISED.get(tensor.dtype, tensor.dtype)
        with explained(_UNREADABLE, lambda _: Location(file, element=place)):
            array: Array = np.asarray(tensors.MakeNdarray(plain), dtype)
        return array

    return read


def _settings(value: Any, place: str) -> Iterator[StoredTensor]:
    """Yield what an attribute holds, if it is more than strides, an equation or the like.

    Single numbers count once for each value: all layers share an epsilon or a slope.
    """
    if value.f not in _NEUTRAL:
        yield _loose(place, np.array(value.f, np.float32))
    if value.list.f:
        yield _loose(place, np.array(value.list.f, np.float32))
    if len(value.list.i) > _SETTING:
        yield _loose(place, np.array(value.list.i, np.int64))
    text = b"".join((value.s, *value.list.s))
    if len(text) > _LONG_TEXT:
        yield _loose(place, np.frombuffer(text, np.uint8))


def _loose(place: str, array: Array) -> StoredTensor:
    return StoredTensor(place, place, array.dtype, array.shape, lambda: array)


def _unfolded(tensor: Any, dtype: DType | None, place: str, file: str) -> int:
    """Return the bytes of all elements of a tensor, of which one value may stand for many."""
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if min(sizes, default=0) < 0:
        raise damaged(
            file,
            "a constant has an impossible shape",
            element=place,
            expected="sizes that are not negative",
            found=str(sizes[:20]),
        )
    return math.prod(map(int, sizes)) * (dtype.itemsize if dtype is not None else 1)
