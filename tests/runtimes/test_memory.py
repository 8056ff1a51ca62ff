"""Peak memory of a model whose parameters are all replaced, measured in its own process."""

import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.runtimes import models

SIDE, LAYERS = 2000, 4
FILE_BYTES = SIDE * SIDE * LAYERS * 4
LARGE_SIDE, LARGE_LAYERS = 2048, 10
LARGE_BYTES = LARGE_SIDE * LARGE_SIDE * LARGE_LAYERS * 4
ROOM_BYTES = 24 << 20

MEASURE = """
import sys
from collections.abc import Mapping
from pathlib import Path
import numpy as np
from conformance.runtimes import ModelSource, runtime
import conformance.runtimes.onnx

class Halves(Mapping):
    def __len__(self): return {layers}
    def __iter__(self): return (f"W{{i}}" for i in range({layers}))
    def __getitem__(self, name): return np.load(folder / f"{{name}}.npy", mmap_mode="r")

class Decoded(Halves):
    def __getitem__(self, name): return np.full(({side}, {side}), 0.5, np.float32)

def peak():
    # Not getrusage: it counts what the process was before it became this program.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

folder, before = Path(sys.argv[1]), peak()
names = [name for name in ("model.onnx", "w.bin") if (folder / name).exists()]
source = ModelSource(tuple(folder / name for name in names), tuple(names), folder, 1 << 30)
with runtime("onnx").open(source) as network:
    given = {{"own": None, "replaced": Halves(), "decoded": Decoded()}}
    runner = network.bind(given[sys.argv[2]])
    runner.run_batched({{"h0": np.ones((40, {side}), np.float32)}}, 40)
print(peak() - before)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    weights = {f"W{i}": models.floats(SIDE, SIDE, seed=i) for i in range(LAYERS)}
    for name, array in weights.items():
        np.save(folder / f"{name}.npy", array.astype(np.float16))
    nodes = [helper.make_node("MatMul", [f"h{i}", f"W{i}"], [f"h{i + 1}"]) for i in range(LAYERS)]
    ports = [models.value("h0", ["N", SIDE])], [models.value(f"h{LAYERS}", ["N", SIDE])]
    models.save(folder, models.model(nodes, *ports, weights))
    return folder


@pytest.mark.parametrize("which", ["own", "replaced"])
def test_parameters_are_in_memory_once(folder, which):
    """The file's size, one more tensor, the float16 file's pages and the activations: under 2."""
    code = MEASURE.format(layers=LAYERS, side=SIDE)
    command = [sys.executable, "-c", code, str(folder), which]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2 * FILE_BYTES


def chain(side, layers, tensors, constants=()):
    nodes = [
        *constants,
        *(helper.make_node("MatMul", [f"h{i}", f"W{i}"], [f"h{i + 1}"]) for i in range(layers)),
    ]
    ports = [models.value("h0", ["N", side])], [models.value(f"h{layers}", ["N", side])]
    return models.model(nodes, *ports, tensors)


def large_tensors():
    for i in range(LARGE_LAYERS):
        yield f"W{i}", models.floats(LARGE_SIDE, LARGE_SIDE, seed=i) / 50


@pytest.fixture(scope="module")
def external(tmp_path_factory):
    folder, tensors = tmp_path_factory.mktemp("external"), []
    with (folder / "w.bin").open("wb") as file:
        for name, array in large_tensors():
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=array.shape)
            tensor.data_location = TensorProto.EXTERNAL
            entries = {"location": "w.bin", "offset": file.tell(), "length": array.nbytes}
            for key, content in entries.items():
                tensor.external_data.add(key=key, value=str(content))
            file.write(array.tobytes())
            tensors.append(tensor)
    models.save(folder, chain(LARGE_SIDE, LARGE_LAYERS, tensors))
    return folder


@pytest.fixture(scope="module")
def in_constants(tmp_path_factory):
    folder = tmp_path_factory.mktemp("constants")
    constants = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array))
        for name, array in large_tensors()
    ]
    models.save(folder, chain(LARGE_SIDE, LARGE_LAYERS, (), constants))
    return folder


@pytest.mark.parametrize("which", ["own", "decoded"])
@pytest.mark.parametrize("place", ["external", "in_constants"])
def test_a_large_model_takes_little_more_than_its_parameters(place, which, request):
    code = MEASURE.format(layers=LARGE_LAYERS, side=LARGE_SIDE)
    command = [sys.executable, "-c", code, str(request.getfixturevalue(place)), which]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1.5 * LARGE_BYTES + ROOM_BYTES
