"""The jobs that evidence comes from: what each needs, what it asks a worker, who answers for it.

A job knows ids and places, its request does not. There are three relations between jobs. A job
*needs* others: where one of them fails, another check says so, and this job is not run. It consists
of *parts*: where one of them fails, the job has failed. And its request names the *results* that
the worker reads, which are among these or what they are made of.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import ClassVar, Generic, Literal, TypeAlias, TypeVar

from conformance.plan.requests import (
    AgreementRequest,
    Change,
    DecodedStatesRequest,
    DecodeRequest,
    FileRef,
    LayeringRequest,
    MeasureRequest,
    MergeRequest,
    MetricSpec,
    MisapplicationRequest,
    NetworkRequest,
    NetworkSpec,
    OriginalRequest,
    PartRequest,
    PartSpec,
    ReconstructionRequest,
    Request,
    RunRequest,
    ShardSpec,
    Stage,
    StateRequest,
    TimingRequest,
    VectorsRequest,
    VectorsSpec,
    untyped,
)
from conformance.plan.results import (
    AccessResult,
    AgreementResult,
    ControlResult,
    DecodeResult,
    LayeringResult,
    MeasureResult,
    MisapplicationResult,
    ModelResult,
    OriginalResult,
    ReconstructionResult,
    Result,
    StateResult,
    TimingResult,
)
from conformance.registry import CODECS
from conformance.submission.values import File, Metric, Model, Part, Sample, Submission, VectorSet

SHUFFLED: tuple[Change, ...] = ("shuffled-1", "shuffled-2", "shuffled-3")
CONTROLS: tuple[Change, ...] = ("zeros", *SHUFFLED)
"""What a control replaces the parameters by, one network each."""

Step: TypeAlias = tuple[str, int]
"""A part of a sample: the sample's id, and the part's place in it."""

Results: TypeAlias = "dict[str, Job]"
R_co = TypeVar("R_co", bound=Result, covariant=True)


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work about one submission; two are equal if kind and ids are.

    ``owner`` is the check that reports its failure, empty for parts of other jobs. ``Result`` is
    the class of what it has measured; None for what only workers read. A job that
    ``takes_failures`` of its parts is to find out about them.
    """

    kind: ClassVar[str] = ""
    stage: ClassVar[Stage] = "measure"
    owner: ClassVar[str] = ""
    Result: ClassVar[type[Result] | None] = None
    takes_failures: ClassVar[bool] = False

    submission: Submission = field(repr=False, compare=False)

    @property
    def subject(self) -> str:
        """What the job is about, by its ids."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """A readable name, unique in its submission: ``decode int8-qdq``."""
        return f"{self.kind} {self.subject}"

    @property
    def asks(self) -> str:
        """The kind of its request."""
        return self.kind

    @property
    def format(self) -> str:
        """The format of the network in the worker's process; empty for stages without one."""
        return ""

    @property
    def network(self) -> str:
        """The original whose files, or those of a sample of it, the worker opens; empty if none."""
        return ""

    @property
    def passing(self) -> bool:
        """Whether what it gives is kept for one run only."""
        return False

    def needs(self) -> tuple[Job, ...]:
        """Return the jobs that must have succeeded before this one is tried."""
        return ()

    def parts(self) -> tuple[Job, ...]:
        """Return the jobs that this one consists of: their failure is its own."""
        return ()

    def results(self) -> Results:
        """Return the jobs whose results the worker reads, by role."""
        return {}

    def request(self, results: Mapping[str, str]) -> Request:
        """Return what the worker is asked; ``results`` are keys by role."""
        raise NotImplementedError

    def named_parts(self) -> Iterator[tuple[str, object]]:
        """Yield what the request names, by role: models, parts of samples, vector sets."""
        return iter(())

    def names(self) -> dict[str, str]:
        """Return, by what a token stands for, the names that the submission has."""
        found: dict[str, str] = {}
        for role, value in self.named_parts():
            found |= _names_of(role, value, self.submission)
        return found

    def files(self) -> dict[str, File]:
        """Return the files that the request names, by role."""
        found: dict[str, File] = {}
        for role, value in self.named_parts():
            found |= _files_of(role, value)
        return found


