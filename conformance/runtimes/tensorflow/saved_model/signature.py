"""Which computation of a SavedModel is judged, and what it takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.runtimes._protocol import Dim, PortInfo
from conformance.runtimes.tensorflow.computing import Signature
from conformance.runtimes.tensorflow.dtypes import STRING, dtype_of
from conformance.runtimes.tensorflow.faults import damaged
from conformance.runtimes.tensorflow.graphs import node_of
from conformance.verdicts import Location, UnsupportedError

SERVE = "serve"
DEFAULT = "serving_default"
_OWN = frozenset({"__saved_model_init_op", "__saved_model_train_op"})
_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderWithDefault"})


def serving_graph(saved_model: Any, file: str) -> Any:
    """Return the MetaGraphDef for serving; UnsupportedError if there is none, or more than one."""
    graphs = list(saved_model.meta_graphs)
    serving = [each for each in graphs if set(each.meta_info_def.tags) == {SERVE}]
    if len(serving) != 1:
        tags = ", ".join(str(sorted(each.meta_info_def.tags)) for each in graphs[:10])
        raise UnsupportedError(
            "the model has no one graph for serving",
            where=Location(file, element="meta_graphs"),
            expected=f"one graph with the tag {SERVE!r}",
            found=f"graphs with the tags {tags}" if graphs else "no graph",
            fix="Export the model with tf.saved_model.save.",
        )
    return serving[0]


def serving_signature(meta_graph: Any, file: str) -> Signature:
    """Return ``serving_default``, or the only signature if it has a different name.

    Raises UnsupportedError if there is neither, or if a port is not a plain tensor.
    """
    names = sorted(name for name in meta_graph.signature_def if name not in _OWN)
    name = DEFAULT if DEFAULT in names else names[0] if len(names) == 1 else None
    if name is None:
        raise UnsupportedError(
            "the model does not say which of its signatures is the network",
            where=Location(file, element="signature_def"),
            expected=f"a signature {DEFAULT!r}, or one signature only",
            found=", ".join(names[:20]) or "no signature",
            fix="Export with tf.saved_model.save(model, folder, signatures=FUNCTION).",
        )
    found = meta_graph.signature_def[name]
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    fed = _tensors(found.inputs, "input", file)
    for port, tensor in fed.items():
        _check_fed(port, tensor, nodes, file)
    fetched = _tensors(found.outputs, "output", file)
    return Signature(
        name,
        tuple(_port(port, found.inputs[port], "input", file) for port in fed),
        tuple(_port(port, found.outputs[port], "output", file) for port in fetched),
        fed,
        fetched,
    )


def _tensors(infos: Mapping[str, Any], side: str, file: str) -> dict[str, str]:
    """Return the tensor of every port, in the order of their names."""
    if not infos and side == "output":
        raise UnsupportedError(
            "the signature has no outputs",
            where=Location(file, element="signature_def"),
            expected="at least one output",
            found="none",
            fix="Export a function that returns the network's outputs by name.",
        )
    for name, info in infos.items():
        if info.WhichOneof("encoding") not in (None, "name") or ":" not in info.name:
            raise UnsupportedError(
                f"{side} {name!r} is not a plain tensor",
                where=Location(file, element=name),
                expected="a dense tensor",
                found=info.WhichOneof("encoding") or "no tensor",
                fix="Export a function that takes and returns dense tensors.",
            )
    return {name: infos[name].name for name in sorted(infos)}


def _check_fed(port: str, tensor: str, nodes: Mapping[str, Any], file: str) -> None:
    node = nodes.get(node_of(tensor))
    if node is None or node.op not in _PLACEHOLDERS or not tensor.endswith(":0"):
        raise damaged(
            file,
            f"input {port!r} of the signature is not an input of the graph",
            element=port,
            expected="the tensor of a Placeholder",
            found=f"{tensor} ({node.op if node is not None else 'no such node'})",
        )


def _port(name: str, info: Any, side: str, file: str) -> PortInfo:
    where = Location(file, element=name)
    dtype = None if info.dtype == STRING else dtype_of(info.dtype, where)
    foreign = dtype is not None and dtype.isbuiltin != 1
    if foreign or (side == "input" and info.tensor_shape.unknown_rank):
        raise UnsupportedError(
            f"{side} {name!r} is not a tensor that can be judged",
            where=where,
            expected="a tensor of a type that NumPy has, with a known number of axes",
            found=f"{dtype} of unknown rank" if not foreign else f"{dtype}",
            fix="Export a function with an input_signature of tf.TensorSpec, in float32.",
        )
    return PortInfo(name, "string" if dtype is None else dtype.name, _shape(info.tensor_shape))


def _shape(shape: Any) -> tuple[Dim, ...]:
    """Return the sizes, None where one is free; ``()`` if not even their number is known."""
    if shape.unknown_rank:
        return ()
    return tuple(dim.size if dim.size >= 0 else None for dim in shape.dim)
