"""Whether two samples decode to the same tensors, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from conformance.submission.values import Sample
from conformance.verdicts import Json, NotRunError

NONE = "no such tensor"


@dataclass(frozen=True, slots=True)
class Difference:
    """A parameter that differs, with type, shape and digest on both sides."""

    name: str
    expected: str
    found: str


def differing_tensors(
    ours: Sample, our_evidence: Mapping[str, Json], theirs: Sample, evidence: Mapping[str, Json]
) -> Iterator[Difference]:
    """Yield every parameter that is not the same in both; the evidence is that of decoding.

    Both are compared as parameters of the model. Raises :class:`NotRunError` for a sample that is
    a network of its own, whose tensors have names and types of their own.
    """
    one, other = _parameters(ours, our_evidence), _parameters(theirs, evidence)
    for name in sorted(one.keys() | other.keys()):
        found, expected = _text(one.get(name)), _text(other.get(name))
        if found != expected:
            yield Difference(name, expected, found)


def _parameters(sample: Sample, evidence: Mapping[str, Json]) -> Mapping[str, Json]:
    parameters: Mapping[str, Json] | None = evidence["fitted"]
    if parameters is None:
        raise NotRunError(
            f"sample {sample.id!r} is a network of its own",
            expected="two samples that decode to the parameters of one model",
            found=f"codec {sample.codec!r}",
            fix="name a sample of tensors in same_tensors_as",
        )
    return parameters


def _text(facts: Mapping[str, Json] | None) -> str:
    if facts is None:
        return NONE
    return f"{facts['dtype']}{facts['shape']}, sha256 {facts['sha256']}"
