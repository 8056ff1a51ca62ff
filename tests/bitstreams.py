"""NNC bitstreams of values that are not coded, for tests that are not about decoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.nnc import StreamWriter

RAW_FLOAT = 2


def raw_stream(
    arrays: Mapping[str, np.ndarray], model: Mapping[str, Any] | None = None, **unit: Any
) -> bytes:
    """Return a stream of float32 arrays.

    ``model`` has elements of the model parameter set, ``unit`` those of every data unit.
    """
    writer = StreamWriter()
    writer.add("STR", {"general_profile_idc": 1})
    writer.add("MPS", model or {})
    for name, array in arrays.items():
        header = {
            "nnr_compressed_data_unit_payload_type": RAW_FLOAT,
            "topology_elem_id": name,
            "input_parameters_present_flag": 1,
            "tensor_dimensions_flag": 1,
            "count_tensor_dimensions": array.ndim,
            "tensor_dimensions": array.shape,
            **unit,
        }
        writer.add("NDU", header, array.astype("<f4").tobytes())
    return writer.getvalue()
