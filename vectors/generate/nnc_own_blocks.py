"""Recipes of blocks and decompositions that NNCodec cannot write, or not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nnc_arrays import steps
from nnc_build import Coding, Member, StreamBuilder
from nnc_cases import FIRST, SECOND, Edition, Place
from nnc_own_cases import OwnRecipe

from conformance.nnc.quantization import Codebook

DECOMPOSED, SCALING, NORM, BIAS = 1, 2, 4, 8
NORM_PARTS = ("beta", "gamma", "mean", "var")
HEADER_ORDER = ("ls", *(f"bn.{part}" for part in NORM_PARTS), "bias")
BOOK = Codebook((-9, -4, -1, 0, 3, 8, 20), 3)


def own_block_recipes() -> Iterator[OwnRecipe]:
    """Yield the recipes."""
    yield from _blocks()
    yield from _decomposed_units()


def _blocks() -> Iterator[OwnRecipe]:
    everything = SCALING | NORM | BIAS
    weight = Member("w", steps(12, 10, low=-3, high=3, seed=90), qp=-20, codebook=BOOK)
    for edition in (FIRST, SECOND):
        yield OwnRecipe(
            Place(edition, "block", "codebook-all"),
            "A codebook for the weight; the other members are uniform",
            [_block(everything, [weight], (12, 10), edition=edition)],
            peer=True,
        )
        both = _factors(12, 4, 10, codebook=BOOK)
        yield OwnRecipe(
            Place(edition, "block", "decomposition-codebook-all"),
            "Codebooks for G and H; the other members are uniform",
            [_block(DECOMPOSED | everything, both, (12, 10), edition=edition)],
            note=(
                "NNCodec 2.1.3 writes such blocks and cannot read them: it fails in the second"
                " edition, and returns the other members as levels in the first."
            ),
        )
    short = _block(SCALING | BIAS, [weight], (12, 10), Coding(unary_length=2))
    yield OwnRecipe(
        Place(SECOND, "block", "codebook-unary-length-2"),
        "Two greater-than flags",
        [short],
        peer=True,
    )
    large = _factors(20, 12, 30)
    scanned = _block(DECOMPOSED | BIAS, large, (20, 30), Coding(scan_order=1, dependent=True))
    title = "Entry points of G and H, the bias before them"
    yield OwnRecipe(Place(SECOND, "block", "decomposition-bias-scan"), title, [scanned], peer=True)


def _decomposed_units() -> Iterator[OwnRecipe]:
    for edition in (FIRST, SECOND):
        for dependent in (False, True):
            builder = StreamBuilder(profile=int(edition == SECOND)).begin()
            for member in _factors(20, 9, 12):
                builder.add_tensor(
                    member,
                    Coding(scan_order=1, dependent=dependent),
                    compressed_parameter_types=DECOMPOSED,
                    g_number_of_rows=20,
                    decomposition_rank=9,
                    tensor_dimensions=(20, 4, 3),
                    count_tensor_dimensions=3,
                )
            word = "dependent" if dependent else "uniform"
            yield OwnRecipe(
                Place(edition, "decomposition-in-units", word),
                "G and H in FLOAT units of their own",
                [builder],
                note="NNCodec 2.1.3 writes such units and cannot read them.",
            )


def _block(
    types: int,
    weights: Sequence[Member],
    dimensions: Sequence[int],
    coding: Coding = Coding(),  # noqa: B008 - frozen
    edition: Edition = SECOND,
    **header: Any,
) -> StreamBuilder:
    vectors, present = _vectors(types, dimensions[0])
    names = [*(w.name for w in weights), *(n for n in HEADER_ORDER if n in present)]
    builder = StreamBuilder(profile=int(edition == SECOND)).begin()
    sizes = {}
    if types & DECOMPOSED:
        rows, rank = weights[0].levels.shape
        sizes = {"g_number_of_rows": rows, "decomposition_rank": rank}
    builder.add_block([*vectors, *weights], types, names, dimensions, coding, **sizes, **header)
    return builder


def _vectors(types: int, rows: int) -> tuple[list[Member], list[str]]:
    """Return the one-dimensional members of a block in payload order, and their names."""
    kinds = [("ls", SCALING), ("bias", BIAS), *((f"bn.{n}", NORM) for n in NORM_PARTS)]
    names = [name for name, bit in kinds if types & bit]
    return [_vector(name, rows, number) for number, name in enumerate(names)], names


NORM_PARTS = ("beta", "gamma", "mean", "var")
HEADER_ORDER = ("ls", *(f"bn.{part}" for part in NORM_PARTS), "bias")


def _vector(name: str, rows: int, number: int) -> Member:
    return Member(name, steps(rows, low=-20, high=20, seed=80 + number), qp=-40 - number)


def _factors(rows: int, rank: int, columns: int, **both: Any) -> list[Member]:
    left = Member("w_G", steps(rows, rank, low=-3, high=3, seed=91), qp=-20, **both)
    return [left, Member("w_H", steps(rank, columns, low=-3, high=3, seed=92), qp=-22, **both)]