@dataclass(frozen=True, slots=True)
class Measuring(Job, Generic[R_co]):
    """A job that checks and commands look at the result of, which is an ``R_co``."""

    Result: ClassVar[type[Result]]


@dataclass(frozen=True, slots=True)
class _OfModel(Job):
    model: str

    @property
    def subject(self) -> str:
        return self.model

    @property
    def original(self) -> Model:
        """The original network."""
        return self.submission.model(self.model)

    @property
    def format(self) -> str:
        return self.original.format if self.stage in ("open", "run") else ""

    @property
    def network(self) -> str:
        return self.model if self.stage in ("open", "run") else ""

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield "model", self.original


@dataclass(frozen=True, slots=True)
class OpenModel(_OfModel, Measuring[ModelResult]):
    """Open the original: ports, counts, what nothing reads."""

    kind = "model"
    stage = "open"
    owner = "MODEL-OPEN-001"
    Result = ModelResult

    def request(self, results: Mapping[str, str]) -> Request:
        return NetworkRequest(network=_network("model", self.original))


@dataclass(frozen=True, slots=True)
class KeepParameters(_OfModel):
    """Keep the tensors of the original in files, for what compares others with them."""

    kind = "parameters"
    stage = "open"

    @property
    def passing(self) -> bool:
        return True

    def request(self, results: Mapping[str, str]) -> Request:
        return NetworkRequest(network=_network("model", self.original))


@dataclass(frozen=True, slots=True)
class _OfSample(Job):
    sample: str

    @property
    def subject(self) -> str:
        return self.sample

    @property
    def compressed(self) -> Sample:
        """The sample."""
        return self.submission.sample(self.sample)

    @property
    def original(self) -> Model:
        """The original network."""
        return self.submission.model(self.compressed.model)

    def opened(self) -> OpenModel:
        return OpenModel(self.submission, self.original.id)

    def parameters(self) -> KeepParameters:
        return KeepParameters(self.submission, self.original.id)

    def state(self, part: int) -> DecodeState:
        return DecodeState(self.submission, self.sample, part)


@dataclass(frozen=True, slots=True)
class OpenSample(_OfSample):
    """Open a sample that is a network."""

    kind = "network"
    stage = "open"

    @property
    def passing(self) -> bool:
        return True

    @property
    def format(self) -> str:
        return self.compressed.codec

    @property
    def network(self) -> str:
        return self.compressed.model

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield "sample", self.compressed

    def request(self, results: Mapping[str, str]) -> Request:
        return NetworkRequest(network=_network("sample", self.compressed))


@dataclass(frozen=True, slots=True)
class DecodeTensors(_OfSample):
    """Decode the bitstream or file of a sample, once for all that looks at its tensors."""

    kind = "tensors"
    stage = "decode"

    @property
    def passing(self) -> bool:
        return True

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield "sample", self.compressed

    def request(self, results: Mapping[str, str]) -> Request:
        return PartRequest(part=_whole(self.compressed))


@dataclass(frozen=True, slots=True)
class Decode(_OfSample, Measuring[DecodeResult]):
    """What a sample decodes to, compared with the parameters of the original."""

    kind = "decode"
    owner = "SAMPLE-DECODE-001"
    Result = DecodeResult

    @property
    def asks(self) -> str:
        if self._states:
            return "decoded-states"
        return "decoded-network" if is_network(self.compressed) else "decode"

    @property
    def _states(self) -> bool:
        return self.compressed.is_derived or bool(self.compressed.layers)

    def needs(self) -> tuple[Job, ...]:
        return self.opened(), *(self._each_state() if self._states else ())

    def parts(self) -> tuple[Job, ...]:
        if self._states:
            return self.parameters(), *([self._tensors()] if self._is_undivided else [])
        if is_network(self.compressed):
            return OpenSample(self.submission, self.sample), self.parameters()
        return self.parameters(), self._tensors()

    def results(self) -> Results:
        found: Results = {"parameters": self.parameters()}
        if self._states:
            found |= {f"state.{part}": each for part, each in enumerate(self._each_state())}
            return found | ({"tensors": self._tensors()} if self._is_undivided else {})
        if is_network(self.compressed):
            opened = OpenSample(self.submission, self.sample)
            return found | {"model": self.opened(), "network": opened}
        return found | {"tensors": self._tensors()}

    def _each_state(self) -> tuple[DecodeState, ...]:
        return tuple(self.state(part) for part in range(len(self.compressed.parts)))

    def _tensors(self) -> DecodeTensors:
        return DecodeTensors(self.submission, self.sample)

    @property
    def _is_undivided(self) -> bool:
        """Whether layers are units of one bitstream: what it claims stands in all of it."""
        return any(part.units for part in self.compressed.parts)

    def request(self, results: Mapping[str, str]) -> Request:
        sample = self.compressed
        if self._states:
            states = len(sample.parts)
            return DecodedStatesRequest(results=results, states=states, lossless=sample.lossless)
        return DecodeRequest(
            results=results,
            part=_whole(sample),
            lossless=sample.lossless,
            compared=not is_network(sample) and self.submission.is_compared(sample),
        )

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield "model", self.original
        yield "sample", self.compressed


