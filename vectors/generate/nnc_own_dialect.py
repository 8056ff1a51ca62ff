"""Recipes of the dialect of NNCodec 1.0, which callers must distinguish from the first edition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnc_arrays import steps
from nnc_build import Coding, Member, StreamBuilder
from nnc_cases import DIALECT, Place
from nnc_own_blocks import BIAS, BOOK
from nnc_own_cases import OwnRecipe

from conformance.nnc.options import Interpretation

NOTE = "Made by our own encoder under the two rules of NNCodec 1.0. "
FAILS = "NNCodec 2.1.3 cannot decode it."
SUCCEEDS = (
    "NNCodec 2.1.3 decodes it: the reset of the range hides the flag that it does not expect."
)


def dialect_recipes() -> Iterator[OwnRecipe]:
    """Yield the recipes."""
    levels = steps(20, 18, low=-6, high=6, seed=120)
    small = steps(7, 18, low=-6, high=6, seed=121)
    long = steps(20, 18, low=-300, high=300, seed=122)
    yield _case("uniform", "One tensor", Member("w", levels, qp=-20))
    yield _case("dependent", "One tensor", Member("w", levels, qp=-20), Coding(dependent=True))
    chosen = steps(20, 18, low=-3, high=3, seed=123)
    yield _case("codebook", "One tensor", Member("w", chosen, qp=-20, codebook=BOOK))
    yield _case("integer", "One tensor", Member("w", long))
    yield _case("vector", "One dimension", Member("w", long[0].copy(), qp=-20))
    for word, dependent in (("uniform", False), ("dependent", True)):
        coding = Coding(scan_order=1, dependent=dependent)
        single = "A single block row: the range is reset before its first level"
        yield _case(f"scan-8x8-one-block-row-{word}", single, Member("w", small, qp=-20), coding)
        several = "Three block rows"
        member = Member("w", levels, qp=-20)
        yield _case(f"scan-8x8-{word}", several, member, coding, peer=True)
    short = Coding(unary_length=1)
    yield _case("unary-length-1", "Long remainders", Member("w", long, qp=-20), short)
    yield OwnRecipe(
        Place(DIALECT, "dialect", "block"),
        "A weight and its bias",
        [_block()],
        options=_options(),
        note=NOTE + FAILS,
    )


def _builder() -> StreamBuilder:
    return StreamBuilder(profile=0, interpretation=Interpretation("nncodec-1.0")).begin()


def _options() -> dict[str, Any]:
    return {"dialect": "nncodec-1.0"}


def _case(
    name: str, title: str, member: Member, coding: Coding | None = None, *, peer: bool = False
) -> OwnRecipe:
    builder = _builder()
    builder.add_tensor(member, coding or Coding())
    note = NOTE + (SUCCEEDS if peer else FAILS)
    place = Place(DIALECT, "dialect", name)
    return OwnRecipe(place, title, [builder], peer, options=_options(), note=note)


def _block() -> StreamBuilder:
    builder = _builder()
    members = [
        Member("b", steps(20, low=-9, high=9, seed=124), qp=-30),
        Member("w", steps(20, 18, low=-6, high=6, seed=125), qp=-20),
    ]
    builder.add_block(members, BIAS, ("w", "b"), (20, 18), Coding(scan_order=2))
    return builder
