"""Recipes of blocks: a weight with local scaling, bias, batch norm or a decomposition G x H."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnc_arrays import Tensors, laplacian, scaling, shared, trained, with_empty_rows
from nnc_cases import SECOND, Edition, Place
from nnc_peer_cases import PeerRecipe

MEMBERS = ("scaling", "bias", "batch-norm")
NORM = ("beta", "gamma", "mean", "var")


def block_recipes(edition: Edition) -> Iterator[PeerRecipe]:
    """Yield the recipes of one edition."""
    rows = [*_members(edition), *_decompositions(edition)]
    if edition == SECOND:
        rows += [*_pairs(), *_tall(), *_others()]
    for name, title, tensors, settings in rows:
        profile = {} if edition == SECOND else {"profile": 0}
        yield PeerRecipe(Place(edition, "block", name), title, [tensors], {**profile, **settings})
    yield _single_block_row(edition)


Row = tuple[str, str, Tensors, dict[str, Any]]


def block(members: tuple[str, ...], rows: int = 20) -> tuple[Tensors, dict[str, Any]]:
    """Return the members of a block of ``rows`` rows next to its weight ``w``, and their types."""
    tensors: Tensors = {}
    types = {"w": "weight"}
    if "scaling" in members:
        tensors["w_scaling"] = scaling(rows)
        types["w_scaling"] = "weight.ls"
    if "bias" in members:
        tensors["b"] = laplacian(rows, seed=11)
        types["b"] = "bias"
    if "batch-norm" in members:
        for number, part in enumerate(NORM):
            tensors[f"bn.{part}"] = scaling(rows, seed=20 + number)
            types[f"bn.{part}"] = f"bn.{part}"
    blocks = {"parameter_type": types, "block_identifier": dict.fromkeys(types, "block")}
    return tensors, {"blocks": blocks}


def _members(edition: Edition) -> Iterator[Row]:
    combinations = [
        [("scaling",), ("bias",), ("batch-norm",), MEMBERS],
        [("scaling", "bias"), ("scaling", "batch-norm"), ("bias", "batch-norm")],
    ]
    for members in combinations[0] + (combinations[1] if edition == SECOND else []):
        beside, settings = block(members)
        title = f"A weight with {_words(members)}"
        yield "-".join(members), title, {"w": laplacian(20, 3, 3), **beside}, settings


def _decompositions(edition: Edition) -> Iterator[Row]:
    combinations = [(), MEMBERS]
    if edition == SECOND:
        combinations += [("scaling",), ("bias",), ("batch-norm",)]
    for members in combinations:
        beside, settings = block(members or ("bias",))
        if not members:
            beside, settings = {}, _alone()
        title = "A weight as G x H" + (f" with {_words(members)}" if members else "")
        name = "-".join(("decomposition", *members))
        yield name, title, {**factors(20, 4, 27), **beside}, {**settings, **_shape(20, 3, 9)}


def _alone() -> dict[str, Any]:
    names = {"w": "weight", "w_scaling": "weight.ls"}
    return {"blocks": {"parameter_type": names, "block_identifier": dict.fromkeys(names, "block")}}


def factors(rows: int, rank: int, columns: int) -> Tensors:
    """Return G and H of a weight ``w``."""
    return {"w_G": laplacian(rows, rank, seed=31), "w_H": laplacian(rank, columns, seed=32)}


def _shape(*sizes: int) -> dict[str, Any]:
    return {"decompositions": {"w": list(sizes)}}


def _pairs() -> Iterator[Row]:
    beside, settings = block(MEMBERS)
    weight = {"w": laplacian(20, 30), **beside}
    yield "all-dependent", "Dependent quantisation in all", weight, {**settings, "use_dq": True}
    scan = {**settings, "scan_order": 1}
    yield "all-scan-8x8", "Blocks of 8 x 8 for the weight", weight, scan
    yield (
        "all-scan-8x8-dependent",
        "Blocks of 8 x 8 for the weight, dependent quantisation in all",
        weight,
        {**scan, "use_dq": True},
    )
    skipped = {**weight, "w": with_empty_rows(laplacian(20, 30))}
    yield "all-row-skip", "Rows of zeros are skipped", skipped, {**settings, "row_skipping": True}
    yield "all-in-units", "Each member in its own unit", weight, {**settings, "block_units": False}
    yield "all-unary-length-1", "One greater-than flag", weight, {**settings, **_unary(0)}


def _tall() -> Iterator[Row]:
    _, bias = block(("bias",))
    tall = {**factors(60, 20, 27), "b": laplacian(60, seed=11)}
    sizes = {**bias, **_shape(60, 3, 9)}
    yield "decomposition-scan-8x8", "Entry points of G, then of H", tall, {**sizes, "scan_order": 1}
    yield (
        "decomposition-scan-16x16-dependent",
        "Entry points with trellis states",
        tall,
        {**sizes, "scan_order": 2, "use_dq": True},
    )
    yield "decomposition-dependent", "G x H, dependent", tall, {**sizes, "use_dq": True}


def _others() -> Iterator[Row]:
    values = (0.0, 0.25, -0.25, 0.5)
    alone = {"w": shared(20, 30, values=values), "b": laplacian(20)}
    _, bias = block(("bias",))
    yield (
        "codebook-in-units",
        "A codebook keeps a block in units",
        alone,
        {**bias, "codebook_mode": 1},
    )
    names = ("conv2.weight", "conv2.bias", "bn2.bias", "bn2.weight")
    names += ("bn2.running_mean", "bn2.running_var")
    kinds = ("weight", "bias", "bn.beta", "bn.gamma", "bn.mean", "bn.var")
    types = dict(zip(names, kinds, strict=True))
    blocks = {"parameter_type": types, "block_identifier": dict.fromkeys(types, "conv2")}
    yield (
        "trained",
        "A trained layer",
        trained(*names),
        {"blocks": blocks, "qp": -28, "use_dq": True},
    )


def _single_block_row(edition: Edition) -> PeerRecipe:
    _, bias = block(("bias",))
    tensors = {**factors(8, 20, 27), "b": laplacian(8, seed=11)}
    profile = {} if edition == SECOND else {"profile": 0}
    return PeerRecipe(
        Place(edition, "block", "decomposition-scan-8x8-one-block-row"),
        "G is a single block row, H three: the entry points of H are wrong",
        [tensors],
        {**profile, **bias, **_shape(8, 3, 9), "scan_order": 1},
        "NNCodec's encoder computes these entry points with a range reset that the stream does not"
        " have, so it cannot decode what it wrote; in sequence the levels decode.",
        undecodable=True,
    )


def _unary(minus1: int) -> dict[str, Any]:
    return {"cabac_unary_length_minus1": minus1}


def _words(members: tuple[str, ...]) -> str:
    return ", ".join(members).replace("-", " ").replace("scaling", "local scaling")
