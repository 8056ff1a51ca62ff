"""Codecs whose samples may build on one another: update chains and layers.

A step is one bitstream, decoded with what the steps before it left. What it gives are the
tensors it holds: a whole network at the root, differences in an update. To add them is not the
codec's task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from conformance.codecs._protocol import DecodedTensors, Source
from conformance.tensorfiles import Array
from conformance.verdicts import Json, Location, MalformedError


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


@dataclass(frozen=True, slots=True)
class WrongParent:
    """A place in a file that names a different parent than the one the step must be applied to."""

    tensor: str | None
    where: Location
    expected: str
    found: str

    def to_json(self) -> dict[str, Json]:
        """Return a JSON object with every field."""
        return {
            "tensor": self.tensor,
            "where": self.where.to_json(),
            "expected": self.expected,
            "found": self.found,
        }


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
