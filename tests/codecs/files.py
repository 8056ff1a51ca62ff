"""Write and decode samples, for the tests of this room."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from conformance.codecs import DecodedTensors, Source, codec
from conformance.codecs.tensors import ENCODINGS_KEY
from conformance.tensorfiles import write_tensors

LIMIT = 10**7


def decode(path: Path, limit_bytes: int = LIMIT, **params: Any) -> DecodedTensors:
    source = Source((path,), (f"shown/{path.name}",), params, limit_bytes)
    decoded = codec("tensors").decode(source)
    assert isinstance(decoded, DecodedTensors)
    return decoded


def handmade(
    folder: Path, encodings: Any, arrays: Mapping[str, np.ndarray], name: str = "a.safetensors"
) -> Path:
    """Write arrays and any description of their encodings, right or wrong."""
    path = folder / name
    text = encodings if isinstance(encodings, str) else json.dumps(encodings)
    key = ENCODINGS_KEY["npz" if name.endswith(".npz") else "safetensors"]
    write_tensors(path, arrays, {key: text})
    return path
