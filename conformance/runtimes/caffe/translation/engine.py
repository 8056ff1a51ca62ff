"""ONNX Runtime runs the translation: loading it with parameters, and computing outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
import onnxruntime

from conformance.runtimes._protocol import Array
from conformance.runtimes.batching import Run
from conformance.runtimes.caffe.graph import Graph
from conformance.runtimes.caffe.translation._builder import GraphBuilder
from conformance.runtimes.caffe.translation._operators import TRANSLATORS
from conformance.runtimes.onnx.buffers import buffer_of
from conformance.runtimes.onnx.faults import FAULTS, failed_run, refused_model
from conformance.runtimes.onnx.session import SETTINGS as ONNX_SETTINGS
from conformance.runtimes.onnx.session import open_session
from conformance.runtimes.onnx.skeleton import Skeleton

SETTINGS: Mapping[str, str] = {"engine": "ONNX Runtime, translated from Caffe", **ONNX_SETTINGS}
"""The settings that outputs may depend on."""


@final
class OnnxEngine:
    """Runs a graph, translated to ONNX operators, with ONNX Runtime."""

    settings = SETTINGS

    def __init__(self, graph: Graph) -> None:
        self._file = graph.file
        self._builder = GraphBuilder()
        self._names: dict[int, str] = {}
        for number in graph.inputs:
            self._names[number] = self._builder.input(graph.values[number].shape)
        for layer in graph.layers:
            shapes = [graph.values[number].shape for number in layer.tops]
            bottoms = [self._names[number] for number in layer.bottoms]
            made = TRANSLATORS[layer.node.type](self._builder, layer, bottoms, shapes)
            self._names |= dict(zip(layer.tops, made, strict=True))
        self._inputs = {graph.values[n].name: self._names[n] for n in graph.inputs}
        self._outputs = {
            graph.values[n].name: self._builder.output(self._names[n], graph.values[n].shape)
            for n in graph.outputs
        }

    @property
    def versions(self) -> Mapping[str, str]:
        """The version of ONNX Runtime."""
        return {"onnxruntime": str(onnxruntime.__version__)}

    def load(self, tensors: Mapping[str, Array]) -> Run:
        """Return a function that computes the outputs of the network with ``tensors``.

        Values of other floating-point types are rounded to float32, in which Caffe computes.
        """
        model = self._builder.model()
        float32 = np.dtype(np.float32)
        used = [parameter for parameter, _ in self._builder.parameters.values()]
        buffers = tuple(buffer_of(tensors[name], float32) for name in used)
        skeleton = Skeleton(model.SerializeToString(), tuple(self._builder.parameters), buffers)
        try:
            session = open_session(skeleton)
        except FAULTS as error:
            raise refused_model(error, model, self._file) from error
        return _Session(session, skeleton, self._inputs, self._outputs, self._file)


@final
class _Session:
    """A session, and the buffers of its parameters, which it reads in place."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        skeleton: Skeleton,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        file: str,
    ) -> None:
        self._session = session
        self._buffers = skeleton.buffers
        self._inputs = inputs
        self._outputs = outputs
        self._file = file

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        feeds = {name: inputs[own] for own, name in self._inputs.items()}
        try:
            made = self._session.run(list(self._outputs.values()), feeds)
        except FAULTS as error:
            raise failed_run(error, self._file) from error
        return dict(zip(self._outputs, made, strict=True))
