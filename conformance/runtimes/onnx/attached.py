"""Whether a replacement reaches every parameter of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.sites import Loose
from conformance.verdicts import Location, UnsupportedError

_FEWEST_ALLOWED = 16
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Kept:
    """What a replacement leaves as it is.

    Topology constants and loose values are parameters only if they are too many; ``stuck`` are
    tensors that hold parameters and cannot be asked for.
    """

    constants: Sequence[TensorRecord]
    loose: Sequence[Loose]
    stuck: Sequence[TensorRecord]


def check_replaceable(kept: Kept, parameters: int, file: str) -> None:
    """Refuse a model of which a replacement would leave parameters of the original in place.

    That is one with a tensor that holds parameters but cannot be asked for, and one that stores
    more values in all, of whatever type, than a graph needs for shapes, axes and scalars: weights
    can be hidden as integers, texts, or in many small pieces. ``parameters`` are the elements of
    those that the network uses: any number of others could be stored to be allowed more.
    """
    if kept.stuck:
        counts = [(record.element, record.elements) for record in kept.stuck]
        raise _unreachable(
            counts,
            file,
            "parameters that a sample can bring, and no nearly empty sparse tensors",
        )
    counts = [(record.element, _values(record)) for record in kept.constants]
    counts += [(values.element, values.count) for values in kept.loose]
    allowed = max(_FEWEST_ALLOWED, min(parameters // 10, 4096 + parameters // 1000))
    if sum(count for _, count in counts) > allowed:
        largest = sorted(counts, key=lambda count: -count[1])
        raise _unreachable(largest, file, f"at most {allowed} values outside the parameters")


def _values(record: TensorRecord) -> int:
    return max(record.text_bytes, record.elements)


def _unreachable(counts: Iterable[tuple[str, int]], file: str, expected: str) -> UnsupportedError:
    found = [f"{element} ({count} elements)" for element, count in counts if count]
    more = [f"and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else []
    return UnsupportedError(
        "the model stores parameters where a sample's cannot take their place",
        where=Location(file=file, element=found[0].rpartition(" (")[0]),
        expected=expected,
        found="; ".join([*found[:_MOST_SHOWN], *more]),
        mend=(
            "Export the model with its parameters as initializers of the main graph, or submit "
            "the sample as a whole ONNX model."
        ),
    )
