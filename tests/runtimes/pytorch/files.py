"""Model files as PyTorch writes them, and the same files with members added, changed or taken."""

import io
import os
import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from conformance.runtimes import ModelSource, runtime
from tests.runtimes.models import source
from tests.runtimes.pytorch import graphs, nets

FORMATS = ("torchscript", "torch-export", "torch-state-dict")
SUFFIXES = {"torchscript": "net.pt", "torch-export": "net.pt2", "torch-state-dict": "net.pt"}
BIG_BYTES = 1 << 30


def save_script(net, path: Path, *, example=None) -> Path:
    """Save a network as TorchScript: traced with an example, else scripted."""
    script = (
        torch.jit.script(net)
        if example is None
        else torch.jit.trace(net, example, check_trace=False)
    )
    torch.jit.save(script, path)
    return path


def save_export(net, path: Path, example, *, batched=True) -> Path:
    batch = {0: torch.export.Dim("batch", max=4096)} if batched else None
    shapes = tuple(batch for _ in example)
    program = torch.export.export(net, example, dynamic_shapes=shapes, strict=False)
    torch.export.save(program, path)
    return path


def example_of(kind: str):
    return tuple(torch.from_numpy(array) for array in nets.inputs(kind, 2).values())


def save(folder: Path, form: str, kind: str, arrays) -> ModelSource:
    """Save a network of ``nets`` with these parameters in the format ``form``."""
    folder.mkdir(exist_ok=True, parents=True)
    net, name = nets.loaded(kind, arrays), SUFFIXES[form.partition(":")[0]]
    if form == "torch-export":
        save_export(net, folder / name, example_of(kind))
    elif form == "torch-state-dict":
        torch.save(net.state_dict(), folder / name)
        (folder / "net.onnx").write_bytes(graphs.GRAPHS[kind]().SerializeToString())
        return source(folder, name, "net.onnx")
    else:
        example = example_of(kind) if form == "torchscript:traced" else None
        save_script(net, folder / name, example=example)
    return source(folder, name)


def opened(form: str, given: ModelSource):
    return runtime(form.partition(":")[0]).open(given)


def open_file(path: Path, form: str = "torchscript", **more):
    return opened(form, source(path.parent, path.name, **more))


def members(path: Path) -> dict[str, bytes]:
    """Names inside the archive's folder, and contents."""
    with zipfile.ZipFile(path) as archive:
        return {i.filename.partition("/")[2]: archive.read(i) for i in archive.infolist()}


def write_members(path: Path, contents, *, root="net", packed=()) -> Path:
    """Write an archive member by member, those in ``packed`` deflated."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            method = zipfile.ZIP_DEFLATED if name in packed else zipfile.ZIP_STORED
            archive.writestr(f"{root}/{name}" if root else name, data, compress_type=method)
    return path


def changed(path: Path, **more):
    """The file with members replaced or added (a value of None takes one away)."""
    found = members(path)
    for name, data in more.pop("members", {}).items():
        found.pop(name, None) if data is None else found.update({name: data})
    return write_members(path, found, **more)


def bare_zip(entries, *, comment=b"") -> bytes:
    """A ZIP archive written by hand: ``(name, header fields, data)`` for each member."""
    out, directory = io.BytesIO(), io.BytesIO()
    for name, fields, data in entries:
        method, crc, packed, size, extra = (
            fields.get("method", 0),
            fields.get("crc", zlib.crc32(data)),
            fields.get("packed", len(data)),
            fields.get("size", len(data)),
            fields.get("extra", b""),
        )
        flags = fields.get("flags", 0)
        place = fields.get("header", out.tell())
        local = _number(b"PK\3\4", 20, flags, method, 0, 0)
        out.write(local + _words(crc, packed, size) + _number(b"", len(name), 0) + name + data)
        directory.write(
            _number(b"PK\1\2", 20, 20, flags, method, 0, 0)
            + _words(crc, packed, size)
            + _number(b"", len(name), len(extra), 0, 0, 0)
            + _words(0, place)
            + name
            + extra
        )
    count, start = len(entries), out.tell()
    end = _number(b"PK\5\6", 0, 0, count, count) + _words(directory.tell(), start)
    return out.getvalue() + directory.getvalue() + end + _number(b"", len(comment)) + comment


def _number(head: bytes, *values: int) -> bytes:
    return head + b"".join(value.to_bytes(2, "little") for value in values)


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


class Planted:
    """Whoever unpickles it runs a command, which leaves a file at ``marker``."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


def payload(marker: Path, *, beside=None) -> bytes:
    """A pickle, in the protocol of PyTorch, that runs a command when it is loaded."""
    return pickle.dumps({**(beside or {}), "weight": Planted(marker)}, protocol=2)


def torch_payload(marker: Path, *, beside=None, legacy=False) -> bytes:
    """A file of torch.save that runs a command when it is loaded without ``weights_only``."""
    out = io.BytesIO()
    given = {**(beside or {}), "planted": Planted(marker)}
    torch.save(given, out, _use_new_zipfile_serialization=not legacy)
    return out.getvalue()


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[n], other[n]) for n in one)
