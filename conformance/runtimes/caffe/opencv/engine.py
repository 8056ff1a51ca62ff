"""OpenCV runs the sheet: loading it with parameters, and computing outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, final

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.batching import Run
from conformance.runtimes.caffe.graph import Graph
from conformance.runtimes.caffe.layers import Shape
from conformance.runtimes.caffe.opencv._sheet import Sheet
from conformance.runtimes.caffe.opencv._weights import caffemodel_of
from conformance.runtimes.caffe.opencv._writers import WRITERS, NotWritable
from conformance.runtimes.libraries import library
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    Location,
    NotRunError,
    UnsupportedError,
)

SETTINGS: Mapping[str, str] = {
    "engine": "OpenCV dnn",
    "backend": "DNN_BACKEND_OPENCV",
    "target": "DNN_TARGET_CPU",
    "fusion": "false",
    "winograd": "false",
    "threads": "1",
}
"""The settings that outputs may depend on."""

_RANKS = range(2, 6)
_MEMORY = ("Insufficient memory", "Failed to allocate", "bad_alloc")
_MOST_TEXT = 400


@dataclass(frozen=True, slots=True)
class _End:
    """An input or output: Caffe's name, the name on the sheet, and its shape."""

    name: str
    value: str
    shape: Shape


@final
class OpenCvEngine:
    """Runs a graph with OpenCV's dnn module; made by :meth:`for_graph`."""

    settings = SETTINGS

    def __init__(self, sheet: Sheet, inputs: list[_End], outputs: list[_End], file: str) -> None:
        self._cv2 = _opencv()
        self._sheet = sheet
        self._inputs = inputs
        self._outputs = outputs
        self._file = file

    @classmethod
    def for_graph(cls, graph: Graph) -> OpenCvEngine | None:
        """Return an engine, or None if OpenCV would not compute every layer as Caffe does.

        Raises NotRunError if OpenCV 4 is not installed.
        """
        if any(len(value.shape) not in _RANKS for value in graph.values):
            return None  # OpenCV gives values of one axis a second one
        try:
            sheet, inputs, outputs = _written(graph)
        except NotWritable:
            return None
        return cls(sheet, inputs, outputs, graph.file)

    @property
    def versions(self) -> Mapping[str, str]:
        """The version of OpenCV."""
        return {"opencv": str(self._cv2.__version__)}

    def load(self, tensors: Mapping[str, Array]) -> Run:
        """Return a function that computes the outputs of the network with ``tensors``."""
        net = self._loaded(tensors)
        names = [end.value for end in self._outputs]

        def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
            try:
                for end in self._inputs:
                    net.setInput(inputs[end.name], end.value)
                made = net.forward(names)
            except self._cv2.error as error:
                raise self._failure(error) from error
            return {
                end.name: np.array(array, np.float32).reshape(end.shape)
                for end, array in zip(self._outputs, made, strict=True)
            }

        return run

    def _loaded(self, tensors: Mapping[str, Array]) -> Any:
        cv2 = self._cv2
        cv2.setNumThreads(1)
        try:
            net = self._read(tensors)
            net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
            net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
            net.enableFusion(False)
            net.enableWinograd(False)
            self._check_shapes(net)
        except cv2.error as error:
            raise self._failure(error) from error
        return net

    def _read(self, tensors: Mapping[str, Array]) -> Any:
        text = np.frombuffer("\n".join(self._sheet.lines).encode(), np.uint8)
        model = caffemodel_of(self._sheet.blobs, tensors, self._file)
        return self._cv2.dnn.readNetFromCaffe(text, *([model] if model.size else []))

    def _check_shapes(self, net: Any) -> None:
        """Refuse a network that OpenCV gives other shapes than Caffe does."""
        shapes = [list(end.shape) for end in self._inputs]
        ids, _, made = net.getLayersShapes(shapes)
        found = {int(i): [tuple(map(int, shape)) for shape in made[n]] for n, i in enumerate(ids)}
        for name, wanted in self._sheet.shapes.items():
            got = found.get(net.getLayerId(name), [])
            if got != list(wanted):
                raise UnsupportedError(
                    "OpenCV computes another shape than Caffe",
                    where=Location(self._file, element=name),
                    expected=str(wanted),
                    found=str(got),
                    mend="Submit the network in another format.",
                )

    def _failure(self, error: Exception) -> ConformanceError:
        text = " ".join(str(error).split())[:_MOST_TEXT]
        where = Location(self._file, element="network")
        if any(sign in text for sign in _MEMORY):
            return LimitError(
                "the network asks for more memory than there is",
                where=where,
                expected="values that fit into memory",
                found=text,
                mend="Reduce the batch, or judge it with a higher memory limit.",
            )
        return UnsupportedError(
            "OpenCV cannot run the network",
            where=where,
            expected="a network of layers that OpenCV computes",
            found=text,
            mend="Submit the network in another format.",
        )


def _written(graph: Graph) -> tuple[Sheet, list[_End], list[_End]]:
    sheet = Sheet()
    names: dict[int, str] = {}
    read = {number for layer in graph.layers for number in layer.bottoms}
    inputs = []
    for number in graph.inputs:
        value = graph.values[number]
        if number in read:
            names[number] = sheet.input(value.shape)
            inputs.append(_End(value.name, names[number], value.shape))
    for layer in graph.layers:
        writer = WRITERS.get(layer.node.type)
        if writer is None:
            raise NotWritable
        shapes = [graph.values[number].shape for number in layer.tops]
        made = writer(sheet, layer, [names[number] for number in layer.bottoms], shapes)
        names |= dict(zip(layer.tops, made, strict=True))
    values = [(graph.values[number], names[number]) for number in graph.outputs]
    outputs = [_End(v.name, sheet.output(name, v.shape), v.shape) for v, name in values]
    return sheet, inputs, outputs


def _opencv() -> ModuleType:
    cv2: ModuleType = library("cv2", "caffe", "caffe")
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise NotRunError(
            "the model format 'caffe' needs OpenCV 4: later ones have no importer for it",
            expected="opencv-python-headless 4.14",
            found=str(cv2.__version__),
            mend="Run: pip install 'nnr-conformance[caffe]'",
        )
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
