"""Changes to submissions whose samples build on one another, for rejected copies of them.

A defect in a chain would otherwise show in everything that is decoded with it or that counts its
bytes: :func:`keep_samples` leaves few samples, and :func:`recount` makes claimed sizes true again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from one_model import METADATA, listed_files

Sample = dict[str, Any]


def keep_samples(folder: Path, samples: list[str]) -> None:
    """Drop all other samples of the submission in ``folder``, and the files that only they need.

    Raises:
        KeyError: the submission lacks one of them.
    """
    document = _load(folder)
    before = set(listed_files(document))
    known = {sample["id"]: sample for sample in document["samples"]}
    document["samples"] = [known[name] for name in samples]
    _store(folder, document)
    for file in sorted(before - set(listed_files(document))):
        (folder / file).unlink()


def recount(folder: Path) -> None:
    """Make the claimed sizes of all samples and layers true again, from the files and the chain."""
    document = _load(folder)
    known = {sample["id"]: sample for sample in document["samples"]}
    originals = {model["id"]: _size(model) for model in document["models"]}
    for sample in known.values():
        size, claims = _size(sample), sample["claims"]
        claims["compressed_size"] = size
        if "compression_factor" in claims:
            claims["compression_factor"] = originals[sample["model"]] / size
            claims["compressed_percent"] = size / originals[sample["model"]] * 100
        if "cumulative_size" in claims:
            claims["cumulative_size"] = sum(_size(known[name]) for name in _closure(sample, known))
        _recount_layers(sample)
    _store(folder, document)


def _recount_layers(sample: Sample) -> None:
    """Set the sizes of layers that are files; those of units are as they were."""
    sizes = {file["rel_filepath"]: file["size"] for file in sample.get("files", [])}
    total = 0
    for layer in sample.get("layers", []):
        if "files" in layer:
            size = sum(sizes[name] for name in layer["files"])
            total += size
            layer["claims"].update(size=size, cumulative_size=total)


def _closure(sample: Sample, known: Mapping[str, Sample]) -> set[str]:
    """Return the ids of the samples that one is decoded with, its own included."""
    found, waiting = {sample["id"]}, [sample]
    while waiting:
        new = {name for name in _needed(waiting.pop()) if name in known} - found
        found |= new
        waiting += [known[name] for name in new]
    return found


def _needed(sample: Sample) -> Iterator[str]:
    update = sample.get("update_of", {})
    yield from (update[key] for key in ("sample", "contexts_of") if key in update)
    yield from (branch["sample"] for branch in sample.get("merge_of", []))


def _size(owner: Mapping[str, Any]) -> int:
    return sum(file["size"] for file in owner.get("files", []))


def _load(folder: Path) -> Any:
    return json.loads((folder / METADATA).read_text("utf-8"))


def _store(folder: Path, document: Any) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (folder / METADATA).write_text(text, "utf-8")
