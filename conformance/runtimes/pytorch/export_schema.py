"""The graph of an exported program: operators, their arguments, and the names of what they give.

What PyTorch writes as JSON is put into these values and nothing else: no expression in it is
evaluated, no name in it is imported. The form is that of torch._export.serde.schema, version 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from conformance.runtimes.pytorch.json_view import View
from conformance.verdicts import UnsupportedError

MAX_NODES = 1_000_000
MAX_DEPTH = 32

DTYPES: Mapping[int, str] = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz",
    33: "float8_e8m0fnu",
    34: "uint32",
    35: "uint64",
}
"""Element types by their number in a program."""

STRIDED = 7
_FORMATS = {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of this name: a tensor, or a number that is computed from sizes."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A value of PyTorch's own, such as ``torch.float32``, by its name in ``torch``."""

    name: str


@dataclass(frozen=True, slots=True)
class Device:
    """A device, such as ``cpu``."""

    name: str


@dataclass(frozen=True, slots=True)
class Graph:
    """``inputs`` are the names of what it takes, None for those that are given as plain values."""

    inputs: tuple[str | None, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Argument, ...]
    single: bool

    def walk(self) -> Iterator[Node]:
        """Yield every node, those of inner graphs after the node they belong to."""
        for node in self.nodes:
            yield node
            for argument in node.arguments.values():
                if isinstance(argument, Graph):
                    yield from argument.walk()


Argument: TypeAlias = (
    "bool | int | float | complex | str | Ref | Constant | Device | Graph | list[Argument] | None"
)
"""An argument of an operator."""

Output: TypeAlias = "str | list[Output] | None"
"""The name that a result gets; None for one that is not used."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operator: arguments by name (by position where the operator has no names).

    ``unpacked`` says that its only output is the first of a tuple.
    """

    name: str
    target: str
    arguments: Mapping[str, Argument]
    outputs: tuple[Output, ...]
    unpacked: bool


def read_graph(view: View, depth: int = 0) -> Graph:
    """Return a graph; MalformedError for one that PyTorch does not write."""
    nodes = list(view.at("nodes").elements())
    if depth > MAX_DEPTH or len(nodes) > MAX_NODES:
        view.broken(f"at most {MAX_NODES} nodes, and {MAX_DEPTH} graphs in each other")
    inputs = tuple(_input_name(each, depth) for each in view.at("inputs").elements())
    names = {name for name in inputs if name is not None}
    if len(names) != sum(name is not None for name in inputs):
        view.at("inputs").broken("each name once")
    return Graph(
        inputs=inputs,
        nodes=tuple(_node(each, index, depth, names) for index, each in enumerate(nodes)),
        outputs=tuple(read_argument(each, depth) for each in view.at("outputs").elements()),
        single=view.at("is_single_tensor_return").flag(),
    )


def read_argument(view: View, depth: int = 0) -> Argument:
    """Return an argument; MalformedError for a kind that is not known."""
    kind, value = view.union()
    if kind == "as_graph":
        return read_graph(value.at("graph"), depth + 1)
    if kind in _UNKNOWN:
        raise UnsupportedError(
            "an operator takes something that is not a tensor, number, string or graph",
            where=view.where,
            expected=", ".join(sorted(_READERS)),
            found=kind,
            fix="Export the network with operators of PyTorch that compute on tensors.",
        )
    if kind not in _READERS:
        view.broken(f"one of {', '.join(sorted(_READERS))}")
    return _READERS[kind](value)


def references(argument: Argument) -> Iterator[str]:
    """Yield the names that an argument refers to, not those inside a graph."""
    if isinstance(argument, Ref):
        yield argument.name
    elif isinstance(argument, list):
        for each in argument:
            yield from references(each)


def output_names(output: Output) -> Iterator[str]:
    """Yield the names in an output."""
    if isinstance(output, str):
        yield output
    elif isinstance(output, list):
        for each in output:
            yield from output_names(each)


def _input_name(view: View, depth: int) -> str | None:
    argument = read_argument(view, depth)
    return argument.name if isinstance(argument, Ref) else None


