"""The ``tflite`` codec: the sample is itself a runnable, compressed TensorFlow Lite model.

Nothing is decoded; the file is walked as the runtime ``tflite`` walks it, before any native code
sees it, to find the tools it uses. LiteRT is not needed for that.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from conformance.codecs._fields import Fields
from conformance.codecs._model_files import model_file
from conformance.codecs._protocol import DecodedModel, Source
from conformance.codecs._tflite_features import model_features
from conformance.runtimes.tflite.flatbuffer import Reader
from conformance.runtimes.tflite.graph import graphs_in_use
from conformance.runtimes.tflite.model import read_model
from conformance.tensorfiles import LFS_BYTES, map_file, refuse_lfs_pointer
from conformance.verdicts import Location, MalformedError


@final
class TfliteModelCodec:
    """Takes one file as the model; no parameters."""

    codec_id: ClassVar[str] = "tflite"

    def decode(self, source: Source) -> DecodedModel:
        """Walk the whole file; what its operators can do is judged when it is opened to be run."""
        where = Location(file="submission.json", element="codec.params")
        Fields(source.params, "the parameter object of codec 'tflite'", where).finish()
        path, display = model_file(source, "a TensorFlow Lite model")
        if len(source.files) > 1:
            raise MalformedError(
                "a sample of the tflite codec is one file",
                where=Location(file=source.display[1]),
                expected="1 file",
                found=f"{len(source.files)} files: {', '.join(source.display)[:200]}",
                fix="Convert the model into one file.",
            )
        return DecodedModel(
            format="tflite",
            files=source.files,
            display=source.display,
            features=_features(path, display),
        )


def _features(path: Path, display: str) -> tuple[str, ...]:
    with path.open("rb") as file:
        data = map_file(file)
    refuse_lfs_pointer(bytes(data[:LFS_BYTES]), display)
    model = read_model(Reader(data, display))
    return model_features(model, graphs_in_use(model, display))
