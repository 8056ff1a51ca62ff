"""Write files for the tensors codec; the same tensors always give the same bytes.

>>> from pathlib import Path
>>> import tempfile, numpy as np
>>> from conformance.codecs.encoded import affine, plain
>>> tensors = {"w": affine(np.eye(4, dtype=np.float32)), "b": plain(np.zeros(4, np.float16))}
>>> path = Path(tempfile.mkdtemp(), "small.safetensors.xz")
>>> sorted(write(path, tensors, container="xz"))
['container', 'decoded_size', 'format']
"""

from __future__ import annotations

import io
import json
import lzma
import zlib
from collections.abc import Mapping
from pathlib import Path

import zstandard

from conformance.codecs._parent import PARENT_KEY, parent_text
from conformance.codecs.container import Container
from conformance.codecs.encoded import Encoded
from conformance.codecs.tensors import ENCODINGS_KEY
from conformance.tensorfiles import Array, Format, dump_tensors, is_extended
from conformance.verdicts import Json

_ZSTD_LEVEL = 19
_BEST = 9


def write(
    path: Path,
    tensors: Mapping[str, Encoded],
    *,
    container: Container = "none",
    format: Format = "safetensors",
    parent: str | None = None,
) -> dict[str, Json]:
    """Write ``tensors`` to ``path`` and return the codec parameters for the submission.

    ``parent`` is the :func:`~conformance.tensorfiles.network_digest` of the parameters that they
    are differences to. A :class:`ValueError` says which two stored arrays would have one name.
    """
    arrays: dict[str, Array] = {}
    described: dict[str, Json] = {}
    for name in sorted(tensors):
        stored, fields = _lay_out(name, tensors[name], format)
        taken = sorted(set(stored) & set(arrays))
        if taken:
            raise ValueError(f"two stored arrays would be named {taken[0]!r}")
        arrays |= stored
        if fields:
            described[name] = fields
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    payload = io.BytesIO()
    metadata = {ENCODINGS_KEY[format]: text} if described else {}
    if parent is not None:
        metadata[PARENT_KEY[format]] = parent_text(parent)
    dump_tensors(payload, format, arrays, metadata)
    return _pack(path, payload.getvalue(), container, format)


def _lay_out(
    name: str, tensor: Encoded, format: Format
) -> tuple[dict[str, Array], dict[str, Json]]:
    """Return the arrays of one tensor by stored name, and the fields that describe it."""
    fields: dict[str, Json] = {"encoding": tensor.encoding, **tensor.fields}
    arrays: dict[str, Array] = {}
    for key, array in tensor.arrays.items():
        stored = name if tensor.encoding == "plain" else f"{name}:{key}"
        fields[key] = stored
        arrays[stored] = array
        if format == "npz" and is_extended(array.dtype):
            arrays[stored] = array.view(f"<u{array.dtype.itemsize}")
            fields["values_dtype"] = array.dtype.name
    needless = tensor.encoding == "plain" and "values_dtype" not in fields
    return arrays, {} if needless else fields


def _pack(path: Path, payload: bytes, container: Container, format: Format) -> dict[str, Json]:
    packed = {
        "none": lambda: payload,
        "zstd": lambda: zstandard.ZstdCompressor(_ZSTD_LEVEL, write_checksum=True).compress(
            payload
        ),
        "xz": lambda: lzma.compress(payload, lzma.FORMAT_XZ, filters=[_xz_filter(len(payload))]),
        "deflate": lambda: zlib.compress(payload, _BEST),
    }[container]()
    path.write_bytes(packed)
    if container == "none":
        return {"format": format}
    return {"container": container, "decoded_size": len(payload), "format": format}


def _xz_filter(size: int) -> dict[str, int]:
    """Return the best preset with a dictionary no larger than necessary."""
    dictionary = min(max(2**12, 1 << size.bit_length()), 2**26)
    best = _BEST | lzma.PRESET_EXTREME
    return {"id": lzma.FILTER_LZMA2, "preset": best, "dict_size": dictionary}
