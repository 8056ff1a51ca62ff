"""What a codec is: it turns the files of a sample into tensors, or into a runnable model.

Samples of some codecs may build on one another: update chains and layers. A step is one
bitstream, decoded with what the steps before it left. What it gives are the tensors it
holds: a whole network at the root, differences in an update. To add them is not the codec's
business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol, Self, TypeAlias, final, runtime_checkable

from conformance.tensorfiles import Array
from conformance.verdicts import Json, Location, MalformedError, Problem


@dataclass(frozen=True, slots=True)
class Source:
    """The files of a sample, and what the submission says about decoding them.

    ``display`` names each file as reports should, ``params`` are the codec's parameters, and the
    decoded tensors together may take ``limit_bytes``. ``units`` are ranges (first, last) of NNR
    units, if not the whole of the file is meant; those of ``withheld`` cannot be used then.
    """

    files: tuple[Path, ...]
    display: tuple[str, ...]
    params: Mapping[str, Json]
    limit_bytes: int
    units: tuple[tuple[int, int], ...] = ()
    withheld: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleViolation(Problem):
    """A rule of the format that a sample breaks, though it can be decoded.

    ``rule`` is the id of the rule and ``text`` what it demands; ``command`` shows the place. A
    warning is about what is unusual, not wrong.
    """

    rule: str
    text: str
    is_warning: bool
    command: str

    def to_json(self) -> dict[str, Json]:
        """Return a JSON object with every field."""
        return {
            "rule": self.rule,
            "text": self.text,
            "is_warning": self.is_warning,
            **Problem.to_json(self),
            "command": self.command,
        }


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the file itself says and breaks, in addition to its tensors.

    ``claims`` are what the file says about the network it holds, as JSON.
    """

    claims: Mapping[str, Json]
    violations: tuple[RuleViolation, ...]


@final
class DecodedTensors(Mapping[str, Array]):
    """The tensors of a sample by name, each decoded when it is asked for and not kept.

    ``features`` are the tools found in the bytes, sorted. ``stored_bits`` says how many bits of
    the payload each tensor was decoded from; bits that tensors share count for each, and
    ``shared_bits`` are those that are counted again. ``inspect`` is None for files that claim
    nothing and whose every rule the decoder enforces.
    """

    def __init__(
        self,
        decoders: Mapping[str, Callable[[], Array]],
        *,
        features: tuple[str, ...],
        stored_bits: Mapping[str, int],
        close: Callable[[], None],
        inspect: Callable[[], Inspection] | None = None,
        shared_bits: int = 0,
    ) -> None:
        self.features = features
        self.stored_bits = stored_bits
        self.inspect = inspect
        self.shared_bits = shared_bits
        self._decoders = dict(decoders)
        self._close = close

    def __getitem__(self, name: str) -> Array:
        return self._decoders[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoders)

    def __len__(self) -> int:
        return len(self._decoders)

    def __contains__(self, name: object) -> bool:
        return name in self._decoders

    def close(self) -> None:
        """Let go of the files; it holds no tensors afterwards."""
        self._decoders.clear()
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class DecodedModel:
    """A sample that is itself a runnable model of ``format``; ``files[0]`` is the one to open.

    ``features`` are the tools found; those in ``implied`` follow from them, are true as well, and
    need not be declared.
    """

    format: str
    files: tuple[Path, ...]
    display: tuple[str, ...]
    features: tuple[str, ...]
    implied: tuple[str, ...] = ()


Decoded: TypeAlias = DecodedTensors | DecodedModel


class Codec(Protocol):
    """A way of decoding samples; ``codec_id`` is the name submissions give it.

    The entry point group that it is registered in says what its samples are
    (:data:`conformance.registry.CODECS`).
    """

    codec_id: ClassVar[str]

    def decode(self, source: Source) -> Decoded:
        """Decode a sample: to a model if it is registered as a codec of networks, else to tensors.

        Errors are :class:`~conformance.verdicts.ConformanceError`.
        """
        ...


@runtime_checkable
class RandomAccess(Protocol):
    """What a codec of tensors has as well if it decodes one of them without reading the others."""

    def decode_one(self, source: Source, name: str) -> DecodedTensors:
        """Decode the tensor ``name`` alone; its stored bits are what was decoded for it.

        Files are read, not mapped: the operating system counts what is read. A KeyError says that
        the sample has no such tensor; other errors are as those of decoding all.
        """
        ...


# --- Chains


@dataclass(frozen=True, slots=True)
class Memory:
    """What decoding a step leaves for the next: plain data that can be kept in files.

    ``arrays`` hold numbers (references, histories). ``nodes`` are JSON by name of a tensor: a list,
    which is longer where branches were merged, and empty where a codec without nodes has changed
    the tensor.
    """

    arrays: Mapping[str, Array] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)
    nodes: Mapping[str, list[Json]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Base:
    """What a step is decoded upon.

    ``digest`` is the :func:`~conformance.tensorfiles.network_digest` of the parent's parameters,
    ``shapes`` are those of its tensors under the names that the sample has for them. The
    arrays and facts of ``memory`` are those of the decoder state that is carried on, its nodes
    those of the parent.
    """

    digest: str
    shapes: Mapping[str, tuple[int, ...]]
    memory: Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongParent(Problem):
    """A place in a file that names a different parent than the one the step must be applied to.

    ``tensor`` is None if it speaks of all of them.
    """

    tensor: str | None
    message: str = "it names a different parent"
    fix: str = "apply it to the parent that it names"

    def to_json(self) -> dict[str, Json]:
        """Return a JSON object with every field."""
        return {"tensor": self.tensor, **Problem.to_json(self)}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a step says about its parent.

    ``places`` counts the places in the file that could name one (units, or the file as a whole),
    ``named`` those that do, by how: ``node``, ``sha256``, ``sha512``. ``wrong`` is not empty if
    the parent is not the one that is named; then nothing was decoded.
    """

    places: int
    named: Mapping[str, int]
    wrong: Sequence[WrongParent] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A decoded step: its tensors, what the next step needs, and what it says of its parent.

    ``size`` are the bytes of the files or units it consists of, ``units`` how many units the
    whole file has, 0 for files without units.
    """

    tensors: DecodedTensors
    memory: Memory
    identity: Identity
    size: int
    units: int = 0


@runtime_checkable
class ChainCodec(Protocol):
    """A codec whose bitstreams may be differences to what was decoded before."""

    def decode_step(self, source: Source, base: Base | None) -> Step:
        """Decode one bitstream upon ``base``; without one it stands for a whole network.

        The parent is verified before anything is decoded. Errors are
        :class:`~conformance.verdicts.ConformanceError`.
        """
        ...


def no_network(where: Location) -> MalformedError:
    """Return the error that what should be a whole network names a parent."""
    return MalformedError(
        "the file holds differences to a parent that it names, and no network",
        where=where,
        expected="a file without a parent, or a sample that says what it is an update of",
        found="the name of a parent",
        fix="Declare update_of for the sample, or write the parameters themselves.",
    )


def nothing_decoded() -> DecodedTensors:
    """Return what stands for the tensors of a step that is not to be applied."""
    return DecodedTensors({}, features=(), stored_bits={}, close=lambda: None)
