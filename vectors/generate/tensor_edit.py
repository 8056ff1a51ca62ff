"""Damage done on purpose to tensor files and ONNX models, keeping them well-formed files.

A safetensors file is an 8-byte little-endian length, a JSON header of that length, and the bytes
of the tensors; the header gives each tensor's dtype, shape and place in those bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

LENGTH_BYTES = 8
ELEMENT_TYPES = {"F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "I8": "int8"}


def drop_tensor(folder: Path, file: str, tensor: str) -> None:
    """Remove a tensor from a safetensors file."""
    header, data = _read(folder / file)
    start, end = header.pop(tensor)["data_offsets"]
    for entry in _entries(header).values():
        if entry["data_offsets"][0] >= end:
            entry["data_offsets"] = [offset - (end - start) for offset in entry["data_offsets"]]
    _write(folder / file, header, data[:start] + data[end:])


def reshape_tensor(folder: Path, file: str, tensor: str, shape: list[int]) -> None:
    """Give a tensor of a safetensors file a different shape of as many elements."""
    header, data = _read(folder / file)
    header[tensor]["shape"] = shape
    _write(folder / file, header, data)


def retype_tensor(folder: Path, file: str, tensor: str, dtype: str) -> None:
    """Call the bytes of a tensor of a safetensors file elements of a different type, as wide."""
    header, data = _read(folder / file)
    header[tensor]["dtype"] = dtype
    _write(folder / file, header, data)


def fill_tensor(folder: Path, file: str, tensor: str, value: float | str) -> None:
    """Set every element of a tensor of a safetensors file; ``value`` may be ``"nan"``."""
    header, data = _read(folder / file)
    start, end = header[tensor]["data_offsets"]
    dtype = np.dtype(ELEMENT_TYPES[header[tensor]["dtype"]]).newbyteorder("<")
    filled = np.full((end - start) // dtype.itemsize, float(value), dtype).tobytes()
    _write(folder / file, header, data[:start] + filled + data[end:])


def digest_tensor(path: Path, tensor: str) -> str:
    """Return the digest of a tensor of a safetensors file, as the submission format defines it."""
    header, data = _read(path)
    start, end = header[tensor]["data_offsets"]
    shape = "x".join(map(str, header[tensor]["shape"]))
    line = f"{ELEMENT_TYPES[header[tensor]['dtype']]}:{shape}\n"
    return hashlib.sha256(line.encode("ascii") + data[start:end]).hexdigest()


def pickle_array(folder: Path, file: str, array: str) -> None:
    """Store one array of an .npz file as Python objects, which means as a pickle."""
    with np.load(folder / file, allow_pickle=False) as archive:
        arrays = dict(archive)
    arrays[array] = arrays[array].astype(object)
    np.savez(folder / file, allow_pickle=True, **arrays)


def set_external_data(folder: Path, file: str, tensor: str, location: str) -> None:
    """Let a tensor of an ONNX model take its values from another file."""
    import onnx

    model = onnx.load(folder / file, load_external_data=False)
    (chosen,) = (entry for entry in model.graph.initializer if entry.name == tensor)
    chosen.ClearField("raw_data")
    chosen.data_location = onnx.TensorProto.EXTERNAL
    chosen.external_data.add(key="location", value=location)
    onnx.save(model, folder / file)


def add_documentation(folder: Path, file: str, size: int) -> None:
    """Give an ONNX model a documentation string of ``size`` bytes."""
    import onnx

    model = onnx.load(folder / file)
    model.doc_string = "x" * size
    onnx.save(model, folder / file)


def store_outside(folder: Path, file: str, tensor: str, location: str, stale: int) -> None:
    """Store a tensor of an ONNX model in another file, after ``stale`` bytes of no tensor."""
    import onnx

    model = onnx.load(folder / file)
    (chosen,) = (entry for entry in model.graph.initializer if entry.name == tensor)
    (folder / file).with_name(location).write_bytes(bytes(stale) + chosen.raw_data)
    chosen.ClearField("raw_data")
    chosen.data_location = onnx.TensorProto.EXTERNAL
    chosen.external_data.add(key="location", value=location)
    chosen.external_data.add(key="offset", value=str(stale))
    onnx.save(model, folder / file)


def set_operator(folder: Path, file: str, node: str, operator: str, domain: str = "") -> None:
    """Give a node of an ONNX model another operator type, of its own domain if wanted."""
    import onnx

    model = onnx.load(folder / file)
    (chosen,) = (entry for entry in model.graph.node if entry.name == node)
    chosen.op_type = operator
    if domain:
        chosen.domain = domain
        model.opset_import.add(domain=domain, version=1)
    onnx.save(model, folder / file)


def set_attribute(folder: Path, file: str, node: str, name: str, value: float) -> None:
    """Give a node of an ONNX model a number as an attribute, in the place of any it has."""
    import onnx
    from onnx import helper

    model = onnx.load(folder / file)
    (chosen,) = (entry for entry in model.graph.node if entry.name == node)
    others = [entry for entry in chosen.attribute if entry.name != name]
    del chosen.attribute[:]
    chosen.attribute.extend([*others, helper.make_attribute(name, value)])
    onnx.save(model, folder / file)


def hide_initializer(folder: Path, file: str, name: str, bits: int) -> None:
    """Store an initializer of an ONNX model as integers, from which its graph computes the values.

    They are multiples of 2 to the power of ``-bits``, so that the network stays what it was.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(folder / file)
    (stored,) = (each for each in model.graph.initializer if each.name == name)
    step = np.float32(2.0**-bits)
    levels = np.rint(numpy_helper.to_array(stored) / step).astype(np.int32)
    model.graph.initializer.remove(stored)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(levels, f"{name}.levels"),
            numpy_helper.from_array(step, f"{name}.step"),
        ]
    )
    cast = helper.make_node("Cast", [f"{name}.levels"], [f"{name}.cast"], to=1)
    scale = helper.make_node("Mul", [f"{name}.cast", f"{name}.step"], [name])
    nodes = [cast, scale, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, folder / file)


def _entries(header: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry for name, entry in header.items() if name != "__metadata__"}


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    start = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], "little")
    return json.loads(content[LENGTH_BYTES:start]), content[start:]


def _write(path: Path, header: Mapping[str, Any], data: bytes) -> None:
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    path.write_bytes(len(text).to_bytes(LENGTH_BYTES, "little") + text + data)
