"""Sparse tensors: where the values that a file stores belong in the dense tensor.

A sparse tensor is stored level by level, its dimensions in ``traversal_order`` and then those of
its blocks. A level is dense, or lists for each entry of the level before it which places there are
(``array_segments`` and ``array_indices``). Native code follows all of that without looking, so it
is checked here.
"""

from __future__ import annotations

import math
from typing import NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from conformance.runtimes.tflite.flatbuffer import Reader, Table
from conformance.runtimes.tflite.model import Tensor
from conformance.verdicts import LimitError, Location

Positions: TypeAlias = npt.NDArray[np.int64]

_MOST_ELEMENTS = 1 << 24
_DENSE, _LISTED = 0, 1


def sparse_positions(reader: Reader, tensor: Tensor, sparsity: Table) -> Positions:
    """Return the flat position in the dense tensor of each stored value, in their order.

    Raises MalformedError if the lists contradict one another or the shape, LimitError for a tensor
    of more than 2^24 elements.
    """
    if tensor.elements > _MOST_ELEMENTS:
        raise LimitError(
            "a sparse tensor is too large",
            where=Location(file=reader.file, element=f"{tensor.element} {tensor.name}"),
            expected=f"at most {_MOST_ELEMENTS} elements",
            found=f"{tensor.elements} elements",
            fix="Convert the model without sparsity.",
        )
    return _Levels(reader, tensor, sparsity).positions()


class _Levels:
    def __init__(self, reader: Reader, tensor: Tensor, sparsity: Table) -> None:
        self._reader = reader
        self._tensor = tensor
        self._sparsity = sparsity
        self._order = reader.integers(sparsity, "traversal_order") or ()
        self._blocks = reader.integers(sparsity, "block_map") or ()
        self._levels = sparsity.tables("dim_metadata")

    def positions(self) -> Positions:
        found = np.zeros(1, np.int64)
        for (size, stride), level in zip(self._sizes(), self._levels, strict=True):
            if level.number("format") == _DENSE:
                if level.number("dense_size") != size or _has_lists(level):
                    self._refuse(
                        level, f"dense_size {size}, no lists", str(level.number("dense_size"))
                    )
                steps = np.arange(size, dtype=np.int64) * stride
                found = (found[:, np.newaxis] + steps).reshape(-1)
            else:
                counts, places = self._listed(level, len(found), size)
                found = np.repeat(found, counts) + places * stride
        return found

    def _sizes(self) -> list[tuple[int, int]]:
        """Return the size of each level, and how far apart its entries are in the dense tensor."""
        shape = self._tensor.shape
        rank, blocks = len(shape), len(self._blocks)
        fits = (
            len(self._order) == len(self._levels) == rank + blocks
            and sorted(self._order[:rank]) == list(range(rank))
            and sorted(self._order[rank:]) == list(range(rank, rank + blocks))
            and len(set(self._blocks)) == blocks
            and all(0 <= dim < rank for dim in self._blocks)
        )
        if not fits:
            self._refuse(
                self._sparsity,
                f"an order of {rank} dimensions and then of blocks, and a level for each",
                f"order {list(self._order[:20])}, blocks {list(self._blocks[:20])}, "
                f"{len(self._levels)} levels",
            )
        strides = [math.prod(shape[dim + 1 :]) for dim in range(rank)]
        block_of = {dim: place for place, dim in enumerate(self._blocks)}
        of_blocks = {
            place: self._levels[self._order.index(rank + place)].number("dense_size")
            for place in range(blocks)
        }
        sizes: list[tuple[int, int]] = []
        for dim in self._order[:rank]:
            block = of_blocks[block_of[dim]] if dim in block_of else 1
            if block < 1 or shape[dim] % block:
                self._refuse(self._sparsity, f"blocks that divide {shape[dim]}", str(block))
            sizes.append((shape[dim] // block, strides[dim] * block))
        places = (each - rank for each in self._order[rank:])
        return [*sizes, *((of_blocks[each], strides[self._blocks[each]]) for each in places)]

    def _listed(self, level: Table, entries: int, size: int) -> tuple[Positions, Positions]:
        """Return for each entry how many places it has, and all places, of a level with lists."""
        if level.number("format") != _LISTED:
            self._refuse(level, "a dense or a sparse level", str(level.number("format")))
        segments, places = (
            self._numbers(level, "array_segments"),
            self._numbers(level, "array_indices"),
        )
        counts = np.diff(segments)
        if (
            len(segments) != entries + 1
            or segments[0] != 0
            or segments[-1] != len(places)
            or counts.min(initial=0) < 0
        ):
            self._refuse(
                level,
                f"{entries} segments from 0 to {len(places)}, none before the last",
                f"{len(segments) - 1} segments",
            )
        rising = np.diff(places) > 0
        rising[segments[1:-1][(segments[1:-1] > 0) & (segments[1:-1] < len(places))] - 1] = True
        if not rising.all() or places.min(initial=0) < 0 or places.max(initial=-1) >= size:
            self._refuse(level, f"rising places from 0 to {size - 1}", "others")
        return counts, places

    def _numbers(self, level: Table, name: str) -> Positions:
        table = level.table(name)
        numbers = self._reader.integers(table, "values") if table is not None else None
        if not numbers and name == "array_segments":
            self._refuse(level, name, "none")
        return np.array(numbers or (), np.int64)

    def _refuse(self, table: Table, expected: str, found: str) -> NoReturn:
        raise self._reader.malformed(
            f"the sparse tensor {self._tensor.name!r} contradicts itself",
            *(table.position, f"{table.element}", expected, found),
        )


def _has_lists(level: Table) -> bool:
    return any(level.table(name) is not None for name in ("array_segments", "array_indices"))
