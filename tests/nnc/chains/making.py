"""A base and updates of it, written by the encoder of this project."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.nnc.encoder import EncoderSettings, Quantization, UpdateSettings, encode
from conformance.nnc.parser import parse_stream
from conformance.nnc.state import DecoderState

SETTINGS = EncoderSettings(quantization=Quantization(qp=-20), device_id=3)


def tensors(seed: int, scale: float = 0.5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        "w": random.laplace(0, scale, (6, 5)).astype(np.float32),
        "b": random.laplace(0, scale, 5).astype(np.float32),
    }


def base(state: DecoderState | None = None, **more: Any) -> bytes:
    return encode(tensors(0, 2.0), replace(SETTINGS, **more), state)


def update(seed: int, state: DecoderState | None = None, **how: Any) -> bytes:
    """Return an update after the streams that moved ``state`` on; ``how`` is that of its parent."""
    arrays = how.pop("arrays", None) or tensors(seed)
    more = how.pop("more", {})
    return encode(arrays, replace(SETTINGS, update=UpdateSettings(**how), **more), state)


def payloads(stream: bytes) -> dict[str, bytes]:
    """Return the payload of each data unit with one tensor, by the tensor's name."""
    return {
        unit.values["topology_elem_id"]: stream[
            unit.payload_byte : unit.payload_byte + unit.payload_size
        ]
        for unit in parse_stream(stream).units
        if unit.name == "NDU"
    }


def digests(stream: bytes, kind: str) -> dict[str, str]:
    """Return the hash of each payload, in hexadecimal."""
    return {name: hashlib.new(kind, data).hexdigest() for name, data in payloads(stream).items()}
