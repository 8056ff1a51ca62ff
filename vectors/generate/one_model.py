"""Reduce a submission to one of its models: what is left is itself a valid submission.

A defect is easier to see in a submission with one model, and faster to run. Everything that only
the other models need goes: their vector sets and samples, the metrics, data sets and use cases
that nothing names any more, the equivalence of vector sets with sets that are gone, and the files
that nothing lists any more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

METADATA = "submission.json"


def keep_model(folder: Path, model: str) -> None:
    """Drop all other models of the submission in ``folder``, and what only they need.

    Raises:
        KeyError: the submission has no model of that id.
    """
    metadata = folder / METADATA
    document = json.loads(metadata.read_text("utf-8"))
    before = set(listed_files(document))
    reduced = reduce_to_model(document, model)
    text = json.dumps(reduced, indent=2, ensure_ascii=False) + "\n"
    metadata.write_text(text, "utf-8")
    for file in sorted(before - set(listed_files(reduced))):
        (folder / file).unlink(missing_ok=True)
    _remove_empty_folders(folder)


def reduce_to_model(document: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return the metadata without the other models and what only they need.

    ``document`` is changed; the sections keep their order.
    """
    reduced = dict(document)
    reduced["models"] = _only(document["models"], lambda entry: entry["id"] == model)
    if not reduced["models"]:
        raise KeyError(model)
    for section in ("vectors", "samples"):
        reduced[section] = _only(document[section], lambda entry: entry["model"] == model)
    left = {vectors["id"] for vectors in reduced["vectors"]}
    for vectors in reduced["vectors"]:
        if vectors.get("equivalent_to", {}).get("vectors") not in left:
            vectors.pop("equivalent_to", None)
    for section, used in _uses(reduced).items():
        reduced[section] = _only(document[section], lambda entry, used=used: entry["id"] in used)
    return reduced


def _uses(document: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the ids that models, vector sets and samples name, for each section named."""
    (model,), samples = document["models"], document["samples"]
    valued = [*model["metric_values"]]
    for sample in samples:
        valued += [*sample["metrics"], *sample["claims"]["metric_values"]]
    return {
        "use_cases": set(model["use_cases"]),
        "datasets": {
            *model["training_data"],
            *model["test_data"],
            *(vectors["dataset"] for vectors in document["vectors"]),
        },
        "metrics": {value["metric"] for value in valued},
    }


def _only(
    entries: Iterable[dict[str, Any]], chosen: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
    return [entry for entry in entries if chosen(entry)]


def listed_files(node: Any) -> Iterator[str]:
    """Yield the path of every file that ``node`` lists, at any depth."""
    if isinstance(node, dict) and "rel_filepath" in node:
        yield node["rel_filepath"]
    elif isinstance(node, (dict, list)):
        for child in node.values() if isinstance(node, dict) else node:
            yield from listed_files(child)


def _remove_empty_folders(folder: Path) -> None:
    """Remove the folders below ``folder`` without any file, the deepest first."""
    below = sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
    for path in below:
        if not any(path.iterdir()):
            path.rmdir()
