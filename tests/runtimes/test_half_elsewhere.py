"""What each format other than ONNX computes where its file says float16.

Each network multiplies its input, 300, by a weight of 300 that is stored as float16, in float16 if
the format has it: 90000 is infinite there. Caffe has none: its networks are float32 throughout
(``raw_data_type`` is a type of storage), so that there is nothing to prove. TensorFlow Lite, whose
models are converted in their own process, is in ``tflite/test_run.py``.
"""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.runtimes import models

WEIGHT = np.full((1, 1), 300, np.float16)
X = np.full((1, 1), 300, np.float32)


def torch_net():
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.from_numpy(WEIGHT.copy()))

        def forward(self, x):
            return x.half() * self.weight

    return Net(), (torch.from_numpy(X),)


def torchscript(folder):
    from tests.runtimes.pytorch import files

    net, example = torch_net()
    return files.open_file(files.save_script(net, folder / "net.pt", example=example))


def torch_export(folder):
    from tests.runtimes.pytorch import files

    net, example = torch_net()
    path = files.save_export(net, folder / "net.pt2", example, batched=False)
    return files.open_file(path, "torch-export")


def savedmodel(folder):
    import tensorflow as tf

    from tests.runtimes.tensorflow import nets

    class Net(tf.Module):
        def __init__(self):
            self.weight = tf.Variable(WEIGHT)

        @tf.function(input_signature=[tf.TensorSpec((None, 1), tf.float32, name="x")])
        def serve(self, x):
            return {"made": tf.cast(x, tf.float16) * self.weight}

    return nets.opened(nets.save(folder / "net", Net()))


def keras(folder):
    import keras as library

    from tests.runtimes.tensorflow import nets

    layer = library.layers.Dense(1, use_bias=False, dtype="float16")
    model = library.Sequential([library.Input((1,), dtype="float16"), layer])
    layer.set_weights([WEIGHT])
    return nets.opened(nets.save_keras(folder, model))


def nnef(folder):
    from tests.runtimes.nnef import models as nets

    tensors = {"weight": WEIGHT}
    text = nets.graph("y = mul(x, weight);", {"x": (1, 1)}, tensors=tensors)
    return nets.opened(nets.save(folder, text, tensors))


COMPUTED = {
    torchscript: np.inf,
    torch_export: np.inf,
    savedmodel: np.inf,
    keras: np.inf,
    nnef: 90000,
}
"""Infinite: half precision is computed. Else float32 is, as the format says."""


@pytest.mark.parametrize("made", COMPUTED, ids=lambda made: made.__name__)
def test_what_is_computed_in_half_precision(made, tmp_path):
    with made(tmp_path) as network:
        (given,), (output,) = network.inputs, network.outputs
        assert "float16" in {array.dtype.name for array in network.parameters.values()}
        runner = network.bind()
        assert runner.watch() is None
        result = runner.run({given.name: X})[output.name]
    assert float(np.asarray(result, np.float32).item()) == COMPUTED[made]


def test_a_graph_beside_a_state_dict_is_watched_like_any_of_onnx(tmp_path):
    import torch

    from tests.runtimes.pytorch import files

    half = TensorProto.FLOAT16
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=half),
        helper.make_node("Mul", ["h", "weight"], ["y"]),
    ]
    ports = [models.value("x", ["N", 1]), models.value("weight", [1, 1], half)]
    graph = models.model(nodes, ports, [models.value("y", ["N", 1], half)])
    torch.save({"weight": torch.from_numpy(WEIGHT.copy())}, tmp_path / "net.pt")
    (tmp_path / "net.onnx").write_bytes(graph.SerializeToString())
    made = files.source(tmp_path, "net.pt", "net.onnx")
    with files.opened("torch-state-dict", made) as network:
        watch = network.bind().watch()
        watch.add({"x": X}, 1, {})
        (found,) = watch.result().overflows
    assert (found.tensor, found.item, found.value) == ("y", 0, 90000.0)
