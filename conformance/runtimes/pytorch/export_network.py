"""An exported program of PyTorch as a network.

``torch.export.load`` is never called: it would unpickle examples and constants, and follow names
and evaluate expressions in the JSON. The graph is computed by :mod:`export_run` instead, and
:mod:`loading` refuses what the loader would run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, final

from conformance.runtimes._protocol import Array, ModelSource, Unread
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.batching import Run
from conformance.runtimes.pytorch.archive import Archive
from conformance.runtimes.pytorch.exchange import to_array, to_tensor, unchanged, versions_of
from conformance.runtimes.pytorch.export_check import check_graph, literals_in, needed_names
from conformance.runtimes.pytorch.export_program import (
    Program,
    check_meta,
    read_payload,
    read_program,
)
from conformance.runtimes.pytorch.export_run import OperatorError, last_reads, run_graph
from conformance.runtimes.pytorch.export_unread import unread_in_program
from conformance.runtimes.pytorch.export_uses import program_uses
from conformance.runtimes.pytorch.faults import FAULTS, failed_run
from conformance.runtimes.pytorch.json_view import View
from conformance.runtimes.pytorch.loading import (
    EXAMPLES,
    check_beside,
    check_document,
    check_examples,
)
from conformance.runtimes.pytorch.settings import (
    known_types,
    safe_globals,
    settings_of,
    settled,
    torch_for,
    versions,
)
from conformance.runtimes.pytorch.stored import (
    StoredTensors,
    sort_tensors,
    stored_as,
    unread_storage,
)
from conformance.runtimes.pytorch.values import Tensor
from conformance.runtimes.roles import Inventory, Use
from conformance.verdicts import ConformanceError, Location, MalformedError, UnsupportedError

FORMAT = "torch-export"
_MODEL = "models/model.json"
_WEIGHTS, _CONSTANTS = "data/weights/", "data/constants/"
_WEIGHTS_CONFIG = f"{_WEIGHTS}model_weights_config.json"
_CONSTANTS_CONFIG = f"{_CONSTANTS}model_constants_config.json"
_NO_EXAMPLES = "in Python, before the program is saved: `program.example_inputs = None`"
_NEEDED = (_MODEL, _WEIGHTS_CONFIG, _CONSTANTS_CONFIG, "archive_format", "archive_version")
_SMALL = ("byteorder", ".data/version", ".data/serialization_id", ".format_version")
_DATA = re.compile(r"data/(weights/weight|constants/tensor)_\d+", re.ASCII)
_EXTRA = re.compile(r"extra/.+", re.ASCII)
_MAX_JSON = 256 << 20
_MAX_SMALL = 1024
_LONGEST_PART = 16 << 10


@final
class ExportedNetwork(ParameterNetwork):
    """An exported program; see :class:`conformance.runtimes.Network`."""

    def __init__(self, source: ModelSource) -> None:
        super().__init__(source.display[0])
        self._archive = Archive(source.files[0], self.file, source.limit_bytes)
        self._check_members()
        text = self._archive.text(_MODEL, _MAX_JSON)
        self._program, metas = read_program(text, self.file, _MODEL)
        weights = self._payload(_WEIGHTS_CONFIG, _WEIGHTS)
        fixed = self._payload(_CONSTANTS_CONFIG, _CONSTANTS)
        self._check_names(weights, fixed)
        self._check_data({**weights, **fixed})
        self._check_lifted({**weights, **fixed}, metas)
        self._check_text(len(metas))
        tensors = {**weights, **fixed}
        # Constants may share memory: each of them is computed with on its own.
        self._sorted = sort_tensors(tensors, self.file, source.limit_bytes, may_share=fixed)
        self._torch = torch_for(FORMAT)
        self._check_loading()
        check_graph(self._torch, self._program.graph, self.file)
        self._all = StoredTensors(tensors, self._archive.array)
        self.inventory = self._inventory()
        self.inputs, self.outputs = self._program.inputs, self._program.outputs
        self.unused_files = source.display[1:]
        self.versions = versions()
        self.settings = settings_of(self._torch)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def _unread(self) -> Iterator[Unread]:
        """Yield examples, extra files, long notes in the graph and unused parts of storages."""
        archive = self._archive
        yield from archive.unread(filter(_EXTRA.fullmatch, archive.members))
        if EXAMPLES in archive:
            size = archive.size_of(EXAMPLES)
            yield Unread(self.file, f"member {EXAMPLES}", size, _NO_EXAMPLES)
        stored = ((tensor.storage.key, tensor) for tensor in self._all.tensors.values())
        yield from unread_storage(stored, self.file)
        yield from unread_in_program(archive.text(_MODEL, _MAX_JSON), self.file, _MODEL)

    def _check_loading(self) -> None:
        """Refuse what PyTorch would run on loading the program, though nothing here needs it."""
        archive, allowed = self._archive, safe_globals(self._torch)
        check_examples(archive, allowed)
        types: set[str] = set()
        for name in (_MODEL, _WEIGHTS_CONFIG, _CONSTANTS_CONFIG):
            types |= check_document(archive.text(name, _MAX_JSON), self.file, name)
        self.foreign_classes = tuple(sorted(types - known_types(self._torch)))
        check_beside(archive, filter(_EXTRA.fullmatch, archive.members), allowed)

    def _check_members(self) -> None:
        archive = self._archive
        self._refuse_legacy()
        archive.refuse_unknown(_is_known, "an exported program")
        for name in (*_NEEDED, *(each for each in _SMALL if each in archive)):
            archive.read(name, _MAX_JSON if name.endswith(".json") else _MAX_SMALL)
        for name, wanted in (("archive_format", b"pt2"), ("byteorder", b"little")):
            if name in archive and archive.read(name, _MAX_SMALL) != wanted:
                raise UnsupportedError(
                    f"the member {name!r} says that this is a different kind of archive",
                    where=archive.where(name),
                    expected=repr(wanted),
                    found=ascii(archive.read(name, _MAX_SMALL)[:40]),
                    fix="Save the program with torch.export.save on a little-endian machine.",
                )

    def _refuse_legacy(self) -> None:
        """Name the pickles that earlier versions kept tensors in, and compiled code."""
        for name in self._archive.members:
            beside = name == EXAMPLES or _EXTRA.fullmatch(name)
            pickled = name.endswith(".pt") and not beside
            objects = re.match(r"data/constants/(custom|opaque)_obj_", name)
            if pickled or objects or name.startswith("data/aotinductor/"):
                raise UnsupportedError(
                    f"the member {name!r} can only be read by unpickling or running it",
                    where=self._archive.where(name),
                    expected="tensors as plain bytes, as PyTorch writes them since version 2.8",
                    found="a pickle, an object of a library, or compiled code",
                    fix="Save the program again with torch.export.save of a PyTorch of today.",
                )

    def _payload(self, config: str, folder: str) -> dict[str, Tensor]:
        sizes = {
            name.removeprefix(folder): entry.size
            for name, entry in self._archive.members.items()
            if name.startswith(folder) and _DATA.fullmatch(name)
        }
        text = self._archive.text(config, _MAX_JSON)
        found = read_payload(text, self.file, config, sizes)
        return {name: _in_folder(tensor, folder) for name, tensor in found.items()}

    def _check_names(self, weights: Mapping[str, Tensor], fixed: Mapping[str, Tensor]) -> None:
        """Refuse a name with two tensors: one would count as size, the other would be used."""
        for name in sorted(weights.keys() & fixed.keys()):
            raise MalformedError(
                f"the program stores two tensors as {name!r}",
                where=Location(self.file, element=name),
                expected="each name once",
                found=f"an entry in {_WEIGHTS_CONFIG} and one in {_CONSTANTS_CONFIG}",
                fix="Save the program again with torch.export.save.",
            )

    def _check_data(self, tensors: Mapping[str, Tensor]) -> None:
        stored = {tensor.storage.key for tensor in tensors.values()}
        for member in self._archive.members:
            if _DATA.fullmatch(member) and member not in stored:
                raise ConformanceError(
                    "the archive holds data of a tensor that the program has not",
                    where=self._archive.where(member),
                    expected="data of the tensors that the configurations list",
                    found=f"{self._archive.size_of(member)} bytes in {member}",
                    fix="Save the program again with torch.export.save.",
                )

    def _check_text(self, tensors: int) -> None:
        """Refuse a document that is much longer than its graph needs, with records of its code."""
        parts = tensors + sum(1 for _ in self._program.graph.walk())
        found, allowed = self._archive.members[_MODEL].data.size, _LONGEST_PART * (parts + 4)
        if found > allowed:
            raise ConformanceError(
                "the description of the graph is much longer than the graph",
                where=self._archive.where(_MODEL),
                expected=f"at most {allowed} bytes for {parts} operators and tensors",
                found=f"{found} bytes, which would count as size of the original",
                fix="Save the program again with torch.export.save.",
            )

    def _check_lifted(self, stored: Mapping[str, Tensor], metas: Mapping[str, View]) -> None:
        """Compare what the graph takes with what is stored."""
        for inside, name in self._program.lifted.items():
            if name not in stored or inside not in metas:
                raise MalformedError(
                    f"the program takes the tensor {name!r}, which is not stored",
                    where=Location(self.file, element=name),
                    expected=f"an entry for {name!r} in {_WEIGHTS_CONFIG} or {_CONSTANTS_CONFIG}",
                    found=", ".join(sorted(stored))[:400] or "no tensors",
                    fix="Save the program again with torch.export.save.",
                )
            check_meta(name, stored[name], metas[inside])

    def _inventory(self) -> Inventory:
        """Return every tensor that is stored: parameters, buffers of both kinds, lifted constants.

        Which of these a tensor is depends on how the network was written; what it is to the graph
        does not.
        """
        graph, tensors = self._program.graph, self._sorted.tensors
        first = {inside: self._first(name) for inside, name in self._program.lifted.items()}
        ranks = {inside: len(tensors[name].shape) for inside, name in first.items()}
        needed, found = needed_names(self._torch, graph), program_uses(self._program, ranks)
        read = {name for inside, name in first.items() if inside in needed}
        used: dict[str, frozenset[Use]] = dict.fromkeys(tensors, frozenset())
        for inside, name in first.items():
            used[name] |= found.get(inside, frozenset())
        stored = [
            stored_as(tensor, name, self._all, used[name], is_needed=name in read)
            for name, tensor in tensors.items()
        ]
        return Inventory(
            stored,
            file=self.file,
            aliases=self._sorted.aliases,
            loose=literals_in(graph),
            operators=sum(1 for _ in graph.walk()),
        )

    def _first(self, name: str) -> str:
        return self._sorted.aliases.get(name, name)

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        given = tensors if tensors is not None else {}
        made: dict[str, Any] = {}
        for name in map(self._first, self._program.lifted.values()):
            if name not in made:
                array = given[name] if name in given else self._all[name]
                made[name] = to_tensor(self._torch, array)
        lifted = {inside: made[self._first(n)] for inside, n in self._program.lifted.items()}
        return _runner(self._torch, self._program, lifted, made, self.file)


def _runner(
    torch: Any,
    program: Program,
    lifted: Mapping[str, Any],
    own: Mapping[str, Any],
    file: str,
) -> Run:
    frees = last_reads(program.graph)

    def compute(inputs: Mapping[str, Array]) -> dict[str, Array]:
        _check_ranges(program, inputs, file)
        element = "graph"
        try:
            before = versions_of(own)
            given = {name: to_tensor(torch, array) for name, array in inputs.items()}
            with settled(torch):
                results = run_graph(torch, program.graph, {**lifted, **given}, FAULTS, frees)
            named = zip(program.outputs, results, strict=True)
            found = {port.name: to_array(each, port.name, file) for port, each in named}
        except OperatorError as error:
            raise failed_run(error.cause, file, error.node) from error
        except FAULTS as error:
            raise failed_run(error, file, element) from error
        unchanged(own, before, file)
        return found

    return compute


def _check_ranges(program: Program, inputs: Mapping[str, Array], file: str) -> None:
    """Raise ConformanceError for sizes that the program was not exported for."""
    sizes: dict[str, int] = {}
    for port in program.inputs:
        for symbol, size in zip(port.shape, inputs[port.name].shape, strict=True):
            if not isinstance(symbol, str):
                continue
            least, most = program.ranges.get(symbol, (0, None))
            fits = least <= size and (most is None or size <= most)
            if not fits or sizes.setdefault(symbol, size) != size:
                most_shown = most if most is not None else "any"
                raise ConformanceError(
                    f"input {port.name!r} has a size that the program was not exported for",
                    where=Location(file, element=port.name),
                    expected=f"{symbol} from {least} to {most_shown}, the same in every input",
                    found=str(size),
                    fix="Export the program with a wider range: Dim(name, min=1, max=…).",
                )


def _in_folder(tensor: Tensor, folder: str) -> Tensor:
    return replace(tensor, storage=replace(tensor.storage, key=f"{folder}{tensor.storage.key}"))


def _is_known(name: str) -> bool:
    return (
        name in (*_NEEDED, *_SMALL)
        or name == EXAMPLES
        or bool(_DATA.fullmatch(name) or _EXTRA.fullmatch(name))
    )
