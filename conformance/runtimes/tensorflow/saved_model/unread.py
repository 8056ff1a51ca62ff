"""Bytes of a SavedModel that nothing reads: functions for training, descriptions, other graphs.

The functions that save and restore a checkpoint are read by whoever loads the model; they stay, as
does the description of its objects, as far as it is no longer than TensorFlow writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from google.protobuf.message import Message

from conformance.runtimes._protocol import Unread
from conformance.runtimes.tensorflow.graphs import node_of, reach
from conformance.runtimes.tensorflow.saved_model.files import Files

_LONGEST_STRING = 256
_NOTES = frozenset({"summary", "description", "explanation", "experimental_debug_info"})
_HANDLES = frozenset({"VarHandleOp", "ReadVariableOp", "VarIsInitializedOp", "AssignVariableOp"})
_OF_VARIABLE = 1 << 10
"""Bytes of the nodes that TensorFlow writes for each variable, whether they are run or not."""

_PLACES = "_class"
"""The one attribute of all nodes that names other nodes; the others are TensorFlow's own notes."""

_FINGERPRINT_BYTES = 1 << 10


def unread_in_files(files: Files) -> Iterator[Unread]:
    """Yield the files next to the network that only TensorFlow's tools or Keras 2 read."""
    for path, display in files.beside:
        yield Unread(display, "the file", path.stat().st_size - _FINGERPRINT_BYTES)


def unread_in_graph(
    meta_graph: Any, outputs: Iterable[str], size: int, file: str
) -> Iterator[Unread]:
    """Yield what a file of ``size`` bytes holds in addition to what the ``outputs`` depend on.

    ``meta_graph`` is the graph for serving, as it was parsed.
    """
    meta_graph.DiscardUnknownFields()
    yield Unread(file, "other graphs, and unknown fields", size - meta_graph.ByteSize())
    graph, saver = meta_graph.graph_def, meta_graph.saver_def
    saving = (saver.filename_tensor_name, saver.save_tensor_name, saver.restore_op_name)
    roots = [node_of(root) for root in (*outputs, *saving) if root]
    reached = reach(graph, roots, file)
    kept = reached.functions.keys()
    spare = [each for each in graph.library.function if each.signature.name not in kept]
    for function in spare:
        name = f"function {function.signature.name}, which no output depends on"
        yield Unread(file, name, function.ByteSize())
    for collection, content in meta_graph.collection_def.items():
        yield Unread(file, f"collection {collection[:80]}", content.ByteSize())
    yield from (Unread(file, piece, size) for piece, size in _idle(meta_graph, reached.nodes))
    wanted = [each for each in graph.library.function if each.signature.name in kept]
    del graph.library.function[:]
    graph.library.function.extend(wanted)
    meta_graph.ClearField("collection_def")
    yield from (Unread(file, piece, size) for piece, size in _settings(graph))
    yield from _long_strings(meta_graph, "meta_graph", file)


def _idle(meta_graph: Any, nodes: Collection[str]) -> Iterator[tuple[str, int]]:
    """Yield what no output of the main graph depends on, and what says something of nothing.

    ``nodes`` are the names of the nodes that outputs and the checkpoint depend on.
    """
    graph = meta_graph.graph_def
    objects = meta_graph.object_graph_def.nodes
    variables = sum(each.WhichOneof("kind") == "variable" for each in objects)
    idle = [node for node in graph.node if node.name not in nodes]
    handles = sum(node.ByteSize() for node in idle if node.op in _HANDLES)
    yield "nodes of variables that are not there", handles - _OF_VARIABLE * variables
    for node in idle:
        if node.op not in _HANDLES:
            yield f"node {node.name[:80]}, which no output depends on", node.ByteSize()
    for name, signature in meta_graph.signature_def.items():
        given = {node_of(each.name) for each in signature.outputs.values()}
        if not given or not given <= set(nodes):
            yield f"signature {name[:80]}, which is not run", signature.ByteSize() + len(name)
    functions = {function.signature.name for function in graph.library.function}
    for name, about in meta_graph.meta_info_def.function_aliases.items():
        if name not in functions:
            yield f"alias of {name[:80]}, which is not a function", len(name) + len(about)
    yield "assets", sum(asset.ByteSize() for asset in meta_graph.asset_file_def)
    found = _belonging(objects)
    lost = sum(each.ByteSize() for index, each in enumerate(objects) if index not in found)
    yield "objects that no other object has", lost


def _belonging(objects: Any) -> set[int]:
    """Return the indices of the objects that belong to the first one, step by step."""
    found = set[int]()
    waiting = [0]
    while waiting:
        index = waiting.pop()
        if index not in found and index < len(objects):
            found.add(index)
            waiting += (child.node_id for child in objects[index].children)
            waiting += (slot.slot_variable_node_id for slot in objects[index].slot_variables)
    return found


def _settings(graph: Any) -> Iterator[tuple[str, int]]:
    """Yield the strings in settings that TensorFlow has for its own notes, on any node."""
    functions = graph.library.function
    owners = ((node, node.name) for node in graph.node)
    inner = ((node, node.name) for function in functions for node in function.node_def)
    whole = ((function, function.signature.name) for function in functions)
    for owner, title in (*owners, *inner, *whole):
        for name, setting in owner.attr.items():
            if name.startswith("_") and name != _PLACES:
                size = len(setting.s) + sum(map(len, setting.list.s))
                yield f"setting {name[:80]} of {title[:80]}", size


def _long_strings(message: Message, element: str, file: str) -> Iterator[Unread]:
    """Yield strings, and bytes of what is not a tensor, beyond the length that names have."""
    if message.DESCRIPTOR.name == "TensorProto":
        return
    for field, value in message.ListFields():
        name = f"{element}.{field.name}"
        for each in _several(value):
            if field.name in _NOTES:
                size = each.ByteSize() if isinstance(each, Message) else len(each.encode())
                yield Unread(file, name, size)
            elif isinstance(each, Message):
                yield from _long_strings(each, name, file)
            elif isinstance(each, (str, bytes)):
                size = len(each if isinstance(each, bytes) else each.encode())
                yield Unread(file, f"a long string in {name}", size - _LONGEST_STRING)


def _several(value: Any) -> Iterable[Any]:
    if isinstance(value, (str, bytes, Message)) or not isinstance(value, Iterable):
        return [value]
    return value.values() if hasattr(value, "values") else value
