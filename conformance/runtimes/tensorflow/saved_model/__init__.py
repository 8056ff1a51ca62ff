"""SavedModels: ``saved_model.pb`` and the values of its variables in the folder ``variables``.

How it is laid out, from bytes to outputs: ``files`` says which file is what; ``table``, ``crc32c``
and ``checkpoint`` read the values; ``signature`` picks the computation, whose operators are checked
before TensorFlow sees any; ``variables`` says which value belongs where. From there on it goes as
:mod:`conformance.runtimes.tensorflow` says.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from conformance.runtimes._protocol import Description, ModelSource
from conformance.runtimes.tensorflow.engine import import_libraries
from conformance.runtimes.tensorflow.saved_model.files import files_beside
from conformance.runtimes.tensorflow.saved_model.network import FORMAT, SavedModelNetwork

_NO_LIMIT = 1 << 62


@final
class SavedModelRuntime:
    """The runtime of the model format ``savedmodel``."""

    runtime_id: ClassVar[str] = FORMAT

    def open(self, source: ModelSource) -> SavedModelNetwork:
        """Read everything but the parameters of a SavedModel; its first file is saved_model.pb.

        Raises MalformedError or LimitError for a broken file, UnsupportedError for an operator or
        a port that is not judged here, ConformanceError for an operator that reaches out of the
        network and for a data file that is not declared, NotRunError without TensorFlow.
        """
        return SavedModelNetwork(source)

    def import_libraries(self) -> None:
        """Import TensorFlow and Keras; NotRunError if one is not installed."""
        import_libraries(FORMAT)

    def describe(self, path: Path) -> Description:
        """Return what the saved_model.pb at ``path`` says about itself; errors as for ``open``.

        The values of its variables are looked for next to it; they need not be declared.
        """
        beside = files_beside(path)
        source = ModelSource(
            files=(path, *(path.parent / name for name in beside)),
            display=(path.name, *beside),
            root=path.parent,
            limit_bytes=_NO_LIMIT,
        )
        with self.open(source) as network:
            return Description(
                inputs=network.inputs,
                outputs=network.outputs,
                parameter_count=network.counts.parameters,
                external_files=beside,
            )
