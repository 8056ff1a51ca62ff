"""TFLite models, run by LiteRT on the CPU, without TensorFlow.

Use it like this::

    with TfliteRuntime().open(source) as network:
        outputs = network.bind(decoded).run({"image": image})

How it is laid out, from bytes to outputs: ``schema`` and ``flatbuffer`` walk the mapped file,
``model`` makes values of it; ``graph``, ``tensors`` say what cannot be judged, ``unread`` what
nothing reads; ``stored`` and ``sparse`` find the tensors, ``uses`` how operators read them,
``hidden`` what is in no tensor; ``image`` puts others in their place, and ``interpreter`` runs the
result.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from conformance.runtimes._protocol import Description, ModelSource
from conformance.runtimes.tflite.network import TfliteNetwork

__all__ = ["TfliteNetwork", "TfliteRuntime"]

_NO_LIMIT = 1 << 62


@final
class TfliteRuntime:
    """The runtime of the model format ``tflite``."""

    runtime_id: ClassVar[str] = "tflite"

    def open(self, source: ModelSource) -> TfliteNetwork:
        """Read everything but the parameters of a TFLite model.

        Raises MalformedError or LimitError for a broken file, UnsupportedError for operators and
        tensors that cannot be judged, ConformanceError for a file with far more than a network.
        """
        return TfliteNetwork(source)

    def describe(self, path: Path) -> Description:
        """Return what the TFLite model at ``path`` says about itself; errors as for ``open``."""
        source = ModelSource((path,), (path.name,), path.parent, _NO_LIMIT)
        with self.open(source) as network:
            return Description(
                inputs=network.inputs,
                outputs=network.outputs,
                parameter_count=network.counts.parameters,
                external_files=(),
            )