@dataclass(frozen=True, slots=True)
class DecodeState(_OfSample, Measuring[StateResult]):
    """What one part of a sample leaves: parameters, and the memory of its decoder."""

    part: int

    kind = "state"
    stage = "decode"
    owner = "UPDATE-STEP-001"
    Result = StateResult

    @property
    def subject(self) -> str:
        return f"{self.sample}#{self.part}"

    @property
    def asks(self) -> str:
        return "merge" if self.compressed.merge_of else "state"

    def needs(self) -> tuple[Job, ...]:
        built_upon = self.results()
        del built_upon["parameters"]
        return self.opened(), *dict.fromkeys(built_upon.values())

    def parts(self) -> tuple[Job, ...]:
        return (self.parameters(),)

    def results(self) -> Results:
        found: Results = {"parameters": self.parameters()}
        for place, branch in enumerate(self.compressed.merge_of):
            found[f"branch.{place}"] = self._at(last_step(self.submission.sample(branch.sample)))
        parent, contexts = self._parent(), self._contexts()
        if parent is not None:
            found["parent"] = self._at(parent)
        if contexts is not None:
            found["contexts"] = self._at(contexts)
        return found

    def _at(self, step: Step) -> DecodeState:
        return DecodeState(self.submission, *step)

    def _parent(self) -> Step | None:
        """Return the state that the part is applied to; None is the original, or nothing."""
        return parent_step((self.sample, self.part), self.submission)

    def _contexts(self) -> Step | None:
        return contexts_step((self.sample, self.part), self.submission)

    def request(self, results: Mapping[str, str]) -> Request:
        sample = self.compressed
        if sample.merge_of:
            weights = tuple(float(branch.weight) for branch in sample.merge_of)
            return MergeRequest(results=results, weights=weights)
        whole = self._parent() is None and sample.update_of is None
        part = _part("sample", sample, self.part)
        return StateRequest(results=results, part=part, whole=whole)

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield "model", self.original
        yield "sample", (self.compressed, self.part)
        parent = self._parent()
        if parent is not None:
            yield "parent", self._at(parent).subject


@dataclass(frozen=True, slots=True)
class DecodeLayers(_OfSample, Measuring[LayeringResult]):
    """All layers of a sample decoded in one process."""

    kind = "layering"
    stage = "decode"
    owner = "LAYER-BASE-001"
    Result = LayeringResult

    def needs(self) -> tuple[Job, ...]:
        return self.opened(), *(self.state(part) for part in range(len(self.compressed.parts)))

    def parts(self) -> tuple[Job, ...]:
        return (self.parameters(),)

    def results(self) -> Results:
        states = {f"state.{k}": self.state(k) for k in range(len(self.compressed.parts))}
        return {"parameters": self.parameters(), **states}

    def request(self, results: Mapping[str, str]) -> Request:
        sample = self.compressed
        parts = (_part(f"layer.{k}", sample, k) for k in range(len(sample.parts)))
        return LayeringRequest(results=results, parts=tuple(parts))

    def named_parts(self) -> Iterator[tuple[str, object]]:
        for part in range(len(self.compressed.parts)):
            yield f"layer.{part}", (self.compressed, part)

    def names(self) -> dict[str, str]:
        layers = enumerate(self.compressed.layers)
        return Job.names(self) | {f"id.layer.{place}": layer.id for place, layer in layers}


