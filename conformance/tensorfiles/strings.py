r"""Strings as two arrays of numbers, so that safetensors files can hold them.

>>> import numpy as np
>>> packed = pack_strings(np.array(["a", "né"]))
>>> packed["ends"].tolist(), bytes(packed["utf8"])
([1, 4], b'an\xc3\xa9')
>>> unpack_strings(packed).tolist()
['a', 'né']
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from conformance.tensorfiles.dtypes import Array
from conformance.verdicts import LimitError, MalformedError

_BYTES_PER_CHARACTER = 4


def pack_strings(array: Array) -> dict[str, Array]:
    """Return ``utf8``, all strings one after the other, and ``ends``, where each ends.

    ``array`` has strings of fixed width, or objects that are ``str`` or UTF-8 ``bytes``;
    ``ends`` is int64 and has its shape.
    """
    texts = [_encode(item) for item in array.reshape(-1).tolist()]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64).reshape(array.shape)
    return {"utf8": np.frombuffer(b"".join(texts), np.uint8), "ends": ends}


def unpack_strings(packed: Mapping[str, Array], *, limit_bytes: int = 2**30) -> Array:
    """Return the array of strings that :func:`pack_strings` packed, as fixed-width Unicode.

    A MalformedError is raised if the two arrays do not belong together, a LimitError if the
    strings would take more than ``limit_bytes``.
    """
    ends, utf8 = packed["ends"], packed["utf8"].tobytes()
    flat = ends.reshape(-1)
    _check_ends(flat, len(utf8))
    starts = [0, *flat[:-1].tolist()]
    texts = [_decode(utf8[a:b]) for a, b in zip(starts, flat.tolist(), strict=False)]
    width = max([1, *map(len, texts)])
    if width * _BYTES_PER_CHARACTER * len(texts) > limit_bytes:
        raise LimitError(
            "the strings take more memory than is allowed",
            expected=f"at most {limit_bytes} bytes",
            found=f"{len(texts)} strings, the longest of {width} characters",
            fix="Shorten the longest string, or raise the memory limit of the run.",
        )
    return np.array(texts, dtype=f"U{width}").reshape(ends.shape)


def _encode(item: object) -> bytes:
    if isinstance(item, str):
        return item.encode("utf-8")
    if isinstance(item, bytes):
        return item
    raise TypeError(f"{type(item).__name__} is not a string")


def _decode(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _damaged("UTF-8", str(error)) from error


def _check_ends(ends: Array, size: int) -> None:
    last = int(ends[-1]) if ends.size else 0
    rising = ends.dtype == np.int64 and not (np.diff(ends, prepend=0) < 0).any()
    if not rising or last != size:
        raise _damaged(
            f"ends (int64) that never fall and stop at {size}", f"{ends.dtype.name} up to {last}"
        )


def _damaged(expected: str, found: str) -> MalformedError:
    return MalformedError(
        "the packed strings are damaged",
        expected=expected,
        found=found,
        fix="Pack the strings again.",
    )
