"""Recipes of payloads that NNCodec does not write: raw floats, contexts, borders of tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from nnc_arrays import laplacian, steps
from nnc_build import Coding, Member, StreamBuilder, unmapped
from nnc_cases import FIRST, SECOND, Edition, Place
from nnc_own_blocks import BIAS, BOOK
from nnc_own_cases import OwnRecipe
from numpy.typing import NDArray

from conformance.nnc.encoder.payload import LevelTools
from conformance.nnc.quantization import Codebook

PARENT = {"node_id_present_flag": 1, "parent_node_id_present_flag": 1}
SIGNALLING = {"mps_parent_signalling_enabled_flag": 1}


def tool_recipes() -> Iterator[OwnRecipe]:
    """Yield the recipes."""
    yield from _raw_floats()
    yield from _codebooks()
    yield from _initialisations()
    yield from _scans()
    yield from _levels()
    yield from _dependent_limits()
    yield from _borders()
    yield from _update_contexts()


def _raw_floats() -> Iterator[OwnRecipe]:
    def raw(edition: Edition, values: NDArray[np.float32], **header: Any) -> StreamBuilder:
        builder = StreamBuilder(profile=int(edition == SECOND)).begin()
        builder.add_raw("w", values, **header)
        return builder

    for edition in (FIRST, SECOND):
        place = Place(edition, "raw-float", "matrix")
        yield OwnRecipe(place, "A matrix of float32", [raw(edition, laplacian(9, 11))], peer=True)
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4028235e38], np.float32)
    title = "NaN, infinities, -0, the smallest and the largest number"
    yield OwnRecipe(
        Place(SECOND, "raw-float", "special-values"), title, [raw(SECOND, odd)], peer=True
    )
    empty = raw(SECOND, np.zeros((0, 3), np.float32))
    yield OwnRecipe(Place(SECOND, "raw-float", "empty"), "No numbers", [empty], peer=True)
    cube = raw(SECOND, laplacian(2, 3, 4), tensor_dimensions_flag=0)
    options = {"dimensions": {"w": [2, 3, 4]}}
    title = "The dimensions are not in the stream"
    place = Place(SECOND, "raw-float", "out-of-band")
    yield OwnRecipe(place, title, [cube], options=options, peer=True)
    mixed = raw(SECOND, laplacian(5, 6))
    mixed.add_tensor(Member("levels", steps(6, 7, low=-3, high=3), qp=-20))
    title = "Raw and quantised tensors"
    yield OwnRecipe(Place(SECOND, "raw-float", "beside-float"), title, [mixed])


def _codebooks() -> Iterator[OwnRecipe]:
    size = len(BOOK.entries)
    levels = steps(12, 10, low=-3, high=size - 4, seed=93)
    builder = StreamBuilder().begin()
    builder.add_tensor(Member("w", levels, qp=-20, codebook=BOOK))
    place = Place(SECOND, "codebook", "uneven-distances")
    yield OwnRecipe(place, "Entries at uneven distances", [builder], peer=True)
    for offset in (0, 6):
        book = Codebook((5, 6, 7, 100, 101, 1000, 70000), offset)
        levels = steps(12, 10, low=-offset, high=6 - offset, seed=94)
        builder = StreamBuilder().begin()
        builder.add_tensor(Member("w", levels, qp=-20, codebook=book))
        yield OwnRecipe(
            Place(SECOND, "codebook", f"zero-offset-{offset}"),
            f"Level 0 selects entry {offset}: no sign is coded",
            [builder],
            peer=True,
        )
    limits = Codebook((-(2**31), -1, 0, 2**31 - 1), 1)
    builder = StreamBuilder().begin()
    builder.add_tensor(Member("w", steps(6, 5, low=-1, high=2), qp=-20, codebook=limits))
    place = Place(SECOND, "codebook", "entry-limits")
    yield OwnRecipe(place, "The smallest and the largest entry", [builder], peer=True)
    every = Codebook(tuple(range(-150, 151)), 150)
    builder = StreamBuilder().begin()
    member = Member("w", steps(30, 20, low=-150, high=150), qp=-20, codebook=every)
    builder.add_tensor(member, Coding(unary_length=4))
    title = "301 entries: levels end where the codebook does"
    yield OwnRecipe(Place(SECOND, "codebook", "three-hundred"), title, [builder], peer=True)


def _initialisations() -> Iterator[OwnRecipe]:
    levels = steps(12, 10, low=-5, high=5, seed=95)
    for index in range(1, 9):
        builder = StreamBuilder().begin()
        count = 24 + 3 + 20 + 31
        tools = LevelTools(initialisation=(index,) * count)
        builder.add_tensor(Member("w", levels, qp=-20, tools=tools), Coding(dependent=True))
        place = Place(SECOND, "initialisation", f"index-{index}")
        yield OwnRecipe(place, f"All contexts start from state {index}", [builder], peer=True)


def _scans() -> Iterator[OwnRecipe]:
    for shape, name in (((40, 1), "column"), ((1, 40), "row")):
        for edition in (FIRST, SECOND):
            builder = StreamBuilder(profile=int(edition == SECOND)).begin()
            member = Member("w", steps(*shape, low=-5, high=5), qp=-20)
            builder.add_tensor(member, Coding(scan_order=1))
            yield OwnRecipe(
                Place(edition, "scan", f"8x8-{name}"),
                f"scan_order is 1 for a {name}, which is scanned in order",
                [builder],
                peer=True,
            )
    unused = StreamBuilder().begin()
    wrong = ({"value": 7, "bit_offset": 3}, {"value": 1, "bit_offset_delta": 0})
    member = Member("w", steps(24, 9, low=-5, high=5), qp=-20)
    unused.add_tensor(member, Coding(scan_order=1), entry_points=wrong)
    yield OwnRecipe(
        Place(SECOND, "scan", "8x8-entry-points-wrong"),
        "The entry points are wrong; the levels, decoded in sequence, are not",
        [unused],
        note="NNCodec decodes block rows from their entry points, and fails.",
    )


def _levels() -> Iterator[OwnRecipe]:
    high = 2**31 - 1
    values = np.array([[high, 0, -high], [1, -high, high]], np.int32)
    builder = StreamBuilder().begin()
    builder.add_tensor(Member("w", values, qp=-124))
    yield OwnRecipe(
        Place(SECOND, "extreme", "float-limits"), "Levels of 31 bits", [builder], peer=True
    )


def _dependent_limits() -> Iterator[OwnRecipe]:
    high = 2**31 - 1
    half = 2**30 - 1
    values = np.array([[half, 0, -half], [1, -half, half]], np.int32)
    builder = StreamBuilder().begin()
    builder.add_tensor(Member("w", values, qp=-124), Coding(dependent=True))
    yield OwnRecipe(
        Place(SECOND, "extreme", "dependent-limits"),
        "Dependent levels of 31 bits",
        [builder],
        peer=True,
    )
    values = np.array([[high, 0, -high], [1, -(2**30), 2**30]], np.int32)
    builder = StreamBuilder().begin()
    builder.add_tensor(Member("w", values, qp=-124), Coding(dependent=True))
    yield OwnRecipe(
        Place(SECOND, "extreme", "dependent-wrap"),
        "Dependent levels beyond int32, which wrap",
        [builder],
        peer=True,
        note="The sign that an odd state takes off is that of the doubled level after it wrapped.",
    )


def _borders() -> Iterator[OwnRecipe]:
    for edition in (FIRST, SECOND):
        builder = StreamBuilder(profile=int(edition == SECOND)).begin()
        builder.add_tensor(Member("w", steps(9, 7, low=-6, high=6)), dq_flag=1)
        yield OwnRecipe(
            Place(edition, "integer", "dependent-flag"),
            "dq_flag is 1 for integers, where it has no meaning",
            [builder],
            peer=True,
        )
    builder = StreamBuilder().begin()
    builder.add_tensor(Member("w", np.zeros((3, 0), np.int32), qp=-20))
    yield OwnRecipe(
        Place(SECOND, "shape", "second-dimension-0"),
        "No elements: (3, 0)",
        [builder],
        peer=None,
        note="NNCodec 2.1.3 dies of a division by zero.",
    )


def _update_contexts() -> Iterator[OwnRecipe]:
    levels = steps(12, 10, low=-2, high=2, seed=96)
    alone = StreamBuilder().begin(**SIGNALLING)
    tools = LevelTools(history_flag=True)
    alone.add_tensor(Member("w", levels, qp=-20, tools=tools), **PARENT, put_node_depth=1)
    yield OwnRecipe(
        Place(SECOND, "history", "flag-without-history"),
        "The history flag is 1 where no history exists",
        [alone],
        peer=True,
    )
    for dependent in (False, True):
        word = "dependent" if dependent else "uniform"
        yield OwnRecipe(
            Place(SECOND, "temporal-context", f"block-{word}"),
            "Updates of a block with temporal contexts for all its members",
            _block_updates(Coding(dependent=dependent)),
            peer=True,
        )


def _block_updates(coding: Coding) -> list[StreamBuilder]:
    """Return three updates of a block, each coded with regard to the levels before."""
    streams = []
    held: dict[str, NDArray[np.int32]] = {}
    for depth in range(1, 4):
        members = [
            Member("bias", steps(12, low=-9, high=9, seed=100 + depth), qp=-30),
            Member("w", steps(12, 10, low=-2, high=2, seed=110 + depth), qp=-20),
        ]
        placed = [Member(m.name, m.levels, m.qp, reference=held.get(m.name)) for m in members]
        builder = StreamBuilder().begin(**SIGNALLING)
        builder.add_block(
            placed,
            BIAS,
            ("w", "bias"),
            (12, 10),
            coding,
            **PARENT,
            put_node_depth=depth,
            temporal_context_modeling_flag=int(depth > 1),
        )
        streams.append(builder)
        held = {m.name: unmapped(m, coding) if coding.dependent else m.levels for m in members}
    return streams
