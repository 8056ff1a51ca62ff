"""Bytes of a SavedModel that nothing reads: functions for training, descriptions, other graphs.

The functions that save and restore a checkpoint are read by whoever loads the model; they stay, as
does the description of its objects, as far as it is no longer than TensorFlow writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import Message

from conformance.runtimes._protocol import Unread
from conformance.runtimes.tensorflow.graphs import node_of, reach
from conformance.runtimes.tensorflow.saved_model.files import Files

_LONGEST_STRING = 1 << 10
_FINGERPRINT_BYTES = 1 << 10


def unread_in_files(files: Files) -> Iterator[Unread]:
    """Yield the files next to the network that only TensorFlow's tools or Keras 2 read."""
    for path, display in files.beside:
        yield Unread(display, "the file", path.stat().st_size - _FINGERPRINT_BYTES)


def unread_in_graph(
    meta_graph: Any, outputs: Iterable[str], size: int, file: str
) -> Iterator[Unread]:
    """Yield what a file of ``size`` bytes holds besides what the ``outputs`` depend on.

    ``meta_graph`` is the graph for serving, as it was parsed.
    """
    meta_graph.DiscardUnknownFields()
    yield Unread(file, "other graphs, and unknown fields", size - meta_graph.ByteSize())
    graph, saver = meta_graph.graph_def, meta_graph.saver_def
    saving = (saver.filename_tensor_name, saver.save_tensor_name, saver.restore_op_name)
    roots = [node_of(root) for root in (*outputs, *saving) if root]
    kept = reach(graph, roots, file).functions.keys()
    spare = [each for each in graph.library.function if each.signature.name not in kept]
    for function in spare:
        name = f"function {function.signature.name}, which no output depends on"
        yield Unread(file, name, function.ByteSize())
    for collection, content in meta_graph.collection_def.items():
        yield Unread(file, f"collection {collection[:80]}", content.ByteSize() - _LONGEST_STRING)
    wanted = [each for each in graph.library.function if each.signature.name in kept]
    del graph.library.function[:]
    graph.library.function.extend(wanted)
    meta_graph.ClearField("collection_def")
    yield from _long_strings(meta_graph, "meta_graph", file)


def _long_strings(message: Message, element: str, file: str) -> Iterator[Unread]:
    """Yield strings, and bytes of what is not a tensor, beyond the length that names have."""
    if message.DESCRIPTOR.name == "TensorProto":
        return
    for field, value in message.ListFields():
        name = f"{element}.{field.name}"
        for each in _several(value):
            if isinstance(each, Message):
                yield from _long_strings(each, name, file)
            elif isinstance(each, (str, bytes)):
                size = len(each if isinstance(each, bytes) else each.encode())
                yield Unread(file, f"a long string in {name}", size - _LONGEST_STRING)


def _several(value: Any) -> Iterable[Any]:
    if isinstance(value, (str, bytes, Message)) or not isinstance(value, Iterable):
        return [value]
    return value.values() if hasattr(value, "values") else value
