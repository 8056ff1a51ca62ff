"""The files of a SavedModel: which of those that were listed are what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.runtimes._protocol import ModelSource
from conformance.verdicts import ConformanceError, Location

INDEX = "variables/variables.index"
_DATA = re.compile(r"variables/(variables\.data-\d{5}-of-\d{5})")
KERAS = "keras_metadata.pb"
_BESIDE = frozenset({"fingerprint.pb", KERAS})


@dataclass(frozen=True, slots=True)
class Files:
    """The listed files by what they are, each with its name for messages.

    ``data`` are by the names that the index gives them, ``keras`` is the description for Keras 2;
    ``unused`` says, as displayed, which files the network is not made of; ``beside`` are those that
    TensorFlow writes next to it, which may be listed, but are not read.
    """

    graph: tuple[Path, str]
    index: tuple[Path, str] | None
    data: Mapping[str, tuple[Path, str]]
    keras: tuple[Path, str] | None
    unused: tuple[str, ...]
    beside: tuple[tuple[Path, str], ...]


def files_of(source: ModelSource) -> Files:
    """Return the listed files by their places next to the first one, which is the graph.

    Nothing outside ``source.root`` is taken, and no file that is not listed is looked for. Raises
    ConformanceError if the first file is not a saved_model.pb or if two files are one.
    """
    graph = source.files[0], source.display[0]
    folder, root = graph[0].resolve().parent, source.root.resolve()
    places: dict[str, tuple[Path, str]] = {}
    unused: list[str] = []
    beside: list[tuple[Path, str]] = []
    for path, display in zip(source.files[1:], source.display[1:], strict=True):
        place = path.resolve()
        inside = place.is_relative_to(folder) and place.is_relative_to(root)
        name = place.relative_to(folder).as_posix() if inside else ""
        if name in places:
            raise _listed_twice(display)
        if name in (INDEX, KERAS) or _DATA.fullmatch(name):
            places[name] = path, display
        if name in _BESIDE:
            beside.append((path, display))
        elif name != INDEX and not _DATA.fullmatch(name):
            unused.append(display)
    data = {m[1]: places[name] for name in places if (m := _DATA.fullmatch(name))}
    keras = places.get(KERAS)
    return Files(graph, places.get(INDEX), data, keras, tuple(unused), tuple(beside))


def files_beside(path: Path) -> tuple[str, ...]:
    """Return the files that belong to the saved_model.pb at ``path``, relative to its folder."""
    variables = sorted((path.parent / "variables").glob("variables.*"))
    names = [file.relative_to(path.parent).as_posix() for file in variables]
    found = [name for name in names if name == INDEX or _DATA.fullmatch(name)]
    return (*found, *(name for name in sorted(_BESIDE) if (path.parent / name).is_file()))


def _listed_twice(display: str) -> ConformanceError:
    return ConformanceError(
        "a file of the model is listed twice",
        where=Location(display),
        expected="each file once",
        found=f"{display} again",
        fix="Remove one of the two entries.",
    )
