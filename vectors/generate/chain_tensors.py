"""Tensors of samples that build on one another: decoded again, and added up."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensor_layouts import Tensors

from conformance.codecs import Source
from conformance.codecs.tensors import TensorsCodec

MOST_BYTES = 2**24


def decode(data: bytes, params: Mapping[str, Any]) -> Tensors:
    """Return the tensors of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "packed.safetensors")
        path.write_bytes(data)
        with TensorsCodec().decode(Source((path,), (path.name,), params, MOST_BYTES)) as decoded:
            return {name: decoded[name].copy() for name in decoded}


def add(state: Tensors, difference: Tensors) -> Tensors:
    """Return a new state; what ``difference`` lacks stays as it is."""
    return {
        name: values + difference[name] if name in difference else values
        for name, values in state.items()
    }