@dataclass(frozen=True, slots=True)
class Misapply(_OfSample, Measuring[MisapplicationResult]):
    """Parts of a chain applied to ``start`` (None is the original) where they do not belong."""

    part: int
    misapplication: str
    start: Step | None
    steps: tuple[Step, ...]
    instead_of: Step

    kind = "misapplication"
    stage = "decode"
    owner = "UPDATE-MUTATION-001"
    Result = MisapplicationResult

    @property
    def subject(self) -> str:
        return f"{self.sample}#{self.part} {self.misapplication}"

    def needs(self) -> tuple[Job, ...]:
        built_upon = self.results()
        del built_upon["parameters"]
        return self.opened(), *dict.fromkeys(built_upon.values())

    def parts(self) -> tuple[Job, ...]:
        return (self.parameters(),)

    def results(self) -> Results:
        found: Results = {"parameters": self.parameters()}
        if self.start is not None:
            found["start"] = DecodeState(self.submission, *self.start)
        found["instead"] = DecodeState(self.submission, *self.instead_of)
        for place, step in enumerate(self.steps):
            contexts = contexts_step(step, self.submission)
            if contexts is not None:
                found[f"contexts.{place}"] = DecodeState(self.submission, *contexts)
        return found

    def request(self, results: Mapping[str, str]) -> Request:
        steps = (
            _part(f"step.{place}", self.submission.sample(sample), part)
            for place, (sample, part) in enumerate(self.steps)
        )
        return MisapplicationRequest(results=results, steps=tuple(steps))

    def named_parts(self) -> Iterator[tuple[str, object]]:
        for place, (sample, part) in enumerate(self.steps):
            yield f"step.{place}", (self.submission.sample(sample), part)


@dataclass(frozen=True, slots=True)
class Access(_OfSample, Measuring[AccessResult]):
    """Single tensors of a sample, or of one of its layers."""

    part: int | None = None

    kind = "access"
    stage = "decode"
    owner = "ACCESS-RANDOM-001"
    Result = AccessResult

    @property
    def subject(self) -> str:
        return self.sample if self.part is None else f"{self.sample}#{self.part}"

    def needs(self) -> tuple[Job, ...]:
        return (Decode(self.submission, self.sample),)

    def request(self, results: Mapping[str, str]) -> Request:
        if self.part is None:
            return PartRequest(part=_whole(self.compressed))
        return PartRequest(part=_part("sample", self.compressed, self.part))

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield "sample", self.compressed if self.part is None else (self.compressed, self.part)


@dataclass(frozen=True, slots=True)
class _OnVectors(_OfModel):
    vectors: str

    @property
    def subject(self) -> str:
        return f"{self.model}@{self.vectors}"

    @property
    def set(self) -> VectorSet:
        """The vector set."""
        return self.submission.vector_set(self.vectors)

    def opened(self) -> OpenModel:
        return OpenModel(self.submission, self.model)

    def own_run(self) -> Run:
        return Run(self.submission, self.model, self.vectors)

    def read(self) -> ReadVectors:
        return ReadVectors(self.submission, self.model, self.vectors)

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield "vectors", self.set


@dataclass(frozen=True, slots=True)
class ReadVectors(_OnVectors):
    """Read a vector set: names and items of its arrays, and which items are identical."""

    kind = "vectors"

    def results(self) -> Results:
        return {"model": self.opened()}

    def request(self, results: Mapping[str, str]) -> Request:
        vectors = _vectors("vectors", self.set, "inputs", "targets", "outputs")
        return VectorsRequest(results=results, vectors=vectors, inputs=self.original.inputs)


@dataclass(frozen=True, slots=True)
class Run(_OnVectors):
    """Run the original on a vector set, as it is or with other parameters."""

    change: Change = "none"

    kind = "run"
    stage = "run"

    @property
    def subject(self) -> str:
        changed = "" if self.change == "none" else f" {self.change}"
        return f"{self.model}@{self.vectors}{changed}"

    def parts(self) -> tuple[Job, ...]:
        return (self.read(),)

    def results(self) -> Results:
        return {"vectors": self.read()} if self.change == "none" else {}

    def request(self, results: Mapping[str, str]) -> Request:
        return RunRequest(
            results=results,
            network=_network("model", self.original),
            vectors=_vectors("vectors", self.set, "inputs"),
            change=self.change,
            probed=self.change == "none",
        )

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield "model", self.original
        yield "vectors", self.set


