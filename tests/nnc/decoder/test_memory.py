"""What decoding holds in memory at most: the stream, the results, and little else."""

import json
import subprocess
import sys

import numpy as np
import pytest

from conformance.nnc.decoder import decode
from conformance.nnc.encoder import EncoderSettings, LevelSettings, Quantization, encode

SHARE = 1.3
"""Bytes beyond the stream per byte of the results."""
PROBE = """
import json, sys
from pathlib import Path
from conformance.nnc.decoder import decode
from conformance.nnc.options import Options

def held(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) << 10

warm, file = sys.argv[1:]
decode(warm)
before = held("VmRSS:")
tensors = decode(file, Options(threads=2))
peak = held("VmHWM:")
print(json.dumps([before, peak, sum(tensor.nbytes for tensor in tensors.values())]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("codebook_size", [0, 16], ids=["uniform", "codebook"])
def test_levels_are_decoded_in_the_memory_of_the_results(tmp_path, codebook_size):
    random = np.random.default_rng(1)
    names, shape = "abcd", (1000, 1000)
    tensors = {name: random.laplace(0, 0.02, shape).astype(np.float32) for name in names}
    settings = EncoderSettings(
        quantization=Quantization(qp=-20, codebook_size=codebook_size),
        levels=LevelSettings(initialisation="zero"),
    )
    file, warm = tmp_path / "large.nnc", tmp_path / "small.nnc"
    file.write_bytes(encode(tensors, settings))
    warm.write_bytes(encode({"small": tensors["a"][:9, :9]}, settings))
    decode(warm)
    command = [sys.executable, "-c", PROBE, warm, file]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, peak, results = json.loads(done.stdout)
    assert results == 4 * 1_000_000 * (8 if codebook_size else 4)
    assert peak - before <= file.stat().st_size + SHARE * results
