"""Weights from their parts, on request: local scaling applied, decompositions multiplied out.

Both follow what NNCodec 2.1.3 does on the level of the model, outside the bitstream: scalings
multiply along the first dimension, and ``W = G . H`` takes the shape of the unit. The product is a
matrix product of floating-point values: its last bits depend on the library that computes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from math import prod
from typing import Any

import numpy as np

from conformance.nnc.errors import NncMalformedError
from conformance.nnc.options import Options
from conformance.nnc.planning import NduPlan, Role, TensorPlan

Tensors = MutableMapping[str, Any]
"""Arrays by name."""


def reconstruct(plans: Sequence[NduPlan], tensors: Tensors, options: Options) -> None:
    """Replace the parts in ``tensors`` by what they make up, as ``options`` ask.

    Where a name repeats, its last tensor counts.
    """
    latest = {tensor.name: tensor for plan in plans for tensor in plan.tensors}
    parts = [
        (plan, {part.role: part for part in plan.tensors if latest[part.name] is part})
        for plan in plans
    ]
    if options.apply_local_scaling:
        for plan, roles in parts:
            apply_local_scaling(plan, roles, tensors)
    if options.multiply_decomposition:
        for plan, left, right in decompositions(parts):
            multiply_decomposition(plan, left, right, tensors)


def apply_local_scaling(plan: NduPlan, roles: Mapping[Role, TensorPlan], tensors: Tensors) -> None:
    """Multiply the weight of a block, or G, by its local scaling in place; drop the scaling."""
    scaling, target = roles.get("local-scaling"), roles.get("G") or roles.get("weight")
    if scaling is None or target is None:
        return
    weight, factors = tensors[target.name], tensors.pop(scaling.name)
    if weight.shape[:1] != factors.shape:
        raise NncMalformedError(
            f"The local scaling does not fit {target.name!r}",
            position=plan.unit.at("g_number_of_rows"),
            expected=f"{weight.shape[0]} factors, one for each row",
            found=str(factors.size),
            fix="give G as many rows as the weight, or decode without apply_local_scaling",
        )
    weight *= factors.reshape(-1, *(1,) * (weight.ndim - 1))


def decompositions(
    parts: Sequence[tuple[NduPlan, Mapping[Role, TensorPlan]]],
) -> Iterator[tuple[NduPlan, TensorPlan, TensorPlan]]:
    """Yield each G with its H: of the same block, or of another unit by its name."""
    single = {
        roles["H"].name.removesuffix("_H"): roles["H"]
        for plan, roles in parts
        if "H" in roles and plan.payload_type == "FLOAT"
    }
    for plan, roles in parts:
        left = roles.get("G")
        if left is not None:
            right = roles.get("H") or single.get(left.name.removesuffix("_G"))
            if right is not None:
                yield plan, left, right


def multiply_decomposition(
    plan: NduPlan, left: TensorPlan, right: TensorPlan, tensors: Tensors
) -> None:
    """Replace G and H by their product, under the name of G without its suffix."""
    name = left.name.removesuffix("_G")
    columns = prod(plan.dimensions) // left.shape[0]
    fitting = (left.shape[1], columns)
    taken = name in tensors and name not in {left.name, right.name}
    if right.shape != fitting or taken:
        raise NncMalformedError(
            f"{left.name!r} and {right.name!r} have no product {name!r}",
            position=plan.unit.at("decomposition_rank"),
            expected=f"{right.name!r} of shape {fitting}, and no other tensor {name!r}",
            found=f"shape {right.shape}{', and the name is taken' if taken else ''}",
            fix="write both factors of one weight, or decode without multiply_decomposition",
        )
    product = np.dot(tensors.pop(left.name), tensors.pop(right.name))
    tensors[name] = product.reshape(plan.dimensions)
