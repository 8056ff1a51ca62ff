"""Errors in a payload, told with their place in the file and what to do about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from conformance.nnc.cabac.errors import PayloadError
from conformance.nnc.errors import NncMalformedError
from conformance.nnc.places import in_payload
from conformance.nnc.tensors import NduPlan, TensorPlan

MEND = "make the stream anew: its payload is damaged, or was written under other rules"
OTHER_DIALECT = {
    "nncodec-2": "nncodec-1.0",
    "nncodec-1.0": "nncodec-2",
}


@contextmanager
def explained(plan: NduPlan, field: str) -> Iterator[None]:
    """Turn what the kernels say about a payload into an error of the stream."""
    try:
        yield
    except PayloadError as error:
        raise NncMalformedError(
            f"The payload of {plan.tensors[0].name!r} cannot be decoded",
            position=in_payload(plan.unit, error.bit, field),
            expected=f"levels and a terminating bin in {plan.unit.payload_size} bytes",
            found=error.reason,
            fix=mend_of(plan),
        ) from error


def mend_of(plan: NduPlan) -> str:
    """Return what to do; a stream of the first edition may be of the other dialect."""
    if plan.active.profile == 1:
        return MEND
    dialect = OTHER_DIALECT[plan.active.dialect]
    return (
        f'if the stream follows the dialect "{dialect}", which nothing in it tells, decode it '
        f'with Interpretation(dialect="{dialect}"); otherwise {MEND}'
    )


def length_error(plan: NduPlan, used: int) -> NncMalformedError:
    """Return the error of a codeword that ends before its unit does."""
    return NncMalformedError(
        f"Bytes follow the codeword of {plan.tensors[0].name!r}",
        position=in_payload(plan.unit, 8 * used, "the end of the payload"),
        expected=f"{used} bytes of payload, as the codeword takes",
        found=f"{plan.unit.payload_size} bytes",
        fix=mend_of(plan),
    )


def level_error(plan: NduPlan, tensor: TensorPlan, found: str) -> NncMalformedError:
    """Return the error of a level that no entry of the codebook stands for."""
    codebook = tensor.codebook
    least, most = (
        (-codebook.zero_offset, len(codebook.entries) - codebook.zero_offset - 1)
        if codebook
        else (0, 0)
    )
    return NncMalformedError(
        f"A level of {tensor.name!r} is outside its codebook",
        position=in_payload(plan.unit, 0, f"levels of {tensor.name!r}"),
        expected=f"levels from {least} to {most}",
        found=found,
        fix=mend_of(plan),
    )


def step_error(plan: NduPlan, tensor: TensorPlan, bit: int, qp: int) -> NncMalformedError:
    """Return the error of a quantization parameter without a finite step size."""
    return NncMalformedError(
        f"The step size of {tensor.name!r} is too large for a number",
        position=in_payload(plan.unit, bit, f"qp of {tensor.name!r}"),
        expected="a quantization parameter with a finite step size",
        found=f"{qp} at density {plan.active.qp_density}",
        fix="write a smaller quantization parameter",
    )
