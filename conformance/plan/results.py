"""What the jobs that checks look at have measured: one class for the result of each kind.

A worker answers in JSON, which is stored as it is; :func:`result_from_json` makes a value of it::

    result_from_json(DecodeResult, {"tensors": {}, "features": [], ...})

Fields with a default may be left out of the JSON: they stand for what a kind of sample has not.
Sizes are in bytes, times in seconds, shapes in elements, one number for each axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar, final

from conformance.plan.requests import typed, untyped
from conformance.submission.values import Port
from conformance.verdicts import ConformanceError, Json, JsonNumber, Location, error_from_json

Better: TypeAlias = Literal["higher", "lower"]
"""The direction in which the values of a kind of metric improve."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a job has measured."""

    @property
    def obstacle(self) -> str:
        """Why nothing can be built upon it, in words; empty if something can."""
        return ""

    def to_json(self) -> dict[str, Json]:
        """Return a JSON object with every field."""
        return {each.name: _written(getattr(self, each.name)) for each in fields(self)}


def _written(value: Any) -> Json:
    """Return what a job has measured as JSON: by its own ``to_json`` what has one."""
    if hasattr(value, "to_json"):
        return value.to_json()
    if is_dataclass(value):
        return {each.name: _written(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {name: _written(each) for name, each in value.items()}
    return [_written(each) for each in value] if isinstance(value, list | tuple) else value


R = TypeVar("R", bound=Result)
Row = TypeVar("Row")


def result_from_json(kind: type[R], data: Json) -> R:
    """Return the result that a worker has answered; ValueError if it is anything else."""
    return typed(data, kind, defaults=True)


# --- Metrics


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A value of a metric, in its own unit, over ``items`` items.

    ``counted`` has what was really counted, by noun, and ``least`` the least numbers by which a
    value can be judged. ``details`` are free.
    """

    value: JsonNumber
    items: int
    details: Mapping[str, Json]
    counted: Mapping[str, int]
    least: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OriginalRow(MetricRow):
    """A value of a metric on the original; ``better`` is the direction of the metric's kind."""

    better: Better


@dataclass(frozen=True, slots=True)
class MeasuredInterval:
    """A confidence interval of the sample's value less the original's, in units of the metric.

    ``level`` is from 0 to 1. ``distinct_items`` of the ``items`` differ. ``p_value``, ``gained``
    and ``lost`` are None but for metrics of right and wrong items: the exact McNemar test, and the
    items that only the sample, or only the original, has right.
    """

    level: float
    low: JsonNumber
    high: JsonNumber
    method: str
    items: int
    distinct_items: int
    p_value: float | None
    gained: int | None
    lost: int | None


@dataclass(frozen=True, slots=True)
class MissingInterval:
    """Why there is no interval; None of ``items_needed`` if no number of items would give one."""

    reason: str
    items: int
    distinct_items: int
    items_needed: int | None


@dataclass(frozen=True, slots=True)
class ReconstructedRow(MetricRow):
    """A value of a metric on a sample, next to ``reference``, the original's.

    ``interval`` is None where there is none; then ``no_interval`` says why, or is None for metrics
    that are not a function of sums over items.
    """

    reference: JsonNumber
    interval: MeasuredInterval | None
    no_interval: MissingInterval | None


@dataclass(frozen=True, slots=True)
class ControlValue:
    """The value of a metric on a control, in the metric's own unit."""

    value: JsonNumber


@final
class Outcome(Generic[Row]):
    """What came of a metric: its row, or the error in its place, which is None if there is a row.

    In JSON it is the row, or an object with ``error``.
    """

    __slots__ = ("_row", "error")

    def __init__(self, row: Row | None, error: ConformanceError | None = None) -> None:
        self._row = row
        self.error = error

    @property
    def row(self) -> Row:
        """The row; raises a copy of the error if there is none."""
        if self.error is not None:
            raise error_from_json(self.error.to_json())
        if self._row is None:
            raise ValueError("neither a row nor an error")
        return self._row

    def to_json(self) -> dict[str, Json]:
        """Return the row, or ``error``, as JSON."""
        made: dict[str, Json] = (
            _written(self._row) if self.error is None else {"error": self.error.to_json()}
        )
        return made

    @classmethod
    def from_json(cls, data: Json, kind: type[Row]) -> Outcome[Row]:
        """Build from JSON, with a row of class ``kind``; ValueError if it is anything else."""
        if isinstance(data, dict) and data.keys() == {"error"}:
            return cls(None, error_from_json(data["error"]))
        return cls(typed(data, kind, defaults=True))


# --- Originals


@dataclass(frozen=True, slots=True)
class VectorsResult(Result):
    """How many items of a vector set differ, and the outputs that it declares."""

    distinct_items: int
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Elements of a network's stored tensors; ``unused`` are those no output depends on."""

    parameters: int
    scalars: int
    topology: int
    unused: int

    @property
    def stored(self) -> int:
        """All of them."""
        return self.parameters + self.scalars + self.topology + self.unused


@dataclass(frozen=True, slots=True)
class UnreadPiece:
    """Bytes of a file that nothing reads; ``fix`` may be empty."""

    file: str
    piece: str
    bytes: int
    fix: str


@dataclass(frozen=True, slots=True)
class Unread:
    """All bytes that nothing reads: their sum, the number of pieces, and the largest of these."""

    bytes: int
    count: int
    largest: tuple[UnreadPiece, ...]


@dataclass(frozen=True, slots=True)
class ModelResult(Result):
    """What an original is, as its runtime opened it.

    ``topology_bytes`` are those of masks and index tables; ``used_parameter_bytes`` those of
    parameters that an output depends on. ``unused_fix`` says how to remove the others, empty if
    that is plain. ``foreign_classes`` are what the library of the format lacks. ``unreplaceable``
    is why samples cannot replace what was learned, None if they can.
    """

    format: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    counts: Counts
    parameter_bytes: int
    topology_bytes: int
    used_parameter_bytes: int
    unused_parameters: tuple[str, ...]
    unused_fix: str
    unused_files: tuple[str, ...]
    unread: Unread
    foreign_classes: tuple[str, ...]
    versions: Mapping[str, str]
    settings: Mapping[str, Json]
    unreplaceable: ConformanceError | None


@dataclass(frozen=True, slots=True)
class NetworkResult(ModelResult):
    """What a sample is that is a network; ``features`` are the tools that its codec found.

    Those that are ``implied`` may be declared, and need not be.
    """

    features: tuple[str, ...]
    implied: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ParametersResult(Result):
    """Why samples cannot replace the kept parameters of an original; None if they can."""

    unreplaceable: ConformanceError | None


@dataclass(frozen=True, slots=True)
class Overflow:
    """A value, finite in float32, that becomes infinite in ``type``: float16 or bfloat16.

    ``tensor`` is what ``operator`` writes at ``place`` in the graph. ``item`` is the first one that
    shows it, None if only the items of a batch together do.
    """

    tensor: str
    operator: str
    place: str
    type: Literal["float16", "bfloat16"]
    item: int | None
    value: float


@dataclass(frozen=True, slots=True)
class HalfPrecision:
    """What a watch saw in ``tensors`` of 16 bits; ``unreached`` are parts it could not see."""

    tensors: int
    items: int
    overflows: tuple[Overflow, ...]
    unreached: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunConditions(Result):
    """How a network was run on ``items`` items, and what was seen of it.

    ``batch_size`` is in items, None if each shard was one run. ``settings`` are the runtime's.
    ``half`` is None if the library computes in the types that the file says.
    """

    items: int
    batch_size: int | None
    settings: Mapping[str, Json]
    half: HalfPrecision | None


@dataclass(frozen=True, slots=True)
class RunResult(RunConditions):
    """A network that was run, whose outputs are kept; ``casts`` are by the name of an input."""

    casts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UnchangedResult(Result):
    """Parameters of which no permutation changes anything: the network was not run."""

    items: None = None


@dataclass(frozen=True, slots=True)
class OutputRow:
    """An output next to the one it is compared with; differences are absolute.

    ``violations`` of its ``values`` differ by more than is allowed. ``scale`` is the largest finite
    magnitude of the other; ``worst`` the index of ``max_abs`` in ``file``, empty without values.
    """

    file: str
    values: int
    violations: int
    max_abs: JsonNumber
    scale: float
    worst: str


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """The greatest difference of each output from that of another implementation, on some items.

    ``not_asked`` says why it was not asked; then the others are None.
    """

    not_asked: str | None = None
    items: int | None = None
    outputs: Mapping[str, JsonNumber] | None = None

    def to_json(self) -> dict[str, Json]:
        """Return what is known, as a worker writes it."""
        return {name: value for name, value in untyped(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class IneffectiveTensor:
    """A parameter that changes no output, and its bytes."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Effect:
    """Parameters that were changed, to see whether an output changes.

    ``tried_bytes`` of ``bytes`` were tried in ``runs`` runs on ``items`` items.
    """

    items: int
    runs: int
    tried_bytes: int
    bytes: int
    without_effect: tuple[IneffectiveTensor, ...]


@dataclass(frozen=True, slots=True)
class ProbedRunResult(RunResult):
    """The original, run; ``reached`` are outputs that its parameters change, and no one declares.

    ``effect`` is None where there was no shard to look at.
    """

    second_opinion: SecondOpinion | None
    reached: tuple[str, ...]
    effect: Effect | None


@dataclass(frozen=True, slots=True)
class OriginalResult(RunConditions):
    """The original on a vector set; outputs are by name, metrics by id.

    ``second_opinion`` is None without a second implementation. ``widest_atol`` is the largest
    absolute tolerance that says something, None for outputs that are compared by equality.
    ``undeclared`` are outputs that must be declared, with the metrics that read them.
    """

    distinct_items: int
    second_opinion: SecondOpinion | None
    outputs: Mapping[str, OutputRow]
    widest_atol: Mapping[str, float | None]
    undeclared: Mapping[str, tuple[str, ...]]
    effect: Effect
    metrics: Mapping[str, Outcome[OriginalRow]]


@dataclass(frozen=True, slots=True)
class ControlRow:
    """A metric on networks that lost what was learned; none was ``shuffled`` if nothing changes."""

    zeros: Outcome[ControlValue]
    shuffled: tuple[Outcome[ControlValue], ...]


@dataclass(frozen=True, slots=True)
class ControlResult(Result):
    """Every metric, by id, on the controls, which ran on ``items`` items."""

    items: int
    metrics: Mapping[str, ControlRow]


@dataclass(frozen=True, slots=True)
class AgreementResult(Result):
    """The outputs of an original, by name, next to those of the same network in another format.

    ``metrics``, by id, are those that compare with the original's outputs: here those there.
    """

    items: int
    outputs: Mapping[str, OutputRow]
    metrics: Mapping[str, Outcome[MetricRow]]


# --- Samples


@dataclass(frozen=True, slots=True)
class TensorProblem:
    """What is wrong with a tensor of a sample; ``file`` is the sample's, or the metadata."""

    tensor: str
    file: str
    message: str
    expected: str
    found: str
    fix: str


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """NumPy type, shape and digest of a tensor; ``non_finite`` values the original has not.

    What is ``optional`` is not a parameter, and its digest need not be claimed; that of a
    ``scalar`` is worth it.
    """

    dtype: str
    shape: tuple[int, ...]
    sha256: str
    non_finite: int
    optional: bool = False
    scalar: bool = False

    def to_json(self) -> dict[str, Json]:
        """Return every field; of the two marks those that are set."""
        return {name: each for name, each in untyped(self).items() if each is not False}


@dataclass(frozen=True, slots=True)
class Difference:
    """A tensor that is not the original's, bit by bit: type, shape and digest of both."""

    tensor: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Lossless:
    """How many tensors of a lossless sample were compared, and which of them differ.

    ``error`` is why they cannot be compared, None if they can. Of a lossy sample none is compared.
    """

    tensors: int = 0
    differences: tuple[Difference, ...] = ()
    error: ConformanceError | None = None

    def to_json(self) -> dict[str, Json]:
        """Return what was compared, or why nothing was; nothing of a lossy sample."""
        if self.error is not None:
            return {"error": self.error.to_json()}
        made: dict[str, Json] = untyped(self) if self.tensors else {}
        return {name: each for name, each in made.items() if name != "error"}


@dataclass(frozen=True, slots=True)
class ParameterError:
    """The error of a parameter of ``values`` values, in its own unit; all in float64.

    ``relative_error`` is the root of the quotient of the sums of squares of error and original.
    Errors, and the exact zeros, are None for another shape and for strings; ``bits_per_parameter``
    is None where the codec does not say what a tensor was decoded from.
    """

    values: int
    max_abs_error: JsonNumber | None
    rms_error: JsonNumber | None
    relative_error: JsonNumber | None
    zeros: int | None
    zeros_in_original: int | None
    bits_per_parameter: float | None


@dataclass(frozen=True, slots=True)
class UnlikeParameter:
    """A parameter whose correlation with the original's is no more than ``shuffled`` values'."""

    tensor: str
    correlation: float
    shuffled: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """How many parameters were compared with the original's, and which of them are unlike."""

    compared: int
    unlike: tuple[UnlikeParameter, ...]


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule of its format that a bitstream breaks, or what is unusual; ``command`` shows it."""

    rule: str
    text: str
    is_warning: bool
    message: str
    where: Location
    expected: str
    found: str
    fix: str
    command: str

    def to_json(self) -> dict[str, Json]:
        """Return every field; of ``where`` those that are known."""
        return {**untyped(self), "where": self.where.to_json()}


@dataclass(frozen=True, slots=True)
class StreamInspection:
    """What a bitstream claims of its network, and the rules it breaks.

    ``unlisted`` counts violations and warnings that are too many to be listed.
    """

    claims: Mapping[str, Json]
    violations: tuple[BrokenRule, ...]
    warnings: tuple[BrokenRule, ...]
    unlisted: int


@dataclass(frozen=True, slots=True)
class TensorsResult(Result):
    """What the decoder of a part has found, apart from the tensors.

    ``stored_bits`` are those that each tensor was decoded from. ``stream`` is None for parts that
    are not a bitstream.
    """

    features: tuple[str, ...]
    stored_bits: Mapping[str, int]
    stream: StreamInspection | None


_NOT_USABLE = "tensors that are missing, of another shape or type, or not finite"


@dataclass(frozen=True, slots=True)
class DecodeResult(Result):
    """What a sample decodes to, next to the parameters of the original.

    ``tensors`` are by the sample's names, ``fitted`` and ``parameters`` by the model's. ``fitted``
    is None for a sample that is a network of its own, and empty where nothing is compared with it;
    ``parameters`` is empty for such a network and for lossless samples. ``coverage`` is what keeps
    the tensors from replacing all parameters. ``stream`` is None for samples that are not a
    bitstream. ``implied_features`` may be declared, and need not be. A network can be reconstructed
    from what is ``usable``.
    """

    coverage: tuple[TensorProblem, ...]
    fitted: Mapping[str, TensorFacts] | None
    lossless: Lossless
    parameters: Mapping[str, ParameterError]
    likeness: Likeness
    stream: StreamInspection | None
    tensors: Mapping[str, TensorFacts]
    features: tuple[str, ...]
    usable: bool
    implied_features: tuple[str, ...] = ()

    @property
    def obstacle(self) -> str:
        """Why no network can be reconstructed from it; empty if one can."""
        return "" if self.usable else _NOT_USABLE


@dataclass(frozen=True, slots=True)
class ReconstructionResult(RunConditions):
    """A sample, or a layer of it, on a vector set; metrics are by id.

    ``casts`` are inputs that were given in another type: ``"float32 -> float16"`` by name.
    """

    casts: Mapping[str, str]
    metrics: Mapping[str, Outcome[ReconstructedRow]]


@dataclass(frozen=True, slots=True)
class MeasureResult(Result):
    """Every metric, by id, on one run; ``readers`` are, by output, the metrics that read it."""

    metrics: Mapping[str, Outcome[OriginalRow]]
    readers: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, lowest and highest of several rounds."""

    median: int | float
    low: int | float
    high: int | float


@dataclass(frozen=True, slots=True)
class Timing:
    """What a form of a network took; bytes above what was resident before, 0 if unknown."""

    seconds: Spread
    peak_bytes: Spread


@dataclass(frozen=True, slots=True)
class TimingResult(Result):
    """A sample that is a network, and the original, timed in turn on ``items`` items."""

    items: int
    rounds: int
    original: Timing
    compressed: Timing


@dataclass(frozen=True, slots=True)
class AccessedTensor:
    """A tensor that was decoded alone, and the bytes that it is stored in and that were read.

    ``sha256`` is its digest then, None if that was another each time; ``whole_sha256`` its digest
    among all.
    """

    tensor: str
    stored_bytes: int
    bytes_read: int
    sha256: str | None
    whole_sha256: str


@dataclass(frozen=True, slots=True)
class AccessResult(Result):
    """Some of ``count`` tensors, decoded alone; all together are stored in ``payload_bytes``."""

    file_bytes: int
    payload_bytes: int
    count: int
    tensors: tuple[AccessedTensor, ...]


# --- Chains and layers


@dataclass(frozen=True, slots=True)
class WrongParent:
    """A place that names a different parent; ``tensor`` is None if it speaks of all of them."""

    tensor: str | None
    message: str
    where: Location
    expected: str
    found: str
    fix: str


@dataclass(frozen=True, slots=True)
class ParentIdentity:
    """What a bitstream says of its parent.

    Of ``places`` that could name one, ``named`` do, by how: ``node``, ``sha256``, ``sha512``.
    """

    places: int = 0
    named: Mapping[str, int] = field(default_factory=dict)
    wrong: tuple[WrongParent, ...] = ()


@dataclass(frozen=True, slots=True)
class StateResult(Result):
    """What a part of a sample leaves; tensors are by the model's names.

    ``held`` tensors stand in its ``size`` bytes; the file has ``units`` units, 0 without any.
    ``digest`` is that of all parameters, None if nothing can be built upon the state. The rest is
    of an update or a layer, and has its default for a whole network or a merge: ``changed`` are
    the tensors that it holds; ``differing`` counts those with other numbers than before, None where
    nothing was before; ``altered`` are tensors of the base that decoding changed.
    """

    size: int
    units: int
    held: int
    features: tuple[str, ...]
    stream: StreamInspection | None
    coverage: tuple[TensorProblem, ...]
    tensors: Mapping[str, TensorFacts]
    digest: str | None
    usable: bool
    identity: ParentIdentity = field(default_factory=ParentIdentity)
    parent: str | None = None
    changed: tuple[str, ...] = ()
    differing: int | None = None
    base_tensors: int = 0
    altered: tuple[str, ...] = ()

    @property
    def obstacle(self) -> str:
        """Why nothing can be built upon the state; empty if something can."""
        if self.usable:
            return ""
        wrong = self.identity.wrong
        return "a different parent than the one that it names" if wrong else _NOT_USABLE


@dataclass(frozen=True, slots=True)
class LayeringResult(Result):
    """All layers decoded in one process, next to what each subset gave by itself.

    ``differing`` are layers with other tensors than alone, ``altered`` tensors of the base that
    later layers changed. ``behind`` says whether the base stays the same with all that follows
    overwritten, None where it has files of its own. ``tensors`` are counted in the base, ``size``
    in all layers; ``units`` are those of the bitstream, 0 without any.
    """

    layers: int
    tensors: int
    differing: tuple[str, ...]
    altered: tuple[str, ...]
    behind: bool | None
    size: int
    units: int


@dataclass(frozen=True, slots=True)
class MisapplicationResult(Result):
    """What noticed a misapplied update: ``detected_by`` is None if no bitstream did.

    Then ``same_tensors`` says whether the outcome is the right one all the same; else it is None,
    and the rest says at which step, and what.
    """

    detected_by: Literal["parent", "digest", "structure"] | None
    same_tensors: bool | None
    step: str = ""
    message: str = ""
    expected: str = ""
    found: str = ""
