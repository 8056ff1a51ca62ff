"""Streams written unit by unit, for what no encoder makes."""

from collections.abc import Mapping
from typing import Any

from conformance.nnc.decoder import plan_stream
from conformance.nnc.options import Options
from conformance.nnc.parser import parse_stream
from conformance.nnc.planning import NduPlan
from conformance.nnc.writer import StreamWriter

INT, FLOAT, RAW_FLOAT, BLOCK = range(4)


def started(profile: int = 1, **parameters: Any) -> StreamWriter:
    """Return a writer after a start unit and a model parameter set."""
    writer = StreamWriter()
    writer.add("STR", {"general_profile_idc": profile})
    quantization = {
        "mps_quantization_method_flags": 1,
        "mps_qp_density": 2,
        "mps_quantization_parameter": 0,
    }
    writer.add("MPS", quantization | parameters)
    return writer


def header(kind: int = FLOAT, name: str = "w", shape: Any = (), **values: Any) -> dict[str, Any]:
    """Return the header of a compressed data unit with one tensor."""
    return {
        "nnr_compressed_data_unit_payload_type": kind,
        "topology_elem_id": name,
        "input_parameters_present_flag": 1,
        "tensor_dimensions_flag": 1,
        "count_tensor_dimensions": len(shape),
        "tensor_dimensions": tuple(shape),
        **values,
    }


def block(names: Any, shape: Any, types: int, **values: Any) -> dict[str, Any]:
    """Return the header of a BLOCK with the tensors ``names``."""
    several = {
        "nnr_multiple_topology_elements_present_flag": 1,
        "topology_elem_id": None,
        "count_topology_elements_minus2": len(names) - 2,
        "topology_elem_ids": tuple(names),
        "compressed_parameter_types": types,
    }
    return header(BLOCK, "", shape) | several | values


def stream_of(*units: Mapping[str, Any], payload: bytes = bytes(64), **parameters: Any) -> bytes:
    """Return a stream with compressed data units, all with the same payload."""
    writer = started(**parameters)
    for values in units:
        writer.add("NDU", values, payload)
    return writer.getvalue()


def planned(data: bytes, options: Options | None = None) -> list[NduPlan]:
    """Return the plans of a stream."""
    options = options or Options()
    return plan_stream(parse_stream(data, options), options)
