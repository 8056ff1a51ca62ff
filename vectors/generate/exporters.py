"""How a network is written in each model format, to the same bytes each time, and run again.

:data:`EXPORTERS` is the table. What an exporter writes is what the framework calls a network:

    onnx                        an ONNX model
    torchscript, torch-export   a :class:`Traceable`
    torch-state-dict            a :class:`StateDict`
    savedmodel                  a tf.Module whose function ``serve`` is the signature
    keras                       a Keras model
    tflite                      a TFLiteConverter
    caffe                       a :class:`CaffeNet`
    nnef                        a :class:`NnefGraph`

What a framework would make different each time is set to a fixed value or left out: dates, object
addresses, random identifiers, and what PyTorch says about the Python code of a network.
"""

from __future__ import annotations

import json
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from onnx_graph import without_weights
from tensor_layouts import Tensors

Array = NDArray[Any]

DATE, MEMBER_DATE = "1980-01-01@00:00:00", (1980, 1, 1, 0, 0, 0)
"""The date of every Keras file, and that of its members."""
WRITTEN_BY_PYTORCH = ("version", "byteorder", ".data/serialization_id")
"""Members that PyTorch's writer of archives adds by itself."""
MOST_EXAMPLE_BYTES = 2**16
"""An exported program keeps no larger example of its input."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """A format: the title of models in it, how to write a network, and how to run its files.

    ``write`` takes a path without a suffix and returns the files, the one to be opened first;
    ``run`` gives the only output for an input.
    """

    title: str
    write: Callable[[Path, Any], list[Path]]
    run: Callable[[list[Path], Array], Array]


@dataclass(frozen=True, slots=True)
class Traceable:
    """A network of PyTorch, and an example of its input: two items, if one is not to be fixed."""

    network: Any
    example: Any


@dataclass(frozen=True, slots=True)
class StateDict:
    """The state of a network of PyTorch, and an ONNX model of it for the file ``graph``."""

    state: Mapping[str, Any]
    topology: Any
    graph: str = "topology.onnx"


@dataclass(frozen=True, slots=True)
class CaffeNet:
    """The layers of a network as text, and the bytes of a caffemodel."""

    text: str
    weights: bytes


@dataclass(frozen=True, slots=True)
class NnefGraph:
    """The text of a graph, and the values of its variables by their labels."""

    text: str
    variables: Tensors

    @classmethod
    def of(
        cls,
        name: str,
        input: tuple[str, list[int]],
        output: str,
        variables: Tensors,
        operations: Iterable[str],
    ) -> Self:
        """Return the graph ``name``: its input and variables are declared before ``operations``."""
        lines = [f"{input[0]} = external<scalar>(shape = {input[1]});"]
        lines += [
            f"{label.replace('/', '_')} = variable<scalar>(shape = {[*values.shape]}, "
            f"label = '{label}');"
            for label, values in variables.items()
        ]
        body = "".join(f"    {line}\n" for line in (*lines, *operations))
        text = f"version 1.0;\n\ngraph {name}({input[0]}) -> ({output})\n{{\n{body}}}\n"
        return cls(text, variables)


def as_torch(weights: Tensors) -> dict[str, Any]:
    """Return ``weights`` as tensors of PyTorch."""
    import torch

    return {name: torch.from_numpy(values) for name, values in weights.items()}


def loaded(network: Any, weights: Tensors) -> Any:
    """Give a network of PyTorch the ``weights`` and return it, set for inference."""
    network.load_state_dict(as_torch(weights))
    return network.eval()


def assigned(network: Any, parameters: Tensors) -> Any:
    """Give the variables of a Keras model their values and return it."""
    prefix = f"{network.name}/"
    variables = {each.path.removeprefix(prefix): each for each in network.variables}
    for name, values in parameters.items():
        variables[name].assign(values)
    return network


def add_variables(module: Any, parameters: Tensors) -> None:
    """Give a tf.Module a module for each layer, with a variable for each ``LAYER/PART``."""
    import tensorflow as tf

    for name, values in parameters.items():
        layer, part = name.split("/")
        if not hasattr(module, layer):
            setattr(module, layer, tf.Module(layer))
        setattr(getattr(module, layer), part, tf.Variable(values, name=name))


def _write_onnx(path: Path, model: Any) -> list[Path]:
    return [_written(path.with_suffix(".onnx"), model.SerializeToString())]


def _run_onnx(files: list[Path], inputs: Array) -> Array:
    import onnxruntime

    session = onnxruntime.InferenceSession(files[0], providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    return np.asarray(session.run(None, {port.name: inputs})[0])


def _write_torchscript(path: Path, made: Traceable) -> list[Path]:
    import torch

    path = path.with_suffix(".pt")
    torch.jit.save(torch.jit.trace(made.network, made.example, strict=False), path)
    with zipfile.ZipFile(path) as archive:
        members = {
            entry.filename.split("/", 1)[1]: archive.read(entry) for entry in archive.infolist()
        }
    writer = torch._C.PyTorchFileWriter(str(path))
    for name, content in members.items():
        if not name.endswith(".debug_pkl") and name not in WRITTEN_BY_PYTORCH:
            writer.write_record(name, content, len(content))
    writer.write_end_of_file()
    return [path]


def _run_torchscript(files: list[Path], inputs: Array) -> Array:
    import torch

    return _run_torch(torch.jit.load(files[0]).eval(), inputs)


def _write_torch_export(path: Path, made: Traceable) -> list[Path]:
    import torch

    path = path.with_suffix(".pt2")
    free = ({0: torch.export.Dim("N", max=4096)},)
    program = torch.export.export(made.network, (made.example,), dynamic_shapes=free, strict=True)
    for node in program.graph.nodes:
        node.meta = {key: value for key, value in node.meta.items() if key == "val"}
    if made.example.nbytes > MOST_EXAMPLE_BYTES:
        program.example_inputs = None
    torch.export.save(program, path)
    return [path]


def _run_torch_export(files: list[Path], inputs: Array) -> Array:
    import torch

    return _run_torch(torch.export.load(files[0]).module(), inputs)


def _write_state_dict(path: Path, made: StateDict) -> list[Path]:
    import torch

    path = path.with_suffix(".pt")
    torch.save(made.state, path)
    graph = without_weights(made.topology).SerializeToString()
    return [path, _written(path.with_name(made.graph), graph)]


def _run_state_dict(files: list[Path], inputs: Array) -> Array:
    """Run the graph with the stored weights: PyTorch itself has no network to put them into."""
    import onnxruntime
    import torch

    state = torch.load(files[0], weights_only=True)
    session = onnxruntime.InferenceSession(files[1], providers=["CPUExecutionProvider"])
    port, *weights = (each.name for each in session.get_inputs())
    fed = {name: state[name].numpy() for name in weights}
    return np.asarray(session.run(None, {port: inputs, **fed})[0])


def _run_torch(network: Any, inputs: Array) -> Array:
    import torch

    with torch.no_grad():
        found = network(torch.from_numpy(inputs))
    (output,) = found.values() if isinstance(found, dict) else (found,)
    return np.asarray(output)


def _write_savedmodel(path: Path, network: Any) -> list[Path]:
    import tensorflow as tf
    from tensorflow.core.protobuf import fingerprint_pb2

    folder = path.parent
    tf.saved_model.save(network, str(folder), signatures={"serving_default": network.serve})
    (folder / "assets").rmdir()
    fingerprint = folder / "fingerprint.pb"
    content = fingerprint_pb2.FingerprintDef.FromString(fingerprint.read_bytes())
    content.uuid = "0"
    fingerprint.write_bytes(content.SerializeToString(deterministic=True))
    graph = folder / "saved_model.pb"
    others = sorted(path for path in folder.rglob("*") if path.is_file() and path != graph)
    return [graph, *others]


def _run_savedmodel(files: list[Path], inputs: Array) -> Array:
    import tensorflow as tf

    opened = tf.saved_model.load(str(files[0].parent))
    (output,) = opened.signatures["serving_default"](tf.constant(inputs)).values()
    return np.asarray(output)


def _write_keras(path: Path, network: Any) -> list[Path]:
    path = path.with_suffix(".keras")
    with tempfile.TemporaryDirectory() as scratch:
        dated = Path(scratch, path.name)
        network.save(dated)
        with zipfile.ZipFile(dated) as source, zipfile.ZipFile(path, "w") as copy:
            for entry in source.infolist():
                content = source.read(entry)
                if entry.filename == "metadata.json":
                    content = json.dumps({**json.loads(content), "date_saved": DATE}).encode()
                elif entry.filename == "config.json":
                    content = _number_objects(content.decode()).encode()
                copy.writestr(zipfile.ZipInfo(entry.filename, MEMBER_DATE), content)
    return [path]


def _number_objects(config: str) -> str:
    """Replace the address of each shared object by a number, in the order of appearance."""
    found = re.findall(r'"shared_object_id": (\d+)', config)
    numbers = {address: number for number, address in enumerate(dict.fromkeys(found), 1)}
    return re.sub(r'("shared_object_id": )(\d+)', lambda at: f"{at[1]}{numbers[at[2]]}", config)


def _run_keras(files: list[Path], inputs: Array) -> Array:
    import keras

    network = keras.saving.load_model(files[0], safe_mode=True)
    return np.asarray(network(inputs, training=False))


def _write_tflite(path: Path, converter: Any) -> list[Path]:
    return [_written(path.with_suffix(".tflite"), converter.convert())]


def _run_tflite(files: list[Path], inputs: Array) -> Array:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(files[0]), num_threads=1)
    signature = interpreter.get_signature_runner("serving_default")
    (port,) = signature.get_input_details()
    (output,) = signature(**{port: inputs}).values()
    return np.asarray(output)


def _write_caffe(path: Path, made: CaffeNet) -> list[Path]:
    text = _written(path.with_suffix(".prototxt"), made.text.encode())
    return [text, _written(path.with_suffix(".caffemodel"), made.weights)]


def _run_caffe(files: list[Path], inputs: Array) -> Array:
    import cv2

    network = cv2.dnn.readNetFromCaffe(*map(str, files))
    network.setInput(inputs)
    return np.asarray(network.forward())


def _write_nnef(path: Path, made: NnefGraph) -> list[Path]:
    import nnef

    files = [_written(path.with_name("graph.nnef"), made.text.encode())]
    for label, values in made.variables.items():
        file = path.parent / f"{label}.dat"
        file.parent.mkdir(exist_ok=True)
        with file.open("wb") as target:
            nnef.write_tensor(target, np.ascontiguousarray(values))
        files.append(file)
    return files


def _run_nnef(files: list[Path], inputs: Array) -> Array:
    """Compute batch by batch in NNEF's own interpreter: a graph has a fixed size of the batch."""
    from nnef_tools.interpreter.pytorch import Interpreter

    network = Interpreter(str(files[0].parent))
    (port,) = network.input_details()
    parts = np.split(inputs, len(inputs) // port.shape[0])
    # The interpreter indexes by lists where PyTorch wants tuples.
    warnings.filterwarnings("ignore", "Using a non-tuple sequence", UserWarning)
    return np.concatenate([np.asarray(*network([part]).values()) for part in parts])


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


EXPORTERS = {
    "onnx": Exporter("ONNX model", _write_onnx, _run_onnx),
    "torchscript": Exporter("traced TorchScript archive", _write_torchscript, _run_torchscript),
    "torch-export": Exporter(
        "exported program of PyTorch (.pt2)", _write_torch_export, _run_torch_export
    ),
    "torch-state-dict": Exporter(
        "state dict of PyTorch, with an ONNX graph", _write_state_dict, _run_state_dict
    ),
    "savedmodel": Exporter("SavedModel of TensorFlow", _write_savedmodel, _run_savedmodel),
    "keras": Exporter("Keras file", _write_keras, _run_keras),
    "tflite": Exporter("TensorFlow Lite model", _write_tflite, _run_tflite),
    "caffe": Exporter("prototxt and caffemodel of Caffe", _write_caffe, _run_caffe),
    "nnef": Exporter("NNEF graph", _write_nnef, _run_nnef),
}
"""Every format by its id."""
