"""TFLite models opened, changed field by field, and run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from conformance.runtimes import ModelSource, Network, runtime

GIB = 1 << 30
Change = Callable[[schema.ModelT], None]


def opened(path: Path, limit: int = GIB) -> Network:
    return runtime("tflite").open(ModelSource((path,), (path.name,), path.parent, limit))


def opened_bytes(folder: Path, content: bytes, limit: int = GIB) -> Network:
    path = folder / "model.tflite"
    path.write_bytes(content)
    return opened(path, limit)


def changed(path: Path, change: Change) -> bytes:
    """The bytes of the model at ``path`` after ``change``, written by the schema's own code."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    change(model)
    builder = flatbuffers.Builder(1 << 12)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tensor(model: schema.ModelT, part: str, graph: int = 0) -> schema.TensorT:
    """The first tensor whose name contains ``part``."""
    return next(t for t in model.subgraphs[graph].tensors if part in t.name.decode())


def buffer_of(model: schema.ModelT, part: str) -> schema.BufferT:
    return model.buffers[tensor(model, part).buffer]


def run(
    network: Network, value: np.ndarray, tensors: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:
    """The only output for the only input, with the network's own parameters or with ``tensors``."""
    (given,), (made,) = network.inputs, network.outputs
    return network.bind(tensors).run({given.name: value})[made.name]


def matched(target: Network, source: Network) -> dict[str, np.ndarray]:
    """The parameters of ``source`` under the names that ``target`` has for them, in its order."""
    names = dict(zip(target.parameters, source.parameters, strict=True))
    return {own: np.array(source.parameters[other]) for own, other in names.items()}


def plain_run(path: Path, value: np.ndarray) -> np.ndarray:
    """What LiteRT alone computes, one thread and no delegate."""
    interpreter = Interpreter(
        str(path),
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    entry = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(entry["index"], value.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], value)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
