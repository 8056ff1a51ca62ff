"""Whether a stream can hold what its headers declare, checked before anything is allocated.

A context-coded bin narrows the range of the arithmetic decoder by at least 2, and the range lies
between 256 and 510: at most 127 bins fit into a bit. Every level costs at least one bin, except in
rows that a flag skips (one bin for the row), and with a codebook of one entry (nothing at all).
What is beyond the bins of its payload counts towards
:attr:`~conformance.nnc.options.Limits.free_bytes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import prod

import numpy as np

from conformance.nnc.errors import NncLimitError, NncMalformedError
from conformance.nnc.options import Options
from conformance.nnc.planning import NduPlan, TensorPlan

BINS_PER_BYTE = 127 * 8


def check_sizes(plans: Sequence[NduPlan], options: Options) -> None:
    """Refuse a stream whose tensors are larger than the limit, or than their payloads can hold."""
    limit = options.limits.decoded_bytes
    for plan, total in zip(plans, accumulate(declared_bytes(plans, options)), strict=True):
        if total > limit:
            raise NncLimitError(
                "The tensors of the stream are larger than the limit",
                position=plan.unit.at("tensor_dimensions"),
                expected=f"at most {limit} bytes in all (Limits.decoded_bytes)",
                found=f"{total} bytes up to and with {named(plan)}",
                fix="raise the limit if the stream is trusted",
            )
    for plan in plans:
        check_payload(plan)
    check_free(plans, options.limits.free_bytes)


def check_free(plans: Sequence[NduPlan], limit: int) -> None:
    """Refuse a stream with more values than ``limit`` bytes that its payloads do not pay for."""
    for plan, total in zip(plans, accumulate(map(free_bytes, plans)), strict=True):
        if total > limit:
            raise NncLimitError(
                "The stream has more values that cost no bits than the limit allows",
                position=plan.unit.at("tensor_dimensions"),
                expected=f"at most {limit} bytes of them in all (Limits.free_bytes)",
                found=f"{total} bytes up to and with {named(plan)}, beyond {BINS_PER_BYTE} "
                "values for each byte of a payload",
                fix="raise the limit if the stream is trusted",
            )


def free_bytes(plan: NduPlan) -> int:
    """Return the bytes of the unit's values beyond what its payload could pay for bin by bin."""
    if not plan.coded:
        return 0
    paid = plan.unit.payload_size * BINS_PER_BYTE
    width = max(np.dtype(tensor.dtype).itemsize for tensor in plan.tensors)
    return max(0, sum(tensor.size for tensor in plan.tensors) - paid) * width


def declared_bytes(plans: Sequence[NduPlan], options: Options) -> Iterator[int]:
    """Yield the bytes that the results of each unit take.

    A dimension of 0 counts as 1: NumPy refuses what would be too large without it.
    """
    for plan in plans:
        total = sum(storage(tensor.shape, tensor.dtype) for tensor in plan.tensors)
        if options.multiply_decomposition and any(part.role == "G" for part in plan.tensors):
            total += storage(plan.dimensions, plan.tensors[-1].dtype)
        yield total


def storage(shape: Sequence[int], dtype: str) -> int:
    """Return the bytes of an array."""
    return prod(max(1, dimension) for dimension in shape) * np.dtype(dtype).itemsize


def check_payload(plan: NduPlan) -> None:
    """Refuse a payload too short for its tensors, and a raw one that is not of their size."""
    size = plan.unit.payload_size
    if not plan.coded:
        check_raw_size(plan, size)
        return
    least = sum(least_bins(tensor, plan) for tensor in plan.tensors)
    if least > size * BINS_PER_BYTE:
        raise NncLimitError(
            f"{named(plan)} cannot fit into the payload",
            position=plan.unit.at("tensor_dimensions"),
            expected=f"at most {size * BINS_PER_BYTE} coded levels or rows in {size} bytes",
            found=f"at least {least}",
            fix="write the dimensions of the tensor that the payload holds",
        )


def check_raw_size(plan: NduPlan, size: int) -> None:
    """Refuse a raw payload that has not the size of its tensor."""
    (tensor,) = plan.tensors
    expected = tensor.size * 4
    if size != expected:
        raise NncMalformedError(
            f"The raw values of {tensor.name!r} do not have the size that its dimensions say",
            position=plan.unit.at("tensor_dimensions"),
            expected=f"{expected} bytes for {tensor.shape} float32",
            found=f"{size} bytes",
            fix="write the dimensions and all values of the same tensor",
        )


def least_bins(tensor: TensorPlan, plan: NduPlan) -> int:
    """Return how many bins the tensor takes at the very least."""
    height, width = tensor.matrix
    if plan.active.profile != 1:
        return tensor.size
    if tensor.codebook is not None and len(tensor.codebook.entries) == 1:
        return 0
    return height if height > 1 and width > 1 else tensor.size


def named(plan: NduPlan) -> str:
    """Return the name of the unit's first tensor, quoted."""
    return repr(plan.tensors[0].name)
