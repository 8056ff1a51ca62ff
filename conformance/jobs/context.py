"""One piece of work: the case, its place in the submission, and the means to do it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.codecs import (
    CODECS,
    Base,
    ChainCodec,
    Codec,
    DecodedModel,
    DecodedTensors,
    Identity,
    Memory,
    Source,
    Step,
    codec,
)
from conformance.plan.case import Case, sample_of
from conformance.runtimes import ModelSource, Network, runtime
from conformance.sandbox.limits import Limits
from conformance.submission.values import File, Model, Part, Sample, Submission, VectorSet
from conformance.verdicts import Location, NotRunError, UnsupportedError


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
    of the original itself on the same vectors; ``states`` are the evidence of states by step.
    """

    case: Case
    submission: Submission
    out: Path
    reference: Path | None
    own: Path | None
    states: Mapping[str, Path]
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

    @property
    def reference_folder(self) -> Path:
        """The folder of the evidence to compare with."""
        if self.reference is None:
            raise ValueError(f"{self.case.name} was asked for without the original's evidence")
        return self.reference

    def original(self) -> Network:
        """Return the opened original."""
        model, place = self.model, self.submission.models.index(self.model)
        with declared_at(f"/models/{place}/format"):
            return self.networks.open(model.format, self.submission.root, model.files)

    def replaceable(self) -> Network:
        """Return the opened original; NotRunError if a sample would leave too much of it in place.

        That is one defect of the model, and has a check of its own.
        """
        network = self.original()
        try:
            network.check_replaceable()
        except UnsupportedError as error:
            raise NotRunError(
                f"the parameters of {self.model.id!r} cannot be replaced",
                expected="MODEL-REPLACE-001 passes",
                found=error.message,
                fix="fix the finding of MODEL-REPLACE-001 first",
            ) from error
        return network

    def decoded(self) -> DecodedTensors | DecodedModel:
        """Return the sample, decoded by its codec.

        UnsupportedError if that is not what the codec is registered for: the plan relied on it.
        """
        decoder, source = self.decoder()
        decoded = decoder.decode(source)
        if isinstance(decoded, DecodedModel) != (CODECS.kind(self.sample.codec) == "network"):
            raise _not_as_registered(self.sample.codec, decoded)
        return decoded

    def decoder(self) -> tuple[Codec, Source]:
        """Return the codec of the sample, and what it decodes: all of it, or the case's part."""
        sample = self.sample
        whole = Part(sample.files, (), "whole", sample.codec_params, sample.name_map)
        part = whole if self.case.part is None else sample.parts[self.case.part]
        return self._decoder(sample), self._source(part)

    def step(self, sample: Sample, part: Part, base: Base | None) -> Step:
        """Return a part of a sample, decoded upon ``base``.

        A codec that knows nothing of chains decodes it by itself; UnsupportedError for samples
        that are networks of their own.
        """
        decoder, source = self._decoder(sample), self._source(part)
        if isinstance(decoder, ChainCodec):
            return decoder.decode_step(source, base)
        decoded = decoder.decode(source)
        if isinstance(decoded, DecodedModel):
            raise not_tensors(sample)
        size = sum(file.size for file in part.files)
        return Step(decoded, Memory(), Identity(1, {}), size)

    def pointer_to(self, sample: Sample) -> str:
        """Return the place in the metadata of a sample, or of the one that it is a variant of."""
        return f"/samples/{self.submission.place_of(sample)}"

    def _decoder(self, sample: Sample) -> Codec:
        with declared_at(f"{self.pointer_to(sample)}/codec/id"):
            return codec(sample.codec)

    def _source(self, part: Part) -> Source:
        root = self.submission.root
        return Source(
            files=tuple(root / file.rel_filepath for file in part.files),
            display=tuple(file.rel_filepath for file in part.files),
            params=part.params,
            limit_bytes=self.limits.tensor_bytes,
            units=part.units,
            withheld=part.withheld,
        )


def not_tensors(sample: Sample) -> UnsupportedError:
    """Return the error that a sample is no set of parameters."""
    return UnsupportedError(
        "parameters of this sample cannot be taken one by one",
        where=Location(sample.files[0].rel_filepath),
        expected="a sample that decodes to the parameters of the original",
        found=f"codec {sample.codec!r}, whose samples are networks of their own",
        fix="name a sample of tensors",
    )


def _not_as_registered(codec: str, decoded: DecodedTensors | DecodedModel) -> UnsupportedError:
    kind = CODECS.kind(codec)
    is_network = isinstance(decoded, DecodedModel)
    group = f"{CODECS.group}.network" if is_network else CODECS.group
    return UnsupportedError(
        f"the codec {codec!r} decodes to something else than it is registered for",
        expected="a network" if kind == "network" else "tensors",
        found="a network" if is_network else "tensors",
        fix=f"Register the codec in the entry point group {group!r}.",
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
