"""Whether two samples decode to the same tensors, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from conformance.plan.results import DecodeResult, TensorFacts
from conformance.submission.values import Sample
from conformance.verdicts import NotRunError

NONE = "no such tensor"


@dataclass(frozen=True, slots=True)
class Difference:
    """A parameter that differs, with type, shape and digest on both sides."""

    name: str
    expected: str
    found: str


def differing_tensors(
    ours: Sample, our_result: DecodeResult, theirs: Sample, their_result: DecodeResult
) -> Iterator[Difference]:
    """Yield every parameter that is not the same in both.

    Both are compared as parameters of the model. Raises :class:`NotRunError` for a sample that is
    a network of its own, whose tensors have names and types of their own.
    """
    one, other = _parameters(ours, our_result), _parameters(theirs, their_result)
    for name in sorted(one.keys() | other.keys()):
        found, expected = _text(one.get(name)), _text(other.get(name))
        if found != expected:
            yield Difference(name, expected, found)


def _parameters(sample: Sample, decoded: DecodeResult) -> Mapping[str, TensorFacts]:
    if decoded.fitted is None:
        raise NotRunError(
            f"sample {sample.id!r} is a network of its own",
            expected="two samples that decode to the parameters of one model",
            found=f"codec {sample.codec!r}",
            fix="name a sample of tensors in same_tensors_as",
        )
    return decoded.fitted


def _text(facts: TensorFacts | None) -> str:
    if facts is None:
        return NONE
    return f"{facts.dtype}{list(facts.shape)}, sha256 {facts.sha256}"
