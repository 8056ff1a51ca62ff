"""Make a rejected submission: a copy of a good one with one defect, described as data.

``vectors/rejected/NAME.json`` holds a list of mutations, each an object whose ``op`` names one of
the functions below and whose other keys are its arguments::

    {"op": "set", "pointer": "/samples/fp16/claims/compressed_size", "value": 1}

From the command line, to look at one::

    python vectors/generate/mutate.py hash-wrong /tmp/hash-wrong
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import blind_networks
import chain_edit
import format_edit
import json_edit
import one_model
import tensor_edit

VECTORS = Path(__file__).resolve().parent.parent
METADATA = "submission.json"


def write_rejected(case: Mapping[str, Any], target: Path) -> None:
    """Copy the base of ``case`` to ``target``, which must not exist, and mutate it."""
    shutil.copytree(VECTORS / "submissions" / case["base"], target)
    for mutation in case["mutations"]:
        apply(target, mutation)


def apply(folder: Path, mutation: Mapping[str, Any]) -> None:
    """Apply one mutation to the submission in ``folder``.

    Raises:
        KeyError: there is no such operation.
        json_edit.PointerError: the metadata have nothing at the pointer.
    """
    arguments = {key: value for key, value in mutation.items() if key != "op"}
    OPERATIONS[mutation["op"]](folder, **arguments)


def set_value(folder: Path, pointer: str, value: Any) -> None:
    """Set or add a value of the metadata."""
    _edit(folder, json_edit.put, pointer, value)


def remove_value(folder: Path, pointer: str) -> None:
    """Remove a value of the metadata."""
    _edit(folder, json_edit.remove, pointer)


def copy_value(folder: Path, source: str, pointer: str) -> None:
    """Copy a value of the metadata to a different place."""
    _edit(folder, json_edit.duplicate, source, pointer)


def replace_text(folder: Path, file: str, find: str, replacement: str) -> None:
    """Replace the first occurrence of ``find``, which must be there."""
    before, after = (folder / file).read_text("utf-8").split(find, 1)
    (folder / file).write_text(before + replacement + after, "utf-8")


def write_file(folder: Path, file: str, text: str) -> None:
    """Write a text file, new or not."""
    (folder / file).write_text(text, "utf-8")


def delete_file(folder: Path, file: str) -> None:
    """Delete a file."""
    (folder / file).unlink()


def truncate_file(folder: Path, file: str, cut: int) -> None:
    """Cut ``cut`` bytes off the end of a file."""
    os.truncate(folder / file, (folder / file).stat().st_size - cut)


def flip_bit(folder: Path, file: str, offset: int, bit: int) -> None:
    """Flip one bit of a file; a negative ``offset`` counts from its end."""
    data = bytearray((folder / file).read_bytes())
    data[offset] ^= 1 << bit
    (folder / file).write_bytes(data)


def link_symbolically(folder: Path, file: str) -> None:
    """Move a file out of the folder, to its parent, and put a symbolic link in its place."""
    outside = _move_out(folder, file)
    (folder / file).symlink_to(outside)


def link_hard(folder: Path, file: str) -> None:
    """Move a file out of the folder, to its parent, and put a hard link in its place."""
    outside = _move_out(folder, file)
    (folder / file).hardlink_to(outside)


def rehash(folder: Path, file: str) -> None:
    """Make all that the metadata say about the bytes of a changed file true again.

    That is its size and SHA-256, and the claimed sizes of samples, so that the only defect left is
    in its content.
    """
    data = (folder / file).read_bytes()
    document = _load(folder)
    for entry in _file_entries(document):
        if entry["rel_filepath"] == file:
            entry.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    originals = {model["id"]: model for model in document["models"]}
    for sample in document["samples"]:
        original = originals[sample["model"]]
        files = [*sample.get("files", []), *original["files"]]
        if any(entry["rel_filepath"] == file for entry in files):
            _claim_true_sizes(sample, _size(original))
    _store(folder, document)


def redigest(folder: Path, file: str, tensor: str) -> None:
    """Make the digest claimed for a changed tensor of a safetensors file true again."""
    document = _load(folder)
    for sample in document["samples"]:
        if any(entry["rel_filepath"] == file for entry in sample.get("files", [])):
            digest = tensor_edit.digest_tensor(folder / file, tensor)
            sample["claims"]["tensor_digests"][tensor] = digest
    _store(folder, document)


def _claim_true_sizes(sample: dict[str, Any], original: int) -> None:
    size, claims = _size(sample), sample["claims"]
    claims["compressed_size"] = size
    if "compression_factor" in claims:
        claims["compression_factor"] = original / size
    if "compressed_percent" in claims:
        claims["compressed_percent"] = size / original * 100


def _size(owner: Mapping[str, Any]) -> int:
    return sum(entry["size"] for entry in owner.get("files", []))


def _file_entries(node: Any) -> list[dict[str, Any]]:
    """Return every object that describes a file, at any depth."""
    if isinstance(node, dict) and "rel_filepath" in node:
        return [node]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [entry for child in children for entry in _file_entries(child)]


def _move_out(folder: Path, file: str) -> Path:
    outside = folder.parent / f"outside-{folder.name}"
    outside.mkdir()
    return (folder / file).rename(outside / Path(file).name)


def _edit(folder: Path, change: Callable[..., None], *arguments: Any) -> None:
    document = _load(folder)
    change(document, *arguments)
    _store(folder, document)


def _load(folder: Path) -> Any:
    return json.loads((folder / METADATA).read_text("utf-8"))


def _store(folder: Path, document: Any) -> None:
    (folder / METADATA).write_text(
        json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )


OPERATIONS: Mapping[str, Callable[..., None]] = {
    "set": set_value,
    "remove": remove_value,
    "copy": copy_value,
    "replace-text": replace_text,
    "write-file": write_file,
    "delete-file": delete_file,
    "truncate": truncate_file,
    "flip-bit": flip_bit,
    "symlink-out": link_symbolically,
    "hardlink-out": link_hard,
    "rehash": rehash,
    "redigest": redigest,
    "put-network": blind_networks.put_network,
    "keep-model": one_model.keep_model,
    "keep-samples": chain_edit.keep_samples,
    "recount": chain_edit.recount,
    "drop-tensor": tensor_edit.drop_tensor,
    "reshape-tensor": tensor_edit.reshape_tensor,
    "retype-tensor": tensor_edit.retype_tensor,
    "fill-tensor": tensor_edit.fill_tensor,
    "pickle-array": tensor_edit.pickle_array,
    "set-external-data": tensor_edit.set_external_data,
    "add-documentation": tensor_edit.add_documentation,
    "store-outside": tensor_edit.store_outside,
    "set-operator": tensor_edit.set_operator,
    "set-attribute": tensor_edit.set_attribute,
    "hide-initializer": tensor_edit.hide_initializer,
    "patch": format_edit.patch,
    "replace-in-member": format_edit.replace_in_member,
    "plant-pickle": format_edit.plant_pickle,
    "archive-pickle": format_edit.archive_pickle,
    "plant-examples": format_edit.plant_examples,
    "add-asset": format_edit.add_asset,
    "add-graph-operator": format_edit.add_graph_operator,
    "set-tflite-operator": format_edit.set_tflite_operator,
}


def main(name: str, target: str) -> None:
    """Write the rejected submission ``name`` to the new folder ``target``."""
    case = json.loads((VECTORS / "rejected" / f"{name}.json").read_text("utf-8"))
    write_rejected(case, Path(target))
    print(f"{target}: {case['description']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
