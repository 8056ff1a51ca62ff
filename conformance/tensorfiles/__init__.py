"""Files of named arrays, read without trust: safetensors, ``.npz`` without pickle, TensorProto.

>>> from pathlib import Path
>>> import tempfile, numpy as np
>>> path = Path(tempfile.mkdtemp(), "example.safetensors")
>>> write_tensors(path, {"bias": np.zeros(3, np.float32)})
>>> with open_tensors(path, display="example.safetensors", limit_bytes=1000) as tensors:
...     tensors["bias"].tolist(), tensor_digest(tensors["bias"])[:8]
([0.0, 0.0, 0.0], 'e43bb0ec')
"""

from __future__ import annotations

from conformance.tensorfiles._file import TensorFile
from conformance.tensorfiles._lfs import LFS_BYTES, refuse_lfs_pointer
from conformance.tensorfiles._mapping import map_file
from conformance.tensorfiles._open import FORMATS, Format, open_file, open_tensors, read_tensors
from conformance.tensorfiles._safetensors import (
    LENGTH_BYTES,
    MAX_HEADER_BYTES,
    header_end,
    view_safetensors,
)
from conformance.tensorfiles._stored import Stored, check_name, check_shape, check_total, distinct
from conformance.tensorfiles._write import dump_tensors, write_tensors
from conformance.tensorfiles.digest import network_digest, tensor_digest
from conformance.tensorfiles.dtypes import (
    SAFETENSORS_CODES,
    Array,
    DType,
    dtype_named,
    is_extended,
    is_floating,
)
from conformance.tensorfiles.strings import pack_strings, unpack_strings

__all__ = [
    "FORMATS",
    "LENGTH_BYTES",
    "LFS_BYTES",
    "MAX_HEADER_BYTES",
    "SAFETENSORS_CODES",
    "Array",
    "DType",
    "Format",
    "Stored",
    "TensorFile",
    "check_name",
    "check_shape",
    "check_total",
    "distinct",
    "dtype_named",
    "dump_tensors",
    "header_end",
    "is_extended",
    "is_floating",
    "map_file",
    "network_digest",
    "open_file",
    "open_tensors",
    "pack_strings",
    "read_tensors",
    "refuse_lfs_pointer",
    "tensor_digest",
    "unpack_strings",
    "view_safetensors",
    "write_tensors",
]
