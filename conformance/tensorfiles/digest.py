"""The digest of a tensor: the same for the same values, whatever file they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from conformance.tensorfiles._write import byte_view
from conformance.tensorfiles.dtypes import Array


def tensor_digest(array: Array) -> str:
    """Return the lower-case hexadecimal SHA-256 of a tensor of numbers.

    What is hashed is the ASCII header ``{dtype}:{d0}x{d1}...`` and a line feed (``float32:`` for
    a scalar), then the little-endian elements in C order. A contiguous little-endian array is
    hashed in place. Strings and objects have no digest: :class:`TypeError`.
    """
    if array.dtype.kind in "OSUMm":
        raise TypeError(f"a tensor of {array.dtype.name} has no digest")
    shape = "x".join(map(str, array.shape))
    digest = hashlib.sha256(f"{array.dtype.name}:{shape}\n".encode("ascii"))
    digest.update(byte_view(array))
    return digest.hexdigest()


def network_digest(digests: Mapping[str, str]) -> str:
    """Return one digest for the parameters of a network, from those of its tensors by name.

    It is the SHA-256 of a line for each tensor, in the order of the names in UTF-8: its
    :func:`tensor_digest`, a space, its name and a line feed.
    """
    total = hashlib.sha256()
    for name in sorted(digests, key=str.encode):
        total.update(f"{digests[name]} {name}\n".encode())
    return total.hexdigest()
