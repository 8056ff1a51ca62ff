"""An opened NNEF model: what it takes, gives and holds, and how parameters are bound to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from conformance.runtimes._protocol import Array, ModelSource, PortInfo
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.batching import Run
from conformance.runtimes.nnef.activations import quantised
from conformance.runtimes.nnef.execution import SETTINGS, Computation
from conformance.runtimes.nnef.files.model_files import TENSOR, ModelFiles, open_files
from conformance.runtimes.nnef.inline import check_replaceable, inline_values, used_tensors
from conformance.runtimes.nnef.libraries import versions
from conformance.runtimes.nnef.quantisation import read_quantisation
from conformance.runtimes.nnef.shapes import DTYPES, infer_shapes, shape_of
from conformance.runtimes.nnef.supported import check_names, check_operations
from conformance.runtimes.nnef.text.document import parsed, read_document
from conformance.runtimes.nnef.variables import Values, labels_in, read_variables
from conformance.verdicts import MalformedError


@final
class NnefNetwork(ParameterNetwork):
    """An opened NNEF model; parameters are its variables, by label."""

    def __init__(self, source: ModelSource) -> None:
        super().__init__(source.display[0])
        self._files = open_files(source)
        try:
            self._open(source)
        except BaseException:
            self.close()
            raise

    @property
    def parameter_count(self) -> int:
        """Elements of all parameters."""
        return sum(v.file.elements for v in self._variables if v.is_parameter)

    def check_replaceable(self) -> None:
        """Raise UnsupportedError if the model has parameters that a replacement cannot reach."""
        used = sum(
            variable.file.elements
            for variable in self._variables
            if variable.is_parameter and variable.label not in self.unused_parameters
        )
        listed = sum(v.file.elements for v in self._variables if not v.is_parameter)
        check_replaceable(self._inline, listed, used, self.file)

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
        self._graph = quantised(graph, document, found)
        stored = {name for variable in self._variables for name in variable.tensors}
        self._inline = inline_values(
            graph, document, [found[name] for name in found if name not in stored]
        )
        self._describe(files)

    def _describe(self, files: ModelFiles) -> None:
        graph, used = self._graph, used_tensors(self._graph)
        self.inputs = tuple(self._port(name) for name in graph.inputs)
        self.outputs = tuple(self._port(name) for name in graph.outputs)
        self.parameters = Values([v for v in self._variables if v.is_parameter])
        self.constants = Values([v for v in self._variables if not v.is_parameter])
        self.unused_parameters = tuple(
            v.label for v in self._variables if v.is_parameter and not used & set(v.tensors)
        )
        self.unused_files = self._unused_files(files)
        self.versions = versions()
        self.settings = SETTINGS

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        tensors = tensors or {}
        values = {
            name: tensors[variable.label] if variable.label in tensors else variable.read()
            for variable in self._variables
            for name in variable.tensors
        }
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
                mend="Make the archive again without them: they would count as its size.",
            )
        return files.others
