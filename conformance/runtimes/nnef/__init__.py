"""NNEF 1.0 models, run by the PyTorch interpreter of nnef_tools on the CPU.

Use it like this::

    with NnefRuntime().open(source) as network:
        outputs = network.bind(decoded).run({"image": image})

How it is laid out, from bytes to outputs: ``files`` unpacks an archive, says which file is what
and checks tensor files; ``text`` reads the graph, hands it to the native parser, and has fragments
written out in their own process; ``quantisation`` and ``variables`` say what tensors mean;
``supported`` and ``shapes`` check the graph, ``stored`` says what it stores; ``activations`` and
``operator_fixes`` make it one that the interpreter runs as it is written; ``execution`` runs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from conformance.runtimes._protocol import Description, ModelSource
from conformance.runtimes.nnef.files.model_files import QUANTISATION, TENSOR, is_archive
from conformance.runtimes.nnef.files.stored import StoredFile
from conformance.runtimes.nnef.network import NnefNetwork
from conformance.runtimes.nnef.text.document import read_document
from conformance.runtimes.nnef.variables import labels_in

__all__ = ["NnefNetwork", "NnefRuntime"]

_LIMIT = 1 << 36


@final
class NnefRuntime:
    """The runtime of the model format ``nnef``."""

    runtime_id: ClassVar[str] = "nnef"

    def open(self, source: ModelSource) -> NnefNetwork:
        """Read everything of an NNEF model but the values of its parameters.

        Raises MalformedError or LimitError for a broken file, UnsupportedError for operations and
        quantisation that cannot be run here, ConformanceError for an undeclared tensor file,
        NotRunError if nnef, nnef_tools or PyTorch is not installed.
        """
        return NnefNetwork(source)

    def describe(self, path: Path) -> Description:
        """Return what the NNEF model at ``path`` says about itself; errors as for ``open``.

        ``path`` is ``graph.nnef``, whose tensor files are found next to it, or an archive.
        """
        others = () if is_archive(path) else _files_of(path)
        source = ModelSource(
            files=(path, *(path.parent / name for name in others)),
            display=(path.name, *others),
            root=path.parent,
            limit_bytes=_LIMIT,
        )
        with self.open(source) as network:
            return Description(
                inputs=network.inputs,
                outputs=network.outputs,
                parameter_count=network.counts.parameters,
                external_files=others,
            )


def _files_of(path: Path) -> tuple[str, ...]:
    """Return the tensor files of a graph, and its quantisation file if it is there."""
    labels = labels_in(read_document(StoredFile(path, path.name)))
    more = [QUANTISATION] if (path.parent / QUANTISATION).is_file() else []
    return (*(f"{label}{TENSOR}" for label in labels), *more)
