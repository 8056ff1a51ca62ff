"""Caffe networks: a prototxt and a caffemodel, translated to ONNX and run by ONNX Runtime.

Use it like this::

    with CaffeRuntime().open(source) as network:
        outputs = network.bind(decoded).run({"data": image})

How it is laid out, from bytes to outputs: ``schema`` and ``messages`` are the messages of Caffe,
with which ``prototxt`` reads text; ``phases`` keeps the layers of the test phase, and ``graph``
works out what flows between them, with ``layers`` for the shapes of each type. ``caffemodel`` finds
blobs in the mapped file, ``stored`` the one for every parameter. ``translation`` writes the graph
in ONNX operators.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from conformance.runtimes._protocol import Description, ModelSource
from conformance.runtimes.caffe.network import CaffeNetwork
from conformance.verdicts import ConformanceError, Location

__all__ = ["CaffeNetwork", "CaffeRuntime"]

_NO_LIMIT = 1 << 62


@final
class CaffeRuntime:
    """The runtime of the model format ``caffe``; the prototxt comes first, then the caffemodel."""

    runtime_id: ClassVar[str] = "caffe"

    def open(self, source: ModelSource) -> CaffeNetwork:
        """Read the network, and check its parameters.

        Raises MalformedError or LimitError for broken files or two that do not belong together,
        UnsupportedError for layers that cannot be run, NotRunError without protobuf.
        """
        return CaffeNetwork(source)

    def describe(self, path: Path) -> Description:
        """Return what the network of the prototxt at ``path`` says about itself.

        Its caffemodel lies next to it: that of the same name, or the only one. Errors as for
        ``open``; ConformanceError if there is none, or a choice of several.
        """
        model = _model_beside(path)
        source = ModelSource(
            files=(path, model),
            display=(path.name, model.name),
            root=path.parent,
            limit_bytes=_NO_LIMIT,
        )
        with self.open(source) as network:
            return Description(
                inputs=network.inputs,
                outputs=network.outputs,
                parameter_count=network.counts.parameters,
                external_files=(model.name,),
            )


def _model_beside(path: Path) -> Path:
    named = path.with_suffix(".caffemodel")
    if named.is_file() and named != path:
        return named
    found = sorted(path.parent.glob("*.caffemodel"))
    if len(found) == 1 and found[0] != path:
        return found[0]
    raise ConformanceError(
        "the caffemodel of the network is not found",
        where=Location(path.name),
        expected=f"a prototxt, and {named.name} (or one caffemodel) next to it",
        found=", ".join(file.name for file in found) or "no caffemodel",
        fix="Name the prototxt, and put its caffemodel next to it under the same name.",
    )
