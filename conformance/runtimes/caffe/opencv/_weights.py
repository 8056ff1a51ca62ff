"""The caffemodel that OpenCV is given: the blobs of its layers, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from conformance.runtimes._protocol import Array
from conformance.runtimes.caffe.layers import Shape, count
from conformance.runtimes.caffe.opencv._sheet import Use
from conformance.verdicts import Location, UnsupportedError

Bytes: TypeAlias = npt.NDArray[np.uint8]

MAX_BYTES = (1 << 31) - 1
"""The most bytes of a message: a limit of protocol buffers."""

_LAYER, _NAME, _BLOBS = 100, 1, 7
_SHAPE, _DIM, _DATA = 7, 1, 5
_VARINT, _LENGTH = 0, 2
_FLOAT_BYTES = 4
_SEVEN_BITS = 0x7F


def caffemodel_of(
    blobs: Mapping[str, Sequence[Use]], tensors: Mapping[str, Array], file: str
) -> Bytes:
    """Return a binary ``NetParameter`` with ``blobs``, whose values are those of ``tensors``.

    Values of other floating-point types are rounded to float32, in which Caffe computes. Raises
    UnsupportedError if it were larger than a message can be.
    """
    headers = {name: [_blob_header(use.shape) for use in uses] for name, uses in blobs.items()}
    sizes = {name: _layer_size(name, uses, headers[name]) for name, uses in blobs.items()}
    total = sum(len(_opened(_LAYER, size)) + size for size in sizes.values())
    if total > MAX_BYTES:
        raise UnsupportedError(
            "the parameters are more than OpenCV reads",
            where=Location(file, element="parameters"),
            expected=f"at most {MAX_BYTES} bytes in float32",
            found=f"{total} bytes",
            mend="Submit the network in another format.",
        )
    model = np.empty(total, np.uint8)
    end = 0
    for name, uses in blobs.items():
        end = _put(model, end, _opened(_LAYER, sizes[name]) + _named(name))
        for use, header in zip(uses, headers[name], strict=True):
            inside = len(header) + count(use.shape) * _FLOAT_BYTES
            end = _put(model, end, _opened(_BLOBS, inside) + header)
            end = _put_values(model, end, use, tensors[use.parameter])
    return model


def _layer_size(name: str, uses: Sequence[Use], headers: Sequence[bytes]) -> int:
    size = len(_named(name))
    for use, header in zip(uses, headers, strict=True):
        inside = len(header) + count(use.shape) * _FLOAT_BYTES
        size += len(_opened(_BLOBS, inside)) + inside
    return size


def _put(model: Bytes, start: int, data: bytes) -> int:
    model[start : start + len(data)] = np.frombuffer(data, np.uint8)
    return start + len(data)


def _put_values(model: Bytes, start: int, use: Use, array: Array) -> int:
    end = start + array.size * _FLOAT_BYTES
    # The place of the values need not be a multiple of 4, so they go there as bytes.
    values = np.ascontiguousarray(array.T if use.transposed else array, "<f4")
    model[start:end] = values.reshape(-1).view(np.uint8)
    return end


def _blob_header(shape: Shape) -> bytes:
    """Return a BlobProto up to its values."""
    dims = b"".join(_varint(_DIM << 3 | _VARINT) + _varint(size) for size in shape)
    return _opened(_SHAPE, len(dims)) + dims + _opened(_DATA, count(shape) * _FLOAT_BYTES)


def _named(name: str) -> bytes:
    return _opened(_NAME, len(name)) + name.encode("ascii")


def _opened(number: int, size: int) -> bytes:
    """Return the start of a field that holds ``size`` bytes."""
    return _varint(number << 3 | _LENGTH) + _varint(size)


def _varint(value: int) -> bytes:
    return bytes(_digits(value))


def _digits(value: int) -> Iterator[int]:
    while value > _SEVEN_BITS:
        yield value & _SEVEN_BITS | 0x80
        value >>= 7
    yield value
