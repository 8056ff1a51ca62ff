"""An opened NNEF model: what it takes, gives and holds, and how parameters are bound to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

from conformance.runtimes._protocol import Array, ModelSource, PortInfo, Unread
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.batching import Run
from conformance.runtimes.nnef.activations import quantised
from conformance.runtimes.nnef.execution import SETTINGS, Computation
from conformance.runtimes.nnef.files.model_files import TENSOR, ModelFiles, open_files
from conformance.runtimes.nnef.libraries import versions
from conformance.runtimes.nnef.quantisation import read_quantisation
from conformance.runtimes.nnef.shapes import DTYPES, infer_shapes, shape_of
from conformance.runtimes.nnef.stored import constants_of, inventory_of, with_variables
from conformance.runtimes.nnef.supported import check_names, check_operations
from conformance.runtimes.nnef.text.document import parsed, read_document
from conformance.runtimes.nnef.text.syntax import read_text
from conformance.runtimes.nnef.text.tokens import Source
from conformance.runtimes.nnef.variables import labels_in, read_variables
from conformance.verdicts import MalformedError


@final
class NnefNetwork(ParameterNetwork):
    """An opened NNEF model; parameters are its variables and constants."""

    def __init__(self, source: ModelSource) -> None:
        super().__init__(source.display[0])
        self._files = open_files(source)
        try:
            self._open(source)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove what was unpacked; runners go on working."""
        self._files.close()

    def _open(self, source: ModelSource) -> None:
        files = self._files
        self._document = document = read_document(files.graph)
        check_names(document)
        labels_in(document)
        graph = parsed(document)
        check_operations(graph, document)
        infer_shapes(graph, document, source.limit_bytes)
        found = read_quantisation(files.quantisation) if files.quantisation else {}
        self._variables = read_variables(graph, document, files, found, source.limit_bytes)
        labels = {variable.label for variable in self._variables}
        self._constants = constants_of(graph, document, labels)
        self._graph = with_variables(quantised(graph, document, found), self._constants)
        stored = {name for variable in self._variables for name in variable.tensors}
        activations = [found[name] for name in found if name not in stored]
        self.inventory = inventory_of(
            graph, document, self._variables, self._constants, activations, self.file
        )
        self._describe(files)

    def _describe(self, files: ModelFiles) -> None:
        graph = self._graph
        self.inputs = tuple(self._port(name) for name in graph.inputs)
        self.outputs = tuple(self._port(name) for name in graph.outputs)
        self.unused_files = self._unused_files(files)
        self.versions = versions()
        self.settings = SETTINGS

    def _unread(self) -> Iterator[Unread]:
        """Yield comments and blanks, and files of an archive that NNEF does not know."""
        graph, quantisation = self._files.graph, self._files.quantisation
        for file in (graph, *([quantisation] if quantisation else [])):
            piece = f"comments and blanks of {file.member or file.display}"
            yield Unread(file.display, piece, Source(read_text(file), file).spare)
        for file in self._files.members:
            yield Unread(file.display, f"member {file.member}", file.size())

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        given = tensors or {}
        values: dict[str, Array] = {}
        for variable in self._variables:
            own = given[variable.label] if variable.label in given else variable.read()
            values |= dict.fromkeys(variable.tensors, own)
        for constant in self._constants:
            if constant.is_replaceable:
                own = given.get(constant.name, constant.values)
                values[constant.tensor] = constant.spread_out(own)
        return Computation(self._graph, self._document, values, self.outputs)

    def _port(self, name: str) -> PortInfo:
        return PortInfo(name, DTYPES[self._graph.tensors[name].dtype], shape_of(self._graph, name))

    def _unused_files(self, files: ModelFiles) -> tuple[str, ...]:
        """Return the listed files of no use; MalformedError if an archive has such members."""
        labels = {variable.label for variable in self._variables}
        unused = [file for label, file in files.tensors.items() if label not in labels]
        if not files.is_archive:
            return (*(file.display for file in unused), *files.others)
        if unused:
            raise MalformedError(
                "the archive holds tensors that the graph does not use",
                where=unused[0].where(),
                expected=f"one {TENSOR} file for each label",
                found=", ".join(file.member for file in unused[:10]),
                fix="Make the archive again without them: they would count as its size.",
            )
        return files.others
