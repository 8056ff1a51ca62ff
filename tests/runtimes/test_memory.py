"""Peak memory of a model whose parameters are all replaced, measured in a process of its own."""

import subprocess
import sys

import numpy as np
import pytest
from onnx import helper

from tests.runtimes import models

SIDE, LAYERS = 2000, 4
FILE_BYTES = SIDE * SIDE * LAYERS * 4

MEASURE = """
import resource, sys
from collections.abc import Mapping
from pathlib import Path
import numpy as np
from conformance.runtimes import ModelSource, runtime
import conformance.runtimes.onnx

class Halves(Mapping):
    def __len__(self): return {layers}
    def __iter__(self): return (f"W{{i}}" for i in range({layers}))
    def __getitem__(self, name): return np.load(folder / f"{{name}}.npy", mmap_mode="r")

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

folder, before = Path(sys.argv[1]), peak()
source = ModelSource((folder / "model.onnx",), ("model.onnx",), folder, 1 << 30)
with runtime("onnx").open(source) as network:
    runner = network.bind(Halves() if sys.argv[2] == "replaced" else None)
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
