"""Keras' own files, ``.keras``: a configuration and an HDF5 file of weights in a ZIP archive.

How it is laid out, from bytes to outputs: ``archive`` finds the members; ``config`` checks the
configuration against the lists in ``layers``; ``hdf5`` reads the weights; ``model`` builds the
network without them and finds which is whose; ``tracing`` makes a graph of it. From there on it
goes as :mod:`conformance.runtimes.tensorflow` says.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from conformance.runtimes._protocol import Description, ModelSource
from conformance.runtimes.tensorflow.engine import import_libraries
from conformance.runtimes.tensorflow.keras_file.network import FORMAT, KerasNetwork

_NO_LIMIT = 1 << 62


@final
class KerasRuntime:
    """The runtime of the model format ``keras``."""

    runtime_id: ClassVar[str] = FORMAT

    def open(self, source: ModelSource) -> KerasNetwork:
        """Read everything but the parameters of a ``.keras`` file.

        Raises MalformedError or LimitError for a broken file, ConformanceError for one that carries
        code or refers to another file, UnsupportedError for a layer that is not judged here,
        NotRunError without TensorFlow.
        """
        return KerasNetwork(source)

    def import_libraries(self) -> None:
        """Import TensorFlow and Keras; NotRunError if one is not installed."""
        import_libraries(FORMAT)

    def describe(self, path: Path) -> Description:
        """Return what the ``.keras`` file at ``path`` says about itself; errors as for ``open``."""
        source = ModelSource((path,), (path.name,), path.parent, _NO_LIMIT)
        with self.open(source) as network:
            return Description(
                inputs=network.inputs,
                outputs=network.outputs,
                parameter_count=network.counts.parameters,
                external_files=(),
            )