@dataclass(frozen=True, slots=True)
class _Measured(_OnVectors):
    def metrics(self) -> tuple[Metric, ...]:
        """Return what is measured, in an order that follows from what it is."""
        found = self.submission.metrics_on(self.vectors, self.original)
        return tuple(sorted(found, key=lambda metric: _written(_metric(metric))))

    def reference(self) -> Results:
        """Return the run of the original, if a metric compares with its outputs."""
        compared = any(metric.against == "original" for metric in self.metrics())
        return {"reference": self.own_run()} if compared else {}

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield "vectors", self.set
        yield from self._named_metrics()

    def _named_metrics(self) -> Iterator[tuple[str, object]]:
        for place, metric in enumerate(self.metrics()):
            yield f"metric.{place}", metric.id

    def specs(self) -> tuple[MetricSpec, ...]:
        return tuple(map(_metric, self.metrics()))


@dataclass(frozen=True, slots=True)
class MeasureOriginal(_Measured):
    """The metrics of the original on a vector set."""

    kind = "measure"

    def parts(self) -> tuple[Job, ...]:
        return self.read(), self.own_run()

    def results(self) -> Results:
        return {"run": self.own_run(), **self.reference()}

    def request(self, results: Mapping[str, str]) -> Request:
        vectors = _vectors("vectors", self.set, "targets")
        return MeasureRequest(results=results, vectors=vectors, metrics=self.specs())


@dataclass(frozen=True, slots=True)
class Original(_Measured, Measuring[OriginalResult]):
    """The original on a vector set: its outputs beside those that are declared, its metrics."""

    kind = "original"
    owner = "MODEL-RUN-001"
    Result = OriginalResult

    def measured(self) -> MeasureOriginal:
        return MeasureOriginal(self.submission, self.model, self.vectors)

    def needs(self) -> tuple[Job, ...]:
        return (self.opened(),)

    def parts(self) -> tuple[Job, ...]:
        return self.read(), self.own_run(), self.measured()

    def results(self) -> Results:
        return {
            "model": self.opened(),
            "vectors": self.read(),
            "run": self.own_run(),
            "measured": self.measured(),
        }

    def request(self, results: Mapping[str, str]) -> Request:
        return OriginalRequest(
            results=results,
            vectors=_vectors("vectors", self.set, "outputs"),
            metrics=self.specs(),
            output_tolerance=self.set.output_tolerance,
            outputs=self.original.outputs,
        )


@dataclass(frozen=True, slots=True)
class Control(_Measured, Measuring[ControlResult]):
    """The metrics of networks that have lost what the original has learned."""

    kind = "control"
    owner = "METRIC-CONTROL-001"
    Result = ControlResult
    takes_failures = True

    def runs(self) -> dict[str, Job]:
        """Return the run of each control; one that cannot be run is an answer as well."""
        return {
            change: Run(self.submission, self.model, self.vectors, change) for change in CONTROLS
        }

    def needs(self) -> tuple[Job, ...]:
        return (Original(self.submission, self.model, self.vectors),)

    def parts(self) -> tuple[Job, ...]:
        return tuple(self.runs().values())

    def results(self) -> Results:
        return {**self.runs(), **self.reference()}

    def request(self, results: Mapping[str, str]) -> Request:
        vectors = _vectors("vectors", self.set, "targets")
        return MeasureRequest(results=results, vectors=vectors, metrics=self.specs())


