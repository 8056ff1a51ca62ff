"""What the function of a job is given: what is asked, where files and results lie, where to write.

It knows neither ids nor places in the metadata: for these it writes tokens, which the parent
replaces by what the submission says.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from conformance.codecs import Codec, DecodedModel, DecodedTensors, Source, codec
from conformance.evidence.store import EVIDENCE
from conformance.plan.requests import FileRef, NetworkSpec, PartSpec, Request, Tokens
from conformance.registry import CODECS
from conformance.runtimes import ModelSource, Network, runtime
from conformance.sandbox.limits import Limits
from conformance.verdicts import ConformanceError, Json, Location, UnsupportedError, error_from_json

METADATA = "submission.json"

Asked = TypeVar("Asked", bound=Request)


class Networks:
    """Opened networks; the last one is kept, for most samples share their original."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._opened: tuple[str, ModelSource] | None = None
        self._network: Network | None = None

    def open(self, format: str, source: ModelSource) -> Network:
        """Return the network in the files of ``source``; errors are those of its runtime."""
        if self._network is None or self._opened != (format, source):
            self.close()
            self._network = runtime(format).open(source)
            self._opened = format, source
        return self._network

    def close(self) -> None:
        """Close the network that is kept."""
        if self._network is not None:
            self._network.__exit__(None, None, None)
            self._network = None


@dataclass(frozen=True, slots=True)
class TaskContext(Tokens, Generic[Asked]):
    """One request, and the means to answer it.

    ``files`` are by role; ``results`` are the folders of evidence that the request builds upon.
    ``out`` takes arrays to keep.
    """

    asked: Asked
    files: Mapping[str, Path]
    results: Mapping[str, Path]
    out: Path
    limits: Limits
    networks: Networks

    def path(self, file: FileRef) -> Path:
        """Return where a file lies."""
        return self.files[file.role]

    def result(self, role: str) -> dict[str, Json]:
        """Return what an earlier job measured; the ConformanceError that it ended with is raised.

        In it stand the tokens of that job, which the parent knows as well.
        """
        stored = json.loads((self.results[role] / EVIDENCE).read_text(encoding="utf-8"))
        if stored["error"] is not None:
            raise error_from_json(stored["error"])
        result: dict[str, Json] = stored["result"]
        return result

    def network(self, spec: NetworkSpec) -> Network:
        """Return a network, opened; the last one of the process is kept open."""
        with self.declared_at(f"{self.at(spec.role)}/{'codec/id' if spec.codec else 'format'}"):
            return self.networks.open(*self.network_source(spec))

    def network_source(self, spec: NetworkSpec) -> tuple[str, ModelSource]:
        """Return the format of a network and its files; a codec says both of a sample."""
        if spec.codec:
            decoded = self.decoded_network(spec)
            return decoded.format, self._model_source(decoded.files, decoded.display)
        files = tuple(map(self.path, spec.files))
        return spec.format, self._model_source(files, tuple(map(self.display, spec.files)))

    def decoded_network(self, spec: NetworkSpec) -> DecodedModel:
        """Return what the codec of a sample says of the network that the sample is."""
        decoded = self.codec(spec.codec, spec.role).decode(
            self._source(spec.files, spec.params, (), ())
        )
        if isinstance(decoded, DecodedModel):
            return decoded
        decoded.close()
        raise _not_as_registered(spec.codec, is_network=False)

    def decoded(self, part: PartSpec) -> DecodedTensors:
        """Return the tensors of a part, decoded by its codec.

        UnsupportedError if that is not what the codec is registered for: the plan relied on it.
        """
        decoded = self.codec(part.codec, part.role).decode(self.source(part))
        if isinstance(decoded, DecodedModel):
            raise _not_as_registered(part.codec, is_network=True)
        return decoded

    def codec(self, name: str, role: str) -> Codec:
        """Return a codec; an UnsupportedError says where the metadata name it."""
        with self.declared_at(f"{self.at(role)}/codec/id"):
            return codec(name)

    def source(self, part: PartSpec) -> Source:
        """Return the files of a part, and what is said about decoding them."""
        return self._source(part.files, part.params, part.units, part.withheld)

    def _source(
        self,
        files: Sequence[FileRef],
        params: Mapping[str, Json],
        units: tuple[tuple[int, int], ...],
        withheld: tuple[tuple[int, int], ...],
    ) -> Source:
        return Source(
            files=tuple(map(self.path, files)),
            display=tuple(map(self.display, files)),
            params=params,
            limit_bytes=self.limits.tensor_bytes,
            units=units,
            withheld=withheld,
        )

    def _model_source(self, files: tuple[Path, ...], display: tuple[str, ...]) -> ModelSource:
        root = Path(os.path.commonpath([path.parent for path in files]))
        return ModelSource(files, display, root, self.limits.tensor_bytes)

    @contextlib.contextmanager
    def declared_at(self, pointer: str) -> Iterator[None]:
        """Put the place in the metadata into an UnsupportedError that has none."""
        try:
            yield
        except UnsupportedError as error:
            if error.where is None:
                error.where = Location(METADATA, pointer=pointer)
            raise


def _not_as_registered(codec: str, *, is_network: bool) -> ConformanceError:
    kind = CODECS.kind(codec)
    group = f"{CODECS.group}.network" if is_network else CODECS.group
    return UnsupportedError(
        f"the codec {codec!r} decodes to something else than it is registered for",
        expected="a network" if kind == "network" else "tensors",
        found="a network" if is_network else "tensors",
        fix=f"Register the codec in the entry point group {group!r}.",
    )
