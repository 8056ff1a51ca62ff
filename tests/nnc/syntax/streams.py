"""Streams to read: one that NNCodec 2.1.3 wrote, and makers of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.nnc.options import Interpretation
from conformance.nnc.writer import StreamWriter

NNCODEC = bytes.fromhex(
    "00040201000806810040008000060e00000000171609636f6e737400d0421647b0485860a820ec1280"
)
"""One tensor ``const`` of 5 x 6 numbers 0.25, with a codebook of one entry, qp -20, density 2."""

START = {"general_profile_idc": 1}
MODEL = {"mps_quantization_method_flags": 1, "mps_qp_density": 2}
TENSOR = {
    "nnr_compressed_data_unit_payload_type": 1,
    "input_parameters_present_flag": 1,
    "topology_elem_id": "w",
    "tensor_dimensions_flag": 1,
    "count_tensor_dimensions": 2,
    "tensor_dimensions": (20, 3),
}


def write(
    *units: tuple[str, Mapping[str, Any]],
    payload: bytes = b"\x80",
    interpretation: Interpretation | None = None,
) -> bytes:
    """Write units; each NDU gets the payload."""
    writer = StreamWriter(interpretation or Interpretation())
    for name, values in units:
        writer.add(name, values, payload if name == "NDU" else b"")
    return writer.getvalue()


def with_tensor(
    values: Mapping[str, Any], model: Mapping[str, Any] = MODEL, profile: int = 1
) -> bytes:
    """Write a stream of start unit, model parameter set and one data unit."""
    return write(
        ("STR", {"general_profile_idc": profile}), ("MPS", model), ("NDU", {**TENSOR, **values})
    )
