"""Compress tensors to NNC bitstreams with NNCodec 2.1.3, in the interpreter that has it.

    /path/to/nncodec/bin/python vectors/generate/encode_streams.py FOLDER

For every ``NAME.json`` in FOLDER, the arrays of ``NAME.npz`` become ``NAME.nnc``. The JSON object
holds the keyword arguments of ``nncodec.nnc.compress``. NNCodec needs packages in versions that
this project does not use, so this script imports nothing of ours; ``stream_samples`` starts it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from nncodec import nnc


def compress_all(folder: Path) -> None:
    """Compress every set of tensors in ``folder``."""
    for described in sorted(folder.glob("*.json")):
        settings = json.loads(described.read_text("utf-8"))
        with np.load(described.with_suffix(".npz"), allow_pickle=False) as archive:
            tensors = dict(archive)
        stream = nnc.compress(tensors, return_bitstream=True, **settings)
        described.with_suffix(".nnc").write_bytes(stream)


if __name__ == "__main__":
    compress_all(Path(sys.argv[1]))
