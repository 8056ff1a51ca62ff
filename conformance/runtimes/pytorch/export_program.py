"""What the JSON of an exported program says: its graph, its tensors, its inputs and outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from conformance.runtimes._protocol import Dim, PortInfo
from conformance.runtimes.pytorch.export_schema import (
    DTYPES,
    STRIDED,
    Argument,
    Graph,
    Ref,
    read_argument,
    read_graph,
)
from conformance.runtimes.pytorch.json_view import View
from conformance.runtimes.pytorch.rebuilding import MAX_DIMENSIONS
from conformance.runtimes.pytorch.values import Storage, Tensor, native
from conformance.tensorfiles import DType
from conformance.verdicts import Json, Location, UnsupportedError

VERSION = 8
_SYMBOL = re.compile(r"Symbol\('(\w{1,64})'(?:, \w+=\w+)*\)", re.ASCII)
_LIFTED = {
    "parameter": "parameter_name",
    "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}
_ONE = "output"


@dataclass(frozen=True, slots=True)
class Program:
    """One exported program.

    ``lifted`` gives, for a name in the graph, the name of the stored tensor that it stands for;
    ``ports`` gives the name in the graph for each input, ``returned`` that for each output.
    ``ranges`` are the sizes that a dynamic axis may have, both included.
    """

    graph: Graph
    lifted: Mapping[str, str]
    inputs: tuple[PortInfo, ...]
    outputs: tuple[PortInfo, ...]
    returned: tuple[str, ...]
    ranges: Mapping[str, tuple[int, int | None]]


def read_program(text: str, file: str, member: str) -> tuple[Program, Mapping[str, View]]:
    """Return the program, and what it says of each tensor in its graph.

    Raises MalformedError for what PyTorch does not write, UnsupportedError for programs that
    train, change their buffers, or take or return anything but tensors.
    """
    root = View.of(text, file, member)
    _check_version(root.at("schema_version").at("major"))
    module = root.at("graph_module")
    view = module.at("graph")
    graph = read_graph(view)
    metas = dict(view.at("tensor_values").items())
    lifted, users = _inputs(module.at("signature").at("input_specs"), graph)
    returned = _outputs(module.at("signature").at("output_specs"), graph)
    names = _output_names(module, len(returned))
    program = Program(
        graph=graph,
        lifted=lifted,
        inputs=tuple(_port(name, name, metas, view) for name in users),
        outputs=tuple(_port(n, r, metas, view) for n, r in zip(names, returned, strict=True)),
        returned=returned,
        ranges=dict(_range(key, each) for key, each in root.at("range_constraints").items()),
    )
    return program, metas


def read_payload(text: str, file: str, member: str, sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """Return the tensors that a configuration lists; ``sizes`` are the bytes of each member.

    UnsupportedError for tensors and objects that are kept as pickles, MalformedError for a tensor
    that its member does not hold.
    """
    tensors: dict[str, Tensor] = {}
    for name, view in View.of(text, file, member).at("config").items():
        path = view.at("path_name").text()
        if view.at("use_pickle").flag() or view.maybe("tensor_meta") is None:
            raise UnsupportedError(
                f"{name!r} is stored as a pickle, which could run code",
                where=Location(file, element=path),
                expected="plain tensors",
                found="a tensor subclass or an object",
                fix="Export a network whose parameters, buffers and constants are plain tensors.",
            )
        if path not in sizes:
            view.at("path_name").broken("the name of a member that is there")
        tensors[name] = _tensor(view.at("tensor_meta"), path, sizes[path])
    return tensors


def check_meta(name: str, tensor: Tensor, meta: View) -> None:
    """Raise MalformedError if the graph takes a tensor of another type or shape than is stored."""
    shape = tuple(_dim(each) for each in meta.at("sizes").elements())
    dtype = meta.at("dtype").integer()
    if shape != tensor.shape or DTYPES.get(dtype) != tensor.dtype.name:
        meta.broken(f"{tensor.dtype.name} of shape {list(tensor.shape)}, as {name!r} is stored")


def _check_version(major: View) -> None:
    if major.integer() != VERSION:
        raise UnsupportedError(
            "the program is written in a different version of the format",
            where=major.where,
            expected=f"version {VERSION}",
            found=str(major.integer()),
            fix="Export the network again with the PyTorch that this report names.",
        )


def _inputs(specs: View, graph: Graph) -> tuple[dict[str, str], list[str]]:
    """Return the stored tensor that each name stands for, and the names of the inputs."""
    lifted: dict[str, str] = {}
    users: list[str] = []
    found = list(specs.elements())
    if len(found) != len(graph.inputs):
        specs.broken(f"one entry for each of {len(graph.inputs)} inputs of the graph")
    for spec, name in zip(found, graph.inputs, strict=True):
        kind, value = spec.union()
        if kind == "constant_input" and name is None:
            continue
        if kind not in (*_LIFTED, "user_input"):
            raise _unsupported(spec, "tensors as inputs", kind)
        read = value.at("arg")
        argument: Argument = (
            read_argument(read) if kind == "user_input" else Ref(read.at("name").text())
        )
        if not isinstance(argument, Ref) or argument.name != name:
            read.broken(f"the input {name!r} of the graph")
        if kind == "user_input":
            users.append(argument.name)
        else:
            lifted[argument.name] = value.at(_LIFTED[kind]).text()
    return lifted, users


def _outputs(specs: View, graph: Graph) -> tuple[str, ...]:
    """Return the name in the graph of every output."""
    returned: list[str] = []
    found = list(specs.elements())
    if len(found) != len(graph.outputs):
        specs.broken(f"one entry for each of {len(graph.outputs)} outputs of the graph")
    for spec, argument in zip(found, graph.outputs, strict=True):
        kind, _ = spec.union()
        if kind != "user_output":
            raise _unsupported(
                spec, "outputs, and nothing that changes when the network runs", kind
            )
        if not isinstance(argument, Ref):
            raise _unsupported(spec, "tensors as outputs", str(argument)[:80])
        returned.append(argument.name)
    return tuple(returned)


def _output_names(module: View, count: int) -> list[str]:
    """Return ``output``, ``output_0`` and so on, or the keys of a dictionary of tensors."""
    for entry in module.at("module_call_graph").elements():
        signature = entry.maybe("signature")
        if entry.at("fqn").text() == "" and signature is not None:
            view = signature.at("out_spec")
            keys = _keys(View.of(view.text(), view.file, f"{view.member}: out_spec").value, count)
            if keys is not None:
                return keys
    return [f"{_ONE}_{index}" for index in range(count)]


def _keys(spec: Json, count: int) -> list[str] | None:
    """Return the names that a tree specification gives to ``count`` outputs; None without such."""
    tree = spec[1] if isinstance(spec, list) and len(spec) > 1 else None
    if not isinstance(tree, dict):
        return None
    if tree.get("type") is None and count == 1:
        return [_ONE]
    if tree.get("type") != "builtins.dict" or not isinstance(tree.get("context"), str):
        return None
    try:
        keys = json.loads(tree["context"])
    except (ValueError, RecursionError):
        return None
    leaves = len(keys) == count if isinstance(keys, list) else False
    texts = leaves and all(isinstance(key, str) and key for key in keys)
    return keys if texts and len(set(keys)) == count else None


def _port(name: str, inside: str, metas: Mapping[str, View], graph: View) -> PortInfo:
    if inside not in metas:
        graph.at("tensor_values").broken(f"type and shape of {inside!r}, which is a tensor")
    meta = metas[inside]
    shape = tuple(_dim(each) for each in meta.at("sizes").elements())
    dtype = DTYPES.get(meta.at("dtype").integer())
    if dtype is None:
        meta.at("dtype").broken("an element type")
    return PortInfo(name, dtype, shape)


def _dim(view: View) -> Dim:
    """Return a size, the symbol of a dynamic axis, or None for an expression of several."""
    kind, value = view.union()
    if kind == "as_int":
        return value.integer()
    match = _SYMBOL.fullmatch(value.at("expr_str").text())
    return match[1] if match else None


def _range(symbol: str, view: View) -> tuple[str, tuple[int, int | None]]:
    least, most = view.maybe("min_val"), view.maybe("max_val")
    return symbol, (least.integer() if least else 0, most.integer() if most else None)


def _tensor(meta: View, path: str, nbytes: int) -> Tensor:
    """Return a stored tensor, whose elements must lie in the bytes of its member."""
    dtype = _dtype(meta.at("dtype"))
    shape = tuple(_size(each) for each in meta.at("sizes").elements())
    strides = tuple(_size(each) for each in meta.at("strides").elements())
    offset = _size(meta.at("storage_offset"))
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        meta.broken("as many strides as sizes")
    if meta.at("layout").integer() != STRIDED or nbytes % dtype.itemsize:
        meta.broken(f"a dense tensor in {nbytes} bytes")
    tensor = Tensor(Storage(path, dtype, nbytes // dtype.itemsize), dtype, offset, shape, strides)
    if not tensor.elements and not tensor.is_addressable:
        meta.at("sizes").broken("sizes that an array can have")
    if tensor.span[1] > nbytes:
        meta.broken(f"a tensor that ends within the {nbytes} bytes of {path}")
    return tensor


def _dtype(view: View) -> DType:
    try:
        return native(DTYPES.get(view.integer(), ""))
    except KeyError:
        view.broken("an element type that arrays may have")


def _size(view: View) -> int:
    kind, value = view.union()
    if kind != "as_int" or value.integer() < 0 or value.integer() >= 1 << 48:
        view.broken("a size")
    return value.integer()


def _unsupported(view: View, expected: str, found: str) -> UnsupportedError:
    return UnsupportedError(
        "the program does more than turn tensors into tensors",
        where=view.where,
        expected=expected,
        found=found,
        fix="Call eval() on the network, and export it with tensors as inputs and outputs.",
    )
