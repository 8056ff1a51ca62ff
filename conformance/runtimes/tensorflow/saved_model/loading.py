"""What is not needed to judge a SavedModel, but runs or is followed where somebody loads it.

``tf.saved_model.load`` runs the operators that initialise the model, makes the resources of its
objects by functions of the graph, and looks for assets by the names that the graph gives. Keras 2
also builds layers from its own description, and a Lambda layer in there is Python code. None
of that is done here; each part must be harmless all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from conformance.runtimes.libraries import library
from conformance.runtimes.tensorflow.engine import EXTRA
from conformance.runtimes.tensorflow.graphs import (
    check_operators,
    node_of,
    places_of_functions,
    reach,
)
from conformance.runtimes.tensorflow.messages import parse
from conformance.runtimes.tensorflow.operators import IDLE
from conformance.runtimes.tensorflow.saved_model.files import Files
from conformance.verdicts import ConformanceError, LimitError, Location

_INIT_SIGNATURES = ("__saved_model_init_op", "__saved_model_train_op")
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_CODE = frozenset({"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper"})
_MOST_METADATA = 64 << 20


def check_loading(meta_graph: Any, files: Files, format: str) -> None:
    """Raise ConformanceError for what would run, or reach out of the folder, on loading."""
    file = files.graph[1]
    for asset in meta_graph.asset_file_def:
        _check_asset(asset.filename, file)
    graph = meta_graph.graph_def
    check_operators(reach(graph, _initialisers(meta_graph), file).places(), IDLE, file)
    nodes = meta_graph.object_graph_def.nodes
    functions = [name for node in nodes for name in _makers(node, nodes)]
    check_operators(places_of_functions(graph, functions, file), IDLE, file)
    for node in nodes:
        _check_description(node.user_object.metadata, file)
    if files.keras is not None:
        _check_keras(*files.keras, format)


def _check_asset(name: str, file: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name or parts.is_absolute() or ".." in parts.parts or ":" in name:
        raise ConformanceError(
            "the model names an asset that lies outside its folder",
            where=Location(file, element="asset_file_def"),
            expected="a file in the folder assets of the model",
            found=ascii(name[:200]),
            fix="Export the model with tf.saved_model.save, which copies its assets.",
        )


def _initialisers(meta_graph: Any) -> Iterator[str]:
    """Yield the nodes that are run when the model is loaded."""
    for name in _INIT_COLLECTIONS:
        yield from map(node_of, meta_graph.collection_def[name].node_list.value)
    for name in _INIT_SIGNATURES:
        for tensor in meta_graph.signature_def[name].outputs.values():
            yield node_of(tensor.name)


def _makers(node: Any, nodes: Any) -> Iterator[str]:
    """Yield the functions that make, initialise and destroy a resource."""
    if node.WhichOneof("kind") != "resource":
        return
    for child in node.children:
        target = nodes[child.node_id] if 0 <= child.node_id < len(nodes) else None
        if target is not None:
            yield from target.function.concrete_functions
            yield from filter(None, [target.bare_concrete_function.concrete_function_name])


def _check_keras(path: Path, file: str, format: str) -> None:
    """Check the description that Keras 2 builds the layers from."""
    if path.stat().st_size > _MOST_METADATA:
        raise LimitError(
            "the description of the model for Keras is too long",
            where=Location(file),
            expected=f"at most {_MOST_METADATA} bytes",
            found=f"{path.stat().st_size} bytes",
            fix="Leave the file out: only Keras 2 reads it.",
        )
    messages = library("tensorflow.python.keras.protobuf.saved_metadata_pb2", format, EXTRA)
    for node in parse(messages.SavedMetadata, path.read_bytes(), file, "file").nodes:
        _check_description(node.metadata, file)


def _check_description(text: str, file: str) -> None:
    """Refuse layers of code in the JSON that Keras keeps with an object."""
    try:
        waiting: list[Any] = [json.loads(text or "null")]
    except (ValueError, RecursionError):
        return  # nor can Keras read it
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if str(value.get("class_name")) in _CODE or value.get("function_type") == "lambda":
                raise ConformanceError(
                    f"the model carries code: {str(value.get('class_name'))[:80]}",
                    where=Location(file, element="metadata of Keras"),
                    expected="layers of Keras that only compute",
                    found=str(value.get("class_name"))[:200],
                    fix="Export the model with model.export of Keras 3, without this file.",
                )
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
