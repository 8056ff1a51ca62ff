"""A case: one piece of work for the worker, and the key its evidence is stored under."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from conformance.registry import CODECS, METRICS, RUNTIMES
from conformance.submission.values import File, Metric, Model, Sample, Submission, VectorSet
from conformance.verdicts import Json

Kind: TypeAlias = Literal[
    "model",
    "original",
    "control",
    "agreement",
    "decode",
    "reconstruction",
    "mixture",
    "compressed-run",
    "access",
    "state",
    "layering",
    "mutation",
]
"""``model``: open the original; ``original``: run it on one vector set; ``control``: run it there
with parameters that say nothing; ``agreement``: compare its
outputs with those of the same network in another format; ``decode``: decode a sample;
``reconstruction``: run the decoded sample on one vector set; ``mixture``: run the original with
some parameters of the sample; ``state``: the parameters after one part of a sample that others
build upon; ``layering``: all layers of a sample at one go; ``mutation``: bitstreams of a chain as
they should not be applied; ``compressed-run``: time a sample that is a network, and the original,
on one vector set; ``access``: decode single tensors of a sample."""

SHUFFLES = (1, 2, 3)
"""Seeds of the shuffled networks that a control runs, after the one of zeros."""

Step: TypeAlias = tuple[str, int]
"""A part of a sample: the sample's id, and the part's place in it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One piece of work: what to do, on which model, sample and vector set of a submission.

    ``other_model`` and ``other_vectors`` are the same network and vectors in another format,
    ``swapped`` the parameters that a mixture takes from the sample. ``part`` is the place of a
    state in its sample, or the layer that a reconstruction ends with. A mutation applies
    ``steps`` one after the other to the state ``start`` (None is the original) and is compared
    with the state ``instead_of``.
    """

    kind: Kind
    model: str
    sample: str | None = None
    vectors: str | None = None
    other_model: str | None = None
    other_vectors: str | None = None
    swapped: tuple[str, ...] = ()
    part: int | None = None
    mutation: str | None = None
    start: Step | None = None
    steps: tuple[Step, ...] = ()
    instead_of: Step | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Case:
        """Build from the object that :func:`dataclasses.asdict` gave and JSON carried."""
        steps = {
            name: tuple(data[name]) if data[name] is not None else None
            for name in ("start", "instead_of")
        }
        return cls(
            **{
                **data,
                **steps,
                "swapped": tuple(data["swapped"]),
                "steps": tuple((sample, part) for sample, part in data["steps"]),
            }
        )

    @property
    def name(self) -> str:
        """A readable name, unique in its submission: ``decode int8-qdq``."""
        subject = self.sample or self.model
        part = f"#{self.part}" if self.part is not None else ""
        mutated = f" {self.mutation}" if self.mutation is not None else ""
        on = f"@{self.vectors}" if self.vectors else ""
        return f"{self.kind} {subject}{part}{mutated}{on}"

    @property
    def networks(self) -> int:
        """How many networks the case runs on all vectors: it has the time of a case for each."""
        return 1 + len(SHUFFLES) if self.kind == "control" else 1

    @property
    def reference(self) -> Case | None:
        """The case whose evidence this one is compared with, or None."""
        if self.other_model is not None:
            return Case("original", self.other_model, vectors=self.other_vectors)
        return self.own

    @property
    def own(self) -> Case | None:
        """The case that ran the original on the same vectors, if its evidence is needed."""
        if self.kind not in ("control", "agreement", "reconstruction", "mixture"):
            return None
        return Case("original", self.model, vectors=self.vectors)


def files_of(case: Case, submission: Submission) -> tuple[File, ...]:
    """Return every submitted file that the result of ``case`` depends on."""
    files = list(submission.model(case.model).files)
    if case.other_model is not None:
        files += submission.model(case.other_model).files
    files += _sample_files(case, submission)
    for vectors in (case.vectors, case.other_vectors):
        if vectors is not None:
            for shard in submission.vector_set(vectors).shards:
                files += [*shard.inputs, *shard.targets, *shard.outputs]
    return tuple(files)


def _sample_files(case: Case, submission: Submission) -> tuple[File, ...]:
    """Return the files of samples that the worker reads itself; states stand for the others."""
    if case.kind == "mutation":
        parts = [submission.sample(name).parts[part] for name, part in case.steps]
        return tuple(file for part in parts for file in part.files)
    if case.sample is None:
        return ()
    sample = sample_of(case, submission)
    if case.kind == "state":
        return sample.parts[case.part or 0].files
    return sample.files


def keeps_outputs(vectors: VectorSet, metrics: Iterable[Metric], submission: Submission) -> bool:
    """Say whether a later case needs the outputs that the original gives on ``vectors``."""
    referred = {v.equivalent_to.vectors for v in submission.vectors if v.equivalent_to is not None}
    equivalent = vectors.equivalent_to is not None or vectors.id in referred
    return equivalent or any(metric.against == "original" for metric in metrics)


def sample_of(case: Case, submission: Submission) -> Sample:
    """Return the sample ``case`` is about."""
    if case.sample is None:
        raise ValueError(f"{case.name} is about no sample")
    return submission.sample(case.sample)


def evidence_key(
    case: Case,
    submission: Submission,
    *,
    limits: Mapping[str, Json],
    states: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return the SHA-256 of everything the result of ``case`` depends on.

    File contents enter by their verified digests, so that the same bytes under another name give
    another key only where the name matters to a runtime. ``states`` are the keys of the states that
    the case builds upon: what these depend upon enters by them, so that the key of the last step
    of a chain takes no longer than that of the first.
    """
    depends = {
        "case": asdict(case),
        "states": dict(states),
        "files": [asdict(file) for file in files_of(case, submission)],
        "declared": _declared(case, submission),
        "limits": dict(limits),
        "machine": machine(),
        "versions": dict(versions()),
        "source": source_digest(),
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def _declared(case: Case, submission: Submission) -> dict[str, Json]:
    """Return the declared parameters that enter the work of ``case``."""
    model = submission.model(case.model)
    declared = _declared_of(model)
    if case.sample is not None:
        sample = sample_of(case, submission)
        declared["sample"] = _declared_of_sample(sample)
        declared["compared"] = submission.is_compared(sample)
    declared["steps"] = [_declared_of_sample(submission.sample(name)) for name, _ in case.steps]
    if case.vectors is not None:
        vectors = submission.vector_set(case.vectors)
        declared["vectors"] = asdict(vectors)
        metrics = submission.metrics_on(vectors.id, model)
        if case.kind == "control":
            # What a bound is does not matter: who corrects one need not run the controls again.
            declared["metrics"] = [_measured_of(metric) for metric in metrics]
            return declared
        declared["metrics"] = [asdict(metric) for metric in metrics]
        declared["levels"] = confidence_levels(case, submission)
        declared["keeps_outputs"] = keeps_outputs(vectors, metrics, submission)
    if case.other_vectors is not None:
        other = submission.vector_set(case.other_vectors)
        declared["other"] = [asdict(other), _declared_of(submission.model(other.model))]
    return declared


def _measured_of(metric: Metric) -> dict[str, Json]:
    """Return what the values of a metric depend on."""
    names = ("id", "kind", "args", "bindings", "against")
    return {name: value for name, value in asdict(metric).items() if name in names}


def _declared_of(model: Model) -> dict[str, Json]:
    ports = [asdict(port) for port in (*model.inputs, *model.outputs)]
    return {"format": model.format, "ports": ports}


def _declared_of_sample(sample: Sample) -> dict[str, Json]:
    """Return what says how a sample is decoded; the files are those of the case."""
    return {
        "codec": sample.codec,
        "lossless": sample.lossless,
        "dtype": sample.dtype,
        "parts": [
            {
                "units": part.units,
                "mode": part.mode,
                "params": dict(part.params),
                "name_map": [asdict(entry) for entry in part.name_map],
            }
            for part in (sample.parts if sample.layers else sample.parts[:1])
        ],
        "update_of": asdict(sample.update_of) if sample.update_of is not None else None,
        "merge_of": [asdict(branch) for branch in sample.merge_of],
    }


def confidence_levels(case: Case, submission: Submission) -> dict[str, float]:
    """Return the level at which each metric's interval is computed: as asked for, else 0.95."""
    levels = {metric.id: metric.tolerance.confidence or 0.95 for metric in submission.metrics}
    if case.sample is not None:
        for use in sample_of(case, submission).metrics:
            if use.vectors == case.vectors and use.tolerance.confidence is not None:
                levels[use.metric] = use.tolerance.confidence
    return levels


@functools.cache
def versions() -> Mapping[str, str]:
    """Return the version of every installed distribution that can enter a result."""
    names = (
        *("nnr-conformance", "ml_dtypes", "numba", "numpy", "onnx", "onnxruntime", "pycocotools"),
        *("torch", "torchmetrics", "zstandard", "tensorflow-cpu", "keras", "h5py"),
        *("ai-edge-litert", "flatbuffers", "protobuf"),
        *("nnef", "nnef_tools"),
    )
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    for plugins in (CODECS, RUNTIMES, METRICS):
        found |= plugins.versions()
    return dict(sorted(found.items()))


@functools.cache
def source_digest() -> str:
    """Return the SHA-256 of this package's own source, so that an edit never meets old evidence."""
    package = Path(__file__).parents[1]
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        total.update(path.relative_to(package).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


@functools.cache
def machine() -> str:
    """Return architecture and CPU features: floating-point kernels are chosen by them."""
    flags = ""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = platform.processor()
    features = " ".join(sorted(flags.partition(":")[2].split()))
    digest = hashlib.sha256(features.encode()).hexdigest()[:16]
    return f"{platform.machine()}-{digest}"
