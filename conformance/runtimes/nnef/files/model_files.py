"""The files of a model, be it a folder or an archive: the graph, its quantisation, its tensors."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from conformance.runtimes._protocol import ModelSource
from conformance.runtimes.nnef.files.stored import StoredFile
from conformance.runtimes.nnef.files.tar import unpack
from conformance.verdicts import Location, MalformedError

GRAPH = "graph.nnef"
QUANTISATION = "graph.quant"
TENSOR = ".dat"

_ARCHIVES = (".tgz", ".gz")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of one model; ``tensors`` by label, ``others`` as displayed.

    ``members`` are files in an archive that NNEF does not know. ``folder`` is where an archive was
    unpacked, for :meth:`close` to remove.
    """

    graph: StoredFile
    quantisation: StoredFile | None
    tensors: Mapping[str, StoredFile]
    others: tuple[str, ...] = ()
    members: tuple[StoredFile, ...] = ()
    folder: Path | None = field(default=None)

    @property
    def is_archive(self) -> bool:
        """Whether the files are members of an archive."""
        return self.folder is not None

    def close(self) -> None:
        """Remove what was unpacked."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def open_files(source: ModelSource) -> ModelFiles:
    """Return the files of ``source``: a graph and what belongs to it, or an archive of them.

    Raises MalformedError if the archive is damaged, holds no graph, or too much else; LimitError
    if it unpacks to more than ``source.limit_bytes``.
    """
    if is_archive(source.files[0]):
        return _of_archive(source)
    folder = source.files[0].resolve().parent
    root = source.root.resolve()
    tensors: dict[str, StoredFile] = {}
    quantisation, others = None, []
    for file, display in zip(source.files[1:], source.display[1:], strict=True):
        path = file.resolve()
        inside = path.is_relative_to(folder) and path.is_relative_to(root)
        if inside and path.suffix == TENSOR:
            label = _label(path.relative_to(folder).as_posix())
            tensors[label] = StoredFile(path, display)
        elif path == folder / QUANTISATION:
            quantisation = StoredFile(path, display)
        else:
            others.append(display)
    if not folder.is_relative_to(root):
        raise MalformedError(
            "the graph lies outside the folder that it is read from",
            where=Location(file=source.display[0]),
            expected="a file inside that folder",
            found="a link that leads out of it",
            fix="Put the file itself in the place of the link.",
        )
    graph = StoredFile(source.files[0].resolve(), source.display[0])
    return ModelFiles(graph, quantisation, tensors, tuple(others))


def is_archive(path: Path) -> bool:
    """Return whether ``path`` is named as an archive."""
    return path.suffix.lower() in _ARCHIVES


def _of_archive(source: ModelSource) -> ModelFiles:
    folder = Path(tempfile.mkdtemp(prefix="nnef-"))
    display = source.display[0]
    try:
        StoredFile(source.files[0], display).size()
        files = unpack(source.files[0], display, folder, source.limit_bytes)
        stored = {name: StoredFile(path, display, name) for name, path in files.items()}
        if GRAPH not in stored:
            raise MalformedError(
                "the archive holds no graph",
                where=Location(file=display, element=GRAPH),
                expected=f"{GRAPH} at the top of the archive",
                found=", ".join(sorted(stored)[:10]) or "no files",
                fix="Make the archive again: tar czf model.tgz -C FOLDER .",
            )
        graph, quantisation = stored.pop(GRAPH), stored.pop(QUANTISATION, None)
        others = [name for name in stored if not name.endswith(TENSOR)]
        members = tuple(stored.pop(name) for name in others)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    tensors = {_label(name): file for name, file in stored.items()}
    return ModelFiles(graph, quantisation, tensors, source.display[1:], members, folder)


def _label(name: str) -> str:
    return name.removesuffix(TENSOR)
