"""Rules that a decoder enforces: what it raised becomes a breach."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.nnc.errors import NncError, NncLimitError, NncUnsupportedError
from conformance.nnc.inspection.rules.rule import Breach, RuleContext, rule


@rule(
    "NNC-READ-001",
    "Every syntax element can be read",
    "The headers cannot be read any further; nothing after the place is known.",
    fix="write the unit as its syntax says",
)
def can_be_read(context: RuleContext) -> Iterator[Breach]:
    """Find where reading ended."""
    error = context.examination.syntax_error
    if error is not None and _is_malformed(error):
        yield Breach.of(error)


@rule(
    "NNC-READ-002",
    "Every payload decodes to the tensors that its header states",
    "The tensor and all later ones cannot be decoded: the payload is damaged, the header does not "
    "belong to it, or the stream follows the rules of NNCodec 1.0 (--dialect nncodec-1.0).",
    fix="encode the stream again",
)
def can_be_decoded(context: RuleContext) -> Iterator[Breach]:
    """Find where planning or decoding ended."""
    error = context.examination.payload_error
    if error is not None and _is_malformed(error):
        yield Breach.of(error)


@rule(
    "NNC-READ-003",
    "The stream needs no more memory and work than its size and the limits allow",
    "Dimensions or counts do not fit the size of the stream, or a tensor is larger than the "
    "limit of this decoder.",
    fix="write the true dimensions; raise the limit if the stream is trusted",
)
def stays_within_limits(context: RuleContext) -> Iterator[Breach]:
    """Find where a limit ended reading or decoding."""
    for error in _errors(context):
        if isinstance(error, NncLimitError):
            yield Breach.of(error)


@rule(
    "NNC-READ-004",
    "Everything in the stream is known to this decoder",
    "The stream may be right: what follows the place could not be checked, and the exit code is 3.",
    fix="check the stream with a decoder that knows what it uses",
    severity="warning",
)
def is_known(context: RuleContext) -> Iterator[Breach]:
    """Find what this decoder has no rule for."""
    for error in _errors(context):
        if isinstance(error, NncUnsupportedError):
            yield Breach.of(error)


def _errors(context: RuleContext) -> Iterator[NncError]:
    for error in (context.examination.syntax_error, context.examination.payload_error):
        if error is not None:
            yield error


def _is_malformed(error: NncError) -> bool:
    return not isinstance(error, NncLimitError | NncUnsupportedError)


RULES = (can_be_read, can_be_decoded, stays_within_limits, is_known)
