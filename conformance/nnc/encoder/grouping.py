"""Which tensors make up which unit: alone, in a block, or as a piece of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.encoder.headers import ROLE_FLAGS
from conformance.nnc.encoder.members import UnitCoding
from conformance.nnc.encoder.settings import Block, EncoderSettings, LayerParameters
from conformance.nnc.tensors import MATRICES, PayloadType, Role

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Group:
    """The tensors of one unit. ``name`` is the tensor that ids and settings go by."""

    name: str
    members: Mapping[Role, str]
    payload_type: PayloadType
    dimensions: tuple[int, ...] | None = None
    block_types: int = 0
    matrix: bool = True


def groups(tensors: Tensors, settings: EncoderSettings) -> Iterator[Group]:
    """Yield the groups in the order of their first tensors."""
    blocks = {name: block for block in settings.blocks for name in block.members.values()}
    written: set[str] = set()
    for name, array in tensors.items():
        if name in written:
            continue
        block = blocks.get(name)
        if block is None:
            yield single_group(name, array, settings)
            continue
        yield from block_groups(block, tensors)
        written |= set(block.members.values())


def single_group(name: str, array: NDArray[Any], settings: EncoderSettings) -> Group:
    """Return the group of a tensor of its own."""
    payload_type: PayloadType = "FLOAT"
    if name in settings.quantisation.raw:
        payload_type = "RAW_FLOAT"
    elif not np.issubdtype(array.dtype, np.floating):
        payload_type = "INT"
    return Group(name, {"tensor": name}, payload_type, matrix=is_matrix(array.shape))


def block_groups(block: Block, tensors: Tensors) -> Iterator[Group]:
    """Yield the group of a block, or those of its pieces."""
    members, dimensions = block.members, block_dimensions(block, tensors)
    first: Role = "weight" if "weight" in members else "G"
    if not block.piecewise:
        matrix = any(is_matrix(tensors[members[role]].shape) for role in MATRICES & set(members))
        yield Group(members[first], members, "BLOCK", dimensions, matrix=matrix)
        return
    types = 0
    for role in members:
        types |= ROLE_FLAGS.get(role, 0)
    for role, name in members.items():
        factor = role in {"G", "H"}
        if factor and not name.endswith(f"_{role}"):
            raise ValueError(f"a {role} in a unit of its own has a name that ends in _{role}")
        shape = dimensions if factor else tensors[name].shape
        piece: Role = role if factor else "tensor"
        matrix = is_matrix(tensors[name].shape)
        yield Group(name, {piece: name}, "FLOAT", shape, types, matrix)


def block_dimensions(block: Block, tensors: Tensors) -> tuple[int, ...]:
    """Return the dimensions of a block's weight."""
    members = block.members
    if block.shape is not None:
        return block.shape
    if "weight" in members:
        return tensors[members["weight"]].shape
    if not {"G", "H"} <= set(members):
        raise ValueError("a block has a weight, or both G and H")
    return (tensors[members["G"]].shape[0], tensors[members["H"]].shape[1])


def is_matrix(shape: tuple[int, ...]) -> bool:
    """Whether a scan order can apply: two rows and columns or more."""
    return len(shape) > 1 and shape[0] > 1 and prod(shape[1:]) > 1


def unit_coding(group: Group, layer: LayerParameters, settings: EncoderSettings) -> UnitCoding:
    """Return what the tensors of a group share."""
    return UnitCoding(
        group.payload_type,
        profile=settings.profile,
        dialect=settings.interpretation.dialect,
        qp_density=layer.qp_density,
        base_qp=layer.quantization_parameter,
        dependent=settings.quantisation.trellis and group.payload_type != "INT",
        unary_length=settings.levels.unary_length,
        scan_order=settings.levels.scan_order if group.matrix else 0,
        parent=settings.update is not None,
        dimensions=group.dimensions,
        block_types=group.block_types,
    )
