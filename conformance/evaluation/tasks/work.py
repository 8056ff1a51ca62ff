"""One piece of work: the case, its place in the submission, and the means to do it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.codecs import DecodedModel, DecodedTensors, Source, codec
from conformance.evaluation.case import Case, sample_of
from conformance.evaluation.limits import Limits
from conformance.runtimes import ModelSource, Network, runtime
from conformance.submission.values import File, Model, Sample, Submission, VectorSet
from conformance.verdicts import Location, UnsupportedError


class Networks:
    """Opened networks; the last one is kept, for most samples share their original."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._format = ""
        self._source: ModelSource | None = None
        self._network: Network | None = None

    def open(self, format: str, root: Path, files: Sequence[File]) -> Network:
        """Return the network in ``files``; errors are those of its runtime."""
        source = ModelSource(
            files=tuple(root / file.rel_filepath for file in files),
            display=tuple(file.rel_filepath for file in files),
            root=root,
            limit_bytes=self._limits.tensor_bytes,
        )
        if self._network is None or (self._format, self._source) != (format, source):
            self.close()
            self._network = runtime(format).open(source)
            self._format, self._source = format, source
        return self._network

    def close(self) -> None:
        """Close the network that is kept."""
        if self._network is not None:
            self._network.__exit__(None, None, None)
            self._network = None


@dataclass(frozen=True, slots=True)
class Work:
    """A case of a submission.

    ``out`` takes arrays to keep, ``reference`` holds the evidence to compare with, and ``own`` that
    of the original itself on the same vectors.
    """

    case: Case
    submission: Submission
    out: Path
    reference: Path | None
    own: Path | None
    limits: Limits
    networks: Networks

    @property
    def model(self) -> Model:
        """The original network."""
        return self.submission.model(self.case.model)

    @property
    def sample(self) -> Sample:
        """The sample."""
        return sample_of(self.case, self.submission)

    @property
    def vectors(self) -> VectorSet:
        """The vector set."""
        if self.case.vectors is None:
            raise ValueError(f"{self.case.name} has no vectors")
        return self.submission.vector_set(self.case.vectors)

    @property
    def other_vectors(self) -> VectorSet:
        """The same vectors for the same network in another format."""
        if self.case.other_vectors is None:
            raise ValueError(f"{self.case.name} is not about two formats")
        return self.submission.vector_set(self.case.other_vectors)

    def original(self) -> Network:
        """Return the opened original."""
        model, place = self.model, self.submission.models.index(self.model)
        with declared_at(f"/models/{place}/format"):
            return self.networks.open(model.format, self.submission.root, model.files)

    def decoded(self) -> DecodedTensors | DecodedModel:
        """Return the sample, decoded by its codec."""
        sample, root = self.sample, self.submission.root
        place = self.submission.samples.index(sample)
        with declared_at(f"/samples/{place}/codec/id"):
            decoder = codec(sample.codec)
        return decoder.decode(
            Source(
                files=tuple(root / file.rel_filepath for file in sample.files),
                display=tuple(file.rel_filepath for file in sample.files),
                params=sample.codec_params,
                limit_bytes=self.limits.tensor_bytes,
            )
        )


@contextlib.contextmanager
def declared_at(pointer: str) -> Iterator[None]:
    """Give an UnsupportedError without a place of its own that of the metadata it is due to."""
    try:
        yield
    except UnsupportedError as error:
        if error.where is None:
            error.where = Location("submission.json", pointer=pointer)
        raise
