"""Opens and runs copies of a model with a few bits flipped in each; prints refusals and runs.

python flip.py MODEL COPIES
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import numpy as np

from conformance.runtimes import ModelSource, runtime
from conformance.verdicts import ConformanceError

LIMIT = 1 << 28


def spoilt(content: bytes, seed: int) -> bytes:
    """A copy with one to three bits flipped; the first ones as often as all the others."""
    chance = random.Random(seed)
    copy = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        copy[chance.randrange(len(copy))] ^= 1 << chance.randrange(8)
    return bytes(copy)


def runs(path: Path) -> bool:
    """Whether the model can be opened and run, with its own parameters and with copies."""
    try:
        source = ModelSource((path,), (path.name,), path.parent, LIMIT)
        with runtime("tflite").open(source) as network:
            feed = {
                port.name: np.ones([1 if size is None else size for size in port.shape], port.dtype)
                for port in network.inputs
            }
            network.bind().run(feed)
            network.bind({k: np.array(v) for k, v in network.parameters.items()}).run(feed)
    except ConformanceError:
        return False
    return True


def main() -> None:
    content, copies = Path(sys.argv[1]).read_bytes(), int(sys.argv[2])
    ran = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        for seed in range(copies):
            sys.stderr.write(f"{seed}\n")
            path.write_bytes(spoilt(content, seed))
            ran += runs(path)
    sys.stdout.write(f"{copies - ran} {ran}\n")


main()