@dataclass(frozen=True, slots=True)
class Agreement(_Measured, Measuring[AgreementResult]):
    """The outputs of the original beside those of the same network in another format."""

    other_model: str
    other_vectors: str

    kind = "agreement"
    owner = "MODEL-AGREEMENT-001"
    Result = AgreementResult

    def other(self) -> Original:
        return Original(self.submission, self.other_model, self.other_vectors)

    def metrics(self) -> tuple[Metric, ...]:
        """Return those that compare with the original's outputs."""
        every = _Measured.metrics(self)
        return tuple(metric for metric in every if metric.against == "original")

    def needs(self) -> tuple[Job, ...]:
        return Original(self.submission, self.model, self.vectors), self.other()

    def results(self) -> Results:
        return {
            "model": self.opened(),
            "run": self.own_run(),
            "other-model": self.other().opened(),
            "other-run": self.other().own_run(),
        }

    def request(self, results: Mapping[str, str]) -> Request:
        equal, other = self.set.equivalent_to, self.other().set
        if equal is None:
            raise ValueError(f"{self.name}: the vectors are said to equal no others")
        return AgreementRequest(
            results=results,
            vectors=_vectors("vectors", self.set, "inputs", "targets"),
            other_vectors=_vectors("other", other, "inputs"),
            metrics=self.specs(),
            output_tolerance=self.set.output_tolerance,
            inputs=equal.inputs,
            outputs=equal.outputs,
        )

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield from _Measured.named_parts(self)
        yield "other", self.other().set
        yield "other-model", self.other_model


@dataclass(frozen=True, slots=True)
class RunSample(_OnVectors):
    """Run the network that a sample is, or whose parameters it holds, on a vector set.

    ``part`` is the layer that it ends with. With ``swapped``, the original is run with those
    parameters of the sample alone, and nothing is kept.
    """

    sample: str
    part: int | None = None
    swapped: tuple[str, ...] | None = None

    kind = "run"
    stage = "run"

    @property
    def passing(self) -> bool:
        return self.swapped is not None

    @property
    def compressed(self) -> Sample:
        """The sample."""
        return self.submission.sample(self.sample)

    @property
    def subject(self) -> str:
        part = "" if self.part is None else f"#{self.part}"
        return f"{self.sample}{part}@{self.vectors}"

    @property
    def format(self) -> str:
        return self.compressed.codec if is_network(self.compressed) else self.original.format

    def tensors(self) -> DecodeTensors:
        return DecodeTensors(self.submission, self.sample)

    def state(self) -> DecodeState | None:
        """Return the state whose parameters are run, if the sample consists of states."""
        sample = self.compressed
        if not (sample.is_derived or sample.layers):
            return None
        last = len(sample.parts) - 1 if self.part is None else self.part
        return DecodeState(self.submission, self.sample, last)

    def parts(self) -> tuple[Job, ...]:
        plain = self.state() is None and not is_network(self.compressed)
        return (self.tensors(),) if plain else ()

    def results(self) -> Results:
        state = self.state()
        if state is not None:
            return {"state": state}
        return {} if is_network(self.compressed) else {"tensors": self.tensors()}

    def request(self, results: Mapping[str, str]) -> Request:
        sample = self.compressed
        return RunRequest(
            results=results,
            network=_network("sample", sample)
            if is_network(sample)
            else _network("model", self.original),
            vectors=_vectors("vectors", self.set, "inputs"),
            part=_whole(sample, files=False) if "tensors" in results else None,
            swapped=self.swapped,
        )

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield "vectors", self.set
        if is_network(self.compressed):
            yield "sample", self.compressed
        else:
            yield "model", self.original
            yield "sample", _Unread(self.compressed)


@dataclass(frozen=True, slots=True)
class Reconstruction(_Measured, Measuring[ReconstructionResult]):
    """The metrics of a sample on a vector set, beside the original's."""

    sample: str
    part: int | None = None

    kind = "reconstruction"
    owner = "SAMPLE-RUN-001"
    Result = ReconstructionResult

    @property
    def subject(self) -> str:
        return self.run().subject

    def run(self) -> RunSample:
        return RunSample(self.submission, self.model, self.vectors, self.sample, self.part)

    def measured(self) -> MeasureOriginal:
        return MeasureOriginal(self.submission, self.model, self.vectors)

    def needs(self) -> tuple[Job, ...]:
        state = self.run().state()
        decoded: tuple[Job, ...] = ()
        if self.part is None:
            decoded = (Decode(self.submission, self.sample),)
        original = Original(self.submission, self.model, self.vectors)
        return original, *decoded, *([state] if state is not None else [])

    def parts(self) -> tuple[Job, ...]:
        return (self.run(),)

    def results(self) -> Results:
        return {
            "run": self.run(),
            "measured": self.measured(),
            "vectors": self.read(),
            **self.reference(),
        }

    def _level(self, metric: Metric) -> float:
        """Return the level of a metric's interval: as asked for, else 0.95."""
        level = metric.tolerance.confidence or 0.95
        for use in self.submission.sample(self.sample).metrics:
            if (use.vectors, use.metric) == (self.vectors, metric.id):
                level = use.tolerance.confidence or level
        return level

    def request(self, results: Mapping[str, str]) -> Request:
        return ReconstructionRequest(
            results=results,
            vectors=_vectors("vectors", self.set, "targets"),
            metrics=self.specs(),
            levels=tuple(map(self._level, self.metrics())),
        )


