"""ONNX models, run by ONNX Runtime on the CPU.

Use it like this::

    with OnnxRuntime().open(source) as network:
        outputs = network.bind(decoded).run({"image": image})

How it is laid out, from bytes to outputs: ``wire``, ``header``, ``constants`` and ``layout`` find
the large tensors in the mapped file; ``topology`` is the rest of it, and ``contents`` what is in
there, at ``sites``, as ``embedded`` tensors; ``reading``, with what ``operators`` say of their
inputs, is how they are used, and ``usage`` whether at all, and ``unread``
what nothing reads; ``functions``, ``opsets`` and
``randomness`` say what is refused; ``external`` confines data in other files; ``store`` reads
tensors; ``skeleton`` makes the model that ``session`` hands to ONNX Runtime; ``runner`` runs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from conformance.runtimes._protocol import Description, ModelSource
from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.onnx.contents import Contents
from conformance.runtimes.onnx.external import external_locations
from conformance.runtimes.onnx.layout import read_layout
from conformance.runtimes.onnx.network import OnnxNetwork
from conformance.runtimes.onnx.topology import read_topology

__all__ = ["OnnxNetwork", "OnnxRuntime"]

_NO_LIMIT = 1 << 62


@final
class OnnxRuntime:
    """The runtime of the model format ``onnx``."""

    runtime_id: ClassVar[str] = "onnx"

    def open(self, source: ModelSource) -> OnnxNetwork:
        """Read everything but the parameters of an ONNX model.

        Raises MalformedError or LimitError for a broken file, UnsupportedError for inputs or
        outputs that are not tensors, ConformanceError for an undeclared external data file.
        """
        return OnnxNetwork(source)

    def describe(self, path: Path) -> Description:
        """Return what the ONNX model at ``path`` says about itself; errors as for ``open``.

        External data files are found next to the model; they need not be declared.
        """
        mapped = MappedFile(path, path.name)
        layout = read_layout(mapped, _NO_LIMIT)
        topology = read_topology(layout, path.name)
        contents = Contents(topology, layout.records, path.name, _NO_LIMIT)
        locations = external_locations(contents.records, path)
        mapped.close()
        source = ModelSource(
            files=(path, *(path.parent / location for location in locations)),
            display=(path.name, *locations),
            root=path.parent,
            limit_bytes=_NO_LIMIT,
        )
        with self.open(source) as network:
            return Description(
                inputs=network.inputs,
                outputs=network.outputs,
                parameter_count=network.counts.parameters,
                external_files=locations,
            )
