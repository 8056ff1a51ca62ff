"""Files of tensors for samples that build on one another: written, decoded again, and added up."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conformance.codecs import Source
from conformance.codecs.encoded import Encoded
from conformance.codecs.tensors import TensorsCodec
from conformance.codecs.tensors_writer import write

MOST_BYTES = 2**24
CONTAINERS = {"none": "", "xz": ".xz", "zstd": ".zst"}
"""What the name of a file ends in, by container."""
CODING = {"xz": "xz (LZMA2), preset 9 extreme", "zstd": "zstandard, level 19"}

Arrays: TypeAlias = dict[str, NDArray[np.float32]]


def pack(
    tensors: Mapping[str, Encoded], container: str, **how: Any
) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a file and the codec parameters that it is decoded with."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "packed.safetensors")
        params = write(path, tensors, container=container, **how)
        return path.read_bytes(), params


def decode(data: bytes, params: Mapping[str, Any]) -> Arrays:
    """Return the tensors of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "packed.safetensors")
        path.write_bytes(data)
        with TensorsCodec().decode(Source((path,), (path.name,), params, MOST_BYTES)) as decoded:
            return {name: decoded[name].copy() for name in decoded}


def add(state: Arrays, difference: Arrays) -> Arrays:
    """Return a new state; what ``difference`` lacks stays as it is."""
    return {
        name: values + difference[name] if name in difference else values
        for name, values in state.items()
    }