@dataclass(frozen=True, slots=True)
class Swapped(_Measured, Measuring[MeasureResult]):
    """The metrics of the original with some parameters of a sample."""

    sample: str
    swapped: tuple[str, ...]

    kind = "swapped"
    owner = "SAMPLE-RUN-001"
    Result = MeasureResult

    @property
    def passing(self) -> bool:
        return True

    @property
    def asks(self) -> str:
        return "measure"

    @property
    def subject(self) -> str:
        return f"{self.sample}@{self.vectors} {_written(list(self.swapped))}"

    def run(self) -> RunSample:
        where = self.submission, self.model, self.vectors, self.sample
        return RunSample(*where, swapped=self.swapped)

    def needs(self) -> tuple[Job, ...]:
        original = Original(self.submission, self.model, self.vectors)
        state = self.run().state()
        decoded = Decode(self.submission, self.sample)
        return original, decoded, *([state] if state is not None else [])

    def parts(self) -> tuple[Job, ...]:
        return (self.run(),)

    def results(self) -> Results:
        return {"run": self.run(), **self.reference()}

    def request(self, results: Mapping[str, str]) -> Request:
        vectors = _vectors("vectors", self.set, "targets")
        return MeasureRequest(results=results, vectors=vectors, metrics=self.specs())


@dataclass(frozen=True, slots=True)
class TimeSample(_OnVectors, Measuring[TimingResult]):
    """Time a sample that is a network, and the original, in turn."""

    sample: str

    kind = "compressed-run"
    stage = "run"
    owner = "INFERENCE-COMPRESSED-001"
    Result = TimingResult

    @property
    def subject(self) -> str:
        return f"{self.sample}@{self.vectors}"

    @property
    def compressed(self) -> Sample:
        """The sample."""
        return self.submission.sample(self.sample)

    def needs(self) -> tuple[Job, ...]:
        return (Reconstruction(self.submission, self.model, self.vectors, self.sample),)

    def request(self, results: Mapping[str, str]) -> Request:
        return TimingRequest(
            results=results,
            original=_network("model", self.original),
            sample=_network("sample", self.compressed),
            vectors=_vectors("vectors", self.set, "inputs"),
        )

    def named_parts(self) -> Iterator[tuple[str, object]]:
        yield "model", self.original
        yield "sample", self.compressed
        yield "vectors", self.set


def is_network(sample: Sample) -> bool:
    """Return whether a sample is a network that runs as it is, by what its codec says."""
    return CODECS.kind(sample.codec) == "network"


def last_step(sample: Sample) -> Step:
    """Return the step at which ``sample`` is complete."""
    return sample.id, len(sample.parts) - 1


def parent_step(step: Step, submission: Submission) -> Step | None:
    """Return the state that a step is applied to; None is the original, or nothing at all."""
    name, part = step
    if part:
        return name, part - 1
    update = submission.sample(name).update_of
    if update is None or update.sample is None:
        return None
    return last_step(submission.sample(update.sample))


def contexts_step(step: Step, submission: Submission) -> Step | None:
    """Return the state whose decoder memory a step carries on, if that is not its parent's."""
    update = submission.sample(step[0]).update_of
    if step[1] or update is None or update.contexts_of is None:
        return None
    return last_step(submission.sample(update.contexts_of))


# --- What requests hold of a submission


@dataclass(frozen=True, slots=True)
class _Unread:
    """A sample that a request names, and none of whose files it reads."""

    sample: Sample


def _network(role: str, value: Model | Sample) -> NetworkSpec:
    files = _refs(role, value.files)
    if isinstance(value, Model):
        return NetworkSpec(role, value.format, files)
    return NetworkSpec(role, value.codec, files, value.codec, value.codec_params)


