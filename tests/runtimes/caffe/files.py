"""Caffe networks for tests: prototxt text and caffemodels, written byte by byte."""

from pathlib import Path

import numpy as np

from conformance.runtimes import ModelSource

LIMIT = 1 << 28


def varint(value):
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def field(number, content):
    """A field of bytes, or of a number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def sizes(shape):
    return field(7, field(1, b"".join(map(varint, shape))))


def blob(array, shape=None, old=False):
    """A BlobProto: float32 as data, float64 as double_data, float16 as raw data."""
    array = np.asarray(array)
    shape = array.shape if shape is None else shape
    if old:
        padded = (1,) * (4 - len(shape)) + tuple(shape)
        header = b"".join(field(n, size) for n, size in enumerate(padded, start=1))
    else:
        header = sizes(shape)
    if array.dtype == np.float16:
        return header + field(10, 2) + field(12, array.tobytes())
    return header + field(5 if array.dtype == np.float32 else 8, array.tobytes())


def layer(name, blobs, type="Any"):
    """A LayerParameter field of a NetParameter."""
    content = field(1, name.encode()) + field(2, type.encode())
    return field(100, content + b"".join(field(7, one) for one in blobs))


def old_layer(name, blobs):
    """A V1LayerParameter field of a NetParameter."""
    content = field(4, name.encode()) + field(5, 4)
    return field(2, content + b"".join(field(6, one) for one in blobs))


def caffemodel(weights):
    """A NetParameter of {layer: arrays}."""
    return field(1, b"net") + b"".join(
        layer(name, [blob(array) for array in arrays]) for name, arrays in weights.items()
    )


def inputs(**shapes):
    """The text of Input layers."""
    return "\n".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ '
        + " ".join(f"dim: {size}" for size in shape)
        + " } } }"
        for name, shape in shapes.items()
    )


def write(folder: Path, text, model=b"", *more: str, limit=LIMIT):
    """Write a network; ``model`` is bytes, or {layer: arrays}."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net.prototxt").write_text(text)
    content = model if isinstance(model, bytes) else caffemodel(model)
    (folder / "net.caffemodel").write_bytes(content)
    for name in more:
        (folder / name).write_bytes(b"more")
    names = ("net.prototxt", "net.caffemodel", *more)
    return ModelSource(
        files=tuple(folder / name for name in names),
        display=tuple(f"models/{name}" for name in names),
        root=folder,
        limit_bytes=limit,
    )