def _node(view: View, index: int, depth: int, known: set[str]) -> Node:
    """Return a node, and add the names of its results to ``known``: a name has one value."""
    arguments: dict[str, Argument] = {}
    for position, each in enumerate(view.at("inputs").elements()):
        name = each.at("name").text() or str(position)
        if name in arguments:
            each.broken("each argument once")
        arguments[name] = read_argument(each.at("arg"), depth)
    target, given = view.at("target").text(), view.maybe("name")
    outputs = tuple(_output(each, depth) for each in view.at("outputs").elements())
    for name in (name for output in outputs for name in output_names(output)):
        if name in known:
            view.at("outputs").broken("names that no input and no other operator has")
        known.add(name)
    single = view.maybe("is_hop_single_tensor_return")
    return Node(
        name=f"node[{index}] {given.text() if given else target}",
        target=target,
        arguments=arguments,
        outputs=outputs,
        unpacked=single is not None and not single.flag() and len(outputs) == 1,
    )


def _output(view: View, depth: int) -> Output:
    argument = read_argument(view, depth)
    if isinstance(argument, Ref):
        return argument.name
    if isinstance(argument, list):
        return [each.name if isinstance(each, Ref) else None for each in argument]
    return None


def _nothing(view: View) -> Argument:
    del view
    return None


def _ref(view: View) -> Ref:
    return Ref(view.at("name").text())


def _symbolic(read: Callable[[View], Argument]) -> Callable[[View], Argument]:
    def symbol(view: View) -> Argument:
        kind, value = view.union()
        return Ref(value.text()) if kind == "as_name" else read(value)

    return symbol


def _optional(view: View) -> Argument:
    kind, value = view.union()
    return _ref(value) if kind == "as_tensor" else None


def _list(read: Callable[[View], Argument]) -> Callable[[View], Argument]:
    return lambda view: [read(each) for each in view.elements()]


def _dtype(view: View) -> Argument:
    if view.integer() not in DTYPES:
        view.broken("an element type")
    return Constant(DTYPES[view.integer()])


def _memory_format(view: View) -> Argument:
    if view.integer() not in _FORMATS:
        view.broken("a memory format")
    return Constant(_FORMATS[view.integer()])


def _layout(view: View) -> Argument:
    if view.integer() != STRIDED:
        view.broken(f"{STRIDED}: a dense tensor")
    return Constant("strided")


def _device(view: View) -> Argument:
    if view.at("type").text() != "cpu":
        view.broken("the device cpu: export the program there")
    return Device("cpu")


def _complex(view: View) -> Argument:
    return complex(view.at("real").number(), view.at("imag").number())


_UNKNOWN = {
    "as_custom_obj",
    "as_operator",
    "as_string_to_argument",
    "as_int_lists",
    "as_float_lists",
}
_integer: Callable[[View], Argument] = View.integer
_number: Callable[[View], Argument] = View.number
_flag: Callable[[View], Argument] = View.flag
_text: Callable[[View], Argument] = View.text

_READERS: Mapping[str, Callable[[View], Argument]] = {
    "as_none": _nothing,
    "as_tensor": _ref,
    "as_tensors": _list(_ref),
    "as_optional_tensor": _optional,
    "as_optional_tensors": _list(_optional),
    "as_nested_tensors": _list(_list(_ref)),
    "as_int": _integer,
    "as_ints": _list(_integer),
    "as_float": _number,
    "as_floats": _list(_number),
    "as_bool": _flag,
    "as_bools": _list(_flag),
    "as_string": _text,
    "as_strings": _list(_text),
    "as_complex": _complex,
    "as_sym_int": _symbolic(_integer),
    "as_sym_ints": _list(_symbolic(_integer)),
    "as_sym_float": _symbolic(_number),
    "as_sym_floats": _list(_symbolic(_number)),
    "as_sym_bool": _symbolic(_flag),
    "as_sym_bools": _list(_symbolic(_flag)),
    "as_scalar_type": _dtype,
    "as_memory_format": _memory_format,
    "as_layout": _layout,
    "as_device": _device,
}
