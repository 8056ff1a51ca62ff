"""Damage done on purpose to models of particular formats, keeping them well-formed files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

MEMBER_DATE = (1980, 1, 1, 0, 0, 0)
PLANTED = b"cposix\nsystem\n(S'touch /tmp/nnr-conformance-was-here'\ntR."
"""A pickle, in its oldest protocol, that runs a command when it is loaded."""


def patch(folder: Path, file: str, offset: int, data: str) -> None:
    """Write bytes, given in hexadecimal, over those at ``offset``."""
    content = bytearray((folder / file).read_bytes())
    new = bytes.fromhex(data)
    content[offset : offset + len(new)] = new
    (folder / file).write_bytes(content)


def replace_in_member(folder: Path, file: str, member: str, find: str, replacement: str) -> None:
    """Replace the first occurrence of a text, which must be there, in a member of a ZIP archive."""
    before, after = _members(folder / file)[member].split(find.encode(), 1)
    _store_member(folder / file, member, before + replacement.encode() + after)


def plant_pickle(folder: Path, file: str, member: str) -> None:
    """Put a pickle that runs a command in the place of a member of a ZIP archive."""
    _store_member(folder / file, member, PLANTED)


def archive_pickle(folder: Path, file: str, member: str) -> None:
    """Replace a file by a ZIP archive of nothing but a pickle that runs a command."""
    _write(folder / file, {member: PLANTED})


def plant_examples(folder: Path, file: str, member: str) -> None:
    """Put an archive, as of torch.save, with a pickle that runs a command in a member's place."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        for name, content in (("data.pkl", PLANTED), ("version", b"3\n")):
            archive.writestr(zipfile.ZipInfo(f"archive/{name}", MEMBER_DATE), content)
    _store_member(folder / file, member, inner.getvalue())


def add_asset(folder: Path, file: str, asset: str) -> None:
    """Let the graph of a SavedModel name an asset."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((folder / file).read_bytes())
    model.meta_graphs[0].asset_file_def.add(filename=asset)
    (folder / file).write_bytes(model.SerializeToString(deterministic=True))


def add_graph_operator(folder: Path, file: str, operator: str) -> None:
    """Add a node to the graph of a SavedModel, where every output waits for it."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((folder / file).read_bytes())
    meta = model.meta_graphs[0]
    meta.graph_def.node.add(name="planted", op=operator)
    output = next(iter(meta.signature_def["serving_default"].outputs.values()))
    name = output.name.partition(":")[0]
    next(n for n in meta.graph_def.node if n.name == name).input.append("^planted")
    (folder / file).write_bytes(model.SerializeToString(deterministic=True))


def set_tflite_operator(folder: Path, file: str, operator: int, code: str = "") -> None:
    """Give the first operator of a TensorFlow Lite model a different number, or a custom code."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf((folder / file).read_bytes(), 0)
    changed = schema.OperatorCodeT()
    changed.builtinCode = operator
    changed.deprecatedBuiltinCode = min(operator, 127)
    changed.customCode = code.encode() or None
    model.operatorCodes[model.subgraphs[0].operators[0].opcodeIndex] = changed
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    (folder / file).write_bytes(bytes(builder.Output()))


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _store_member(path: Path, member: str, content: bytes) -> None:
    members = _members(path)
    if member not in members:
        raise KeyError(member)
    _write(path, {**members, member: content})


def _write(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, MEMBER_DATE), content)
