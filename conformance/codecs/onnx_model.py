"""The ``onnx`` codec: the sample is itself a runnable, compressed ONNX model.

Nothing is decoded; the model's structure is read to find the tools it uses, and its external data
are confined to the files the sample lists. Importing this module imports onnx.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

import onnx
from google.protobuf.message import DecodeError

from conformance.codecs._fields import Fields
from conformance.codecs._model_files import model_file
from conformance.codecs._onnx_external import check_external_data
from conformance.codecs._onnx_features import model_features
from conformance.codecs._onnx_walk import tensors_of
from conformance.codecs._protocol import DecodedModel, Source
from conformance.tensorfiles import map_file
from conformance.verdicts import Location, MalformedError


@final
class OnnxModelCodec:
    """Takes the first file as the model and the others as its external data; no parameters."""

    codec_id: ClassVar[str] = "onnx"

    def decode(self, source: Source) -> DecodedModel:
        """Check that the model can be read and that its data are among the files."""
        where = Location(file="submission.json", element="codec.params")
        Fields(source.params, "the parameter object of codec 'onnx'", where).finish()
        path, display = model_file(source, "an ONNX model, and its external data if it has any")
        model = _load(path, display)
        check_external_data(tensors_of(model), source)
        features, implied = model_features(model)
        return DecodedModel("onnx", source.files, source.display, features, implied)


def _load(path: Path, display: str) -> onnx.ModelProto:
    model = onnx.ModelProto()
    found = "a message without a graph"
    try:
        with path.open("rb") as file:
            model.ParseFromString(map_file(file))
    except DecodeError as error:
        found = str(error)
    if not model.HasField("graph") or not model.graph.output:
        raise MalformedError(
            "the file is not an ONNX model",
            where=Location(file=display, byte_offset=0, element="ModelProto"),
            expected="an onnx.ModelProto with a graph that has outputs",
            found=found,
            fix="Submit the model as onnx.save writes it, and the whole file.",
        )
    return model