def _whole(sample: Sample, *, files: bool = True) -> PartSpec:
    part = Part(sample.files, (), "whole", sample.codec_params, sample.name_map)
    return _spec("sample", sample, part, files=files)


def _part(role: str, sample: Sample, place: int) -> PartSpec:
    return _spec(role, sample, sample.parts[place])


def _spec(role: str, sample: Sample, part: Part, *, files: bool = True) -> PartSpec:
    return PartSpec(
        role=role,
        codec=sample.codec,
        files=_refs(role, part.files) if files else (),
        params=part.params,
        units=part.units,
        withheld=part.withheld,
        mode=part.mode,
        name_map=part.name_map,
        dtype=sample.dtype,
        owner="layer" if sample.layers else "update" if sample.is_derived else "sample",
    )


def _vectors(
    role: str, vectors: VectorSet, *sides: Literal["inputs", "targets", "outputs"]
) -> VectorsSpec:
    shards = (
        ShardSpec(
            items=shard.items,
            **{
                side: tuple(
                    _ref(f"{role}.{side}.{index}.{place}", _suffix(file), file)
                    for place, file in enumerate(getattr(shard, side))
                )
                for side in sides
            },
        )
        for index, shard in enumerate(vectors.shards)
    )
    return VectorsSpec(vectors.batched, tuple(shards))


def _metric(metric: Metric) -> MetricSpec:
    return MetricSpec(metric.kind, metric.args, metric.bindings, metric.against)


def _written(value: object) -> str:
    return json.dumps(untyped(value), sort_keys=True)


def _refs(role: str, files: Sequence[File]) -> tuple[FileRef, ...]:
    """Return files that are read together; several are named as they lie to each other."""
    if len(files) == 1:
        return (_ref(f"{role}.0", _suffix(files[0]), files[0]),)
    paths = [file.rel_filepath for file in files]
    folder = os.path.commonpath([PurePosixPath(path).parent for path in paths]) if paths else ""
    return tuple(
        _ref(f"{role}.{place}", os.path.relpath(file.rel_filepath, folder), file)
        for place, file in enumerate(files)
    )


def _ref(role: str, name: str, file: File) -> FileRef:
    return FileRef(role, name, file.size, file.sha256)


def _suffix(file: File) -> str:
    """Return the last two suffixes: ``.safetensors.zst``."""
    return "".join(PurePosixPath(file.rel_filepath).suffixes[-2:])


def _files_of(role: str, value: object) -> dict[str, File]:
    if isinstance(value, VectorSet):
        return {
            f"{role}.{side}.{index}.{place}": file
            for index, shard in enumerate(value.shards)
            for side in ("inputs", "targets", "outputs")
            for place, file in enumerate(getattr(shard, side))
        }
    if isinstance(value, tuple):
        sample, place = value
        value = sample.parts[place]
    if isinstance(value, Model | Sample | Part):
        return {f"{role}.{place}": file for place, file in enumerate(value.files)}
    return {}


def _names_of(role: str, value: object, submission: Submission) -> dict[str, str]:
    """Return the names of a value that a request names: its id, its place, its files."""
    found = {f"file.{name}": file.rel_filepath for name, file in _files_of(role, value).items()}
    if isinstance(value, str):
        return {f"id.{role}": value}
    if isinstance(value, Model | VectorSet):
        section = "models" if isinstance(value, Model) else "vectors"
        listed: Sequence[object] = getattr(submission, section)
        return found | {f"id.{role}": value.id, f"at.{role}": f"/{section}/{listed.index(value)}"}
    part: int | None = None
    if isinstance(value, tuple):
        value, part = value
    sample = value.sample if isinstance(value, _Unread) else value
    if not isinstance(sample, Sample):
        raise TypeError(f"requests name nothing like {value!r}")
    pointer = f"/samples/{submission.place_of(sample)}"
    own = sample.layers and part is not None and sample.parts[part].name_map != sample.name_map
    return found | {
        f"id.{role}": sample.id if part is None else f"{sample.id}#{part}",
        f"at.{role}": pointer,
        f"map.{role}": f"{pointer}/layers/{part}/name_map" if own else f"{pointer}/name_map",
    }
