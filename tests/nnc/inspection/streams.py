"""Streams to look into: a good one, and what bends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.nnc.encoder import (
    CodedTensor,
    CodedUnit,
    LevelTools,
    UnitCoding,
    encode_unit,
    raw_unit,
)
from conformance.nnc.writer import StreamWriter

CONST = bytes.fromhex(
    "00040201000806810040008000060e00000000171609636f6e737400d0421647b0485860a820ec1280"
)
"""What NNCodec 2.1.3 wrote: ``const`` of 5 x 6 numbers 0.25, codebook of one entry, qp -20."""

MODEL = {"topology_carriage_flag": 1, "mps_quantization_method_flags": 1, "mps_qp_density": 2}
START = ("STR", {"general_profile_idc": 1}, b"")
TOPOLOGY = ("TPL", {}, b"")

Part = tuple[str, Mapping[str, Any], bytes]


def join(*parts: Part) -> bytes:
    """Write units one after another."""
    writer = StreamWriter()
    for name, values, payload in parts:
        writer.add(name, values, payload)
    return writer.getvalue()


def model(**values: Any) -> Part:
    """Return a model parameter set."""
    return ("MPS", {**MODEL, **values}, b"")


def data(unit: CodedUnit, **values: Any) -> Part:
    """Return a data unit, with other values than its encoder gave."""
    return ("NDU", {**unit.values, **values}, unit.payload)


def around(*parts: Part, **values: Any) -> bytes:
    """Return a stream with start, parameters and topology before ``parts``."""
    return join(START, model(**values), TOPOLOGY, *parts)


def some_levels(shape: tuple[int, ...], scale: float = 2.0) -> Any:
    """Return Laplacian levels, the same every time."""
    return np.random.default_rng(7).laplace(0, scale, shape).astype(np.int32)


def float_unit(
    name: str = "w",
    shape: tuple[int, ...] = (20, 6),
    *,
    qp: int = -20,
    levels: Any = None,
    codebook: Any = None,
    tools: LevelTools | None = None,
    history: Any = None,
    **coding: Any,
) -> CodedUnit:
    """Return a FLOAT unit."""
    chosen = some_levels(shape) if levels is None else levels
    tensor = CodedTensor(
        name,
        "tensor",
        shape,
        np.asarray(chosen, np.int32),
        qp=qp,
        codebook=codebook,
        tools=tools or LevelTools(),
        history=history,
    )
    return encode_unit([tensor], UnitCoding("FLOAT", **coding))


def int_unit(levels: Any, name: str = "i", **coding: Any) -> CodedUnit:
    """Return an INT unit."""
    array = np.asarray(levels, np.int32)
    tensor = CodedTensor(name, "tensor", array.shape, array)
    return encode_unit([tensor], UnitCoding("INT", **coding))


def raw(name: str = "r") -> CodedUnit:
    """Return a RAW_FLOAT unit."""
    return raw_unit(name, np.arange(6, dtype=np.float32).reshape(2, 3))


def block_unit(types: int, *members: tuple[str, str, tuple[int, ...]], **coding: Any) -> CodedUnit:
    """Return a BLOCK of members given as name, role and shape."""
    tensors = [
        CodedTensor(name, role, shape, some_levels(shape), qp=-20)  # type: ignore[arg-type]
        for name, role, shape in members
    ]
    unit = encode_unit(tensors, UnitCoding("BLOCK", **coding))
    assert unit.values["compressed_parameter_types"] == types
    return unit


GOOD = around(data(float_unit()), data(int_unit([[1, -2], [3, 4]])))
"""Nothing is wrong with it."""
