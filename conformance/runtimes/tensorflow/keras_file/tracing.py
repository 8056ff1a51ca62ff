"""The graph that TensorFlow makes of a model of Keras: its variables are variables of the graph."""

from __future__ import annotations

from typing import Any

from conformance.runtimes._protocol import PortInfo
from conformance.runtimes.faults import Fault
from conformance.runtimes.tensorflow.computing import Signature
from conformance.runtimes.tensorflow.dtypes import named_dtype
from conformance.runtimes.tensorflow.engine import session_config
from conformance.runtimes.tensorflow.faults import explained
from conformance.runtimes.tensorflow.graphs import drop_assertions, node_of, reach
from conformance.runtimes.tensorflow.keras_file.archive import CONFIG
from conformance.runtimes.tensorflow.keras_file.model import KerasModel
from conformance.runtimes.tensorflow.pruning import pruned
from conformance.verdicts import Location, UnsupportedError

_UNCALLABLE = Fault(
    kind=UnsupportedError,
    message="the model cannot be called",
    expected="a model that takes the inputs it was built with",
    fix="Save the model again with model.save of a Keras of today.",
)


def traced(tf: Any, model: KerasModel, file: str) -> tuple[Any, Signature, tuple[str | None, ...]]:
    """Return the GraphDef, its ports, and the handle of each variable of the model, in their order.

    A variable that no output depends on has None. Raises ConformanceError if the model cannot be
    called.
    """
    values = [tf.TensorSpec(slot.shape, slot.dtype) for slot in model.slots]
    inputs = [tf.TensorSpec(each.shape, each.dtype) for each in model.inputs]
    with explained(_UNCALLABLE, lambda _: Location(file, element=CONFIG)):
        function = tf.function(model.compute, autograph=False, jit_compile=False)
        concrete = function.get_concrete_function(values, inputs)
        graph = concrete.graph.as_graph_def()
        feeds = [tensor.name for tensor in concrete.inputs]
        fetches = {name: each.name for name, each in concrete.structured_outputs.items()}
    drop_assertions(graph)
    places, fed = feeds[: len(values)], feeds[len(values) :]
    reached = reach(graph, {node_of(name) for name in fetches.values()}, file)
    part = pruned(graph, reached, session_config(tf))
    handles = tuple(_handle(part, node_of(place)) for place in places)
    return part, _signature(model, concrete, fed, fetches, file), handles


def _handle(graph: Any, placeholder: str) -> str | None:
    """Make a variable of the placeholder that a value came in by; return its handle."""
    node = next((node for node in graph.node if node.name == placeholder), None)
    if node is None:
        return None
    handle = graph.node.add(name=f"{placeholder}/variable", op="VarHandleOp")
    for name in ("dtype", "shape"):
        handle.attr[name].CopyFrom(node.attr[name])
    handle.attr["shared_name"].s = handle.name.encode()
    del node.attr["shape"]
    node.op = "ReadVariableOp"
    node.input.append(handle.name)
    return str(handle.name)


def _signature(
    model: KerasModel, concrete: Any, fed: list[str], fetches: dict[str, str], file: str
) -> Signature:
    if concrete.captured_inputs:
        raise UnsupportedError(
            "the model computes with values that are not weights of it",
            where=Location(file, element=CONFIG),
            expected="every parameter in a weight of a layer",
            found=f"{len(concrete.captured_inputs)} tensors in the configuration of layers",
            fix="Give layers their values as weights: adapt or train them before saving.",
        )
    names = [tensor.name for tensor in model.inputs]
    outputs = concrete.structured_outputs
    return Signature(
        "call",
        tuple(_port(tensor.name, tensor, file) for tensor in model.inputs),
        tuple(_port(name, outputs[name], file) for name in fetches),
        dict(zip(names, fed, strict=True)),
        fetches,
    )


def _port(name: str, tensor: Any, file: str) -> PortInfo:
    """Return a port; UnsupportedError for a type that NumPy has not."""
    dtype = tensor.dtype if isinstance(tensor.dtype, str) else tensor.dtype.name
    shape = getattr(tensor.shape, "as_list", lambda: list(tensor.shape))()
    found = named_dtype(dtype, Location(file, element=name))
    if found.isbuiltin != 1:
        raise UnsupportedError(
            f"input or output {name!r} is not a tensor that can be judged",
            where=Location(file, element=name),
            expected="a tensor of a type that NumPy has",
            found=dtype,
            fix="Give the first and the last layer the dtype float32.",
        )
    return PortInfo(name, found.name, tuple(shape))
