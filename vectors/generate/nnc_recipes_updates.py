"""Recipes of the second edition's own tools: row skip, parameter update trees, their contexts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from nnc_arrays import Tensors, drifting, laplacian, steps, with_empty_rows
from nnc_cases import SECOND, Place
from nnc_peer_cases import PeerRecipe
from nnc_recipes_blocks import block

CHAIN: dict[str, Any] = {"update_chain": True}
TEMPORAL = {**CHAIN, "temporal_contexts": True}
HISTORY = {**CHAIN, "history": True}
DEPENDENT = {"use_dq": True}
WIDTH_45 = (
    "With row skip, blocks and a width that is not a multiple of four, NNCodec's encoder and"
    " decoder disagree about the trellis state after a skipped row; the stream decodes all the"
    " same, to the tensors given here, which are not those the encoder quantised."
)


def update_recipes() -> Iterator[PeerRecipe]:
    """Yield the recipes."""
    for tool, rows in (
        ("row-skip", _row_skips()),
        ("update-tree", _trees()),
        ("temporal-context", _temporal()),
        ("history", _histories()),
    ):
        for name, title, streams, settings, *note in rows:
            place = Place(SECOND, tool, name)
            yield PeerRecipe(place, title, streams, settings, *note)
    yield _wrong_reference()


Row = tuple[Any, ...]


def _row_skips() -> Iterator[Row]:
    skipping = {"row_skipping": True}
    rows = [{"w": with_empty_rows(laplacian(40, 30))}]
    yield "uniform", "Two rows of three are zero", rows, skipping
    yield "dependent", "Two rows of three are zero", rows, {**skipping, **DEPENDENT}
    full = [{"w": laplacian(40, 30)}]
    yield "no-empty-row", "No row is zero", full, skipping
    empty = [{"w": np.zeros((10, 30), np.float32)}]
    yield "only-empty-rows", "Every row is zero", empty, {**skipping, **DEPENDENT}
    for order, size in ((1, "8x8"), (3, "32x32")):
        blocks = {**skipping, "scan_order": order}
        wide = [{"w": with_empty_rows(laplacian(77, 48))}]
        title = f"Rows of zeros in blocks of {size}"
        yield f"scan-{size}", title, wide, blocks
        yield f"scan-{size}-dependent", title, wide, {**blocks, **DEPENDENT}
    for width in (45, 50):
        odd = [{"w": with_empty_rows(laplacian(77, width))}]
        settings = {**skipping, "scan_order": 1, **DEPENDENT}
        title = f"Rows of zeros in blocks, dependent, a matrix {width} wide"
        yield f"scan-8x8-dependent-width-{width}", title, odd, settings, WIDTH_45


def _streams(count: int, *shape: int) -> Sequence[Tensors]:
    updates = drifting(laplacian(*shape), count)
    return [
        {"w": update, "b": laplacian(shape[0], seed=50 + i)} for i, update in enumerate(updates)
    ]


def _trees() -> Iterator[Row]:
    three = _streams(3, 24, 25)
    yield "uniform", "Three updates", three, {**CHAIN, "qp": -30}
    yield "dependent", "Three updates", three, {**CHAIN, **DEPENDENT, "qp": -30}
    yield "row-skip", "Three updates", three, {**CHAIN, "row_skipping": True, "qp": -30}
    yield "device-7", "Updates of device 7", three, {**CHAIN, "device_id": 7, "qp": -30}
    missing = [three[0], {"w": three[1]["w"], "b": np.zeros(24, np.float32)}, three[2]]
    yield "missing-tensor", "The second update has no unit for `b`", missing, {**CHAIN, "qp": -30}
    signalling = {"pre_signalling": True}
    yield "signalling-only", "Parent signalling without a parent", three[:1], signalling
    beside, settings = block(("bias", "scaling"))
    blocks = [{"w": update["w"][:20], **beside} for update in three]
    title = "Updates of a block, whose dimensions are those of the base model"
    yield "block", title, blocks, {**CHAIN, **settings, "qp": -30}


def _temporal() -> Iterator[Row]:
    four = _streams(4, 24, 25)
    yield "uniform", "Four updates", four, {**TEMPORAL, "qp": -30}
    yield "dependent", "Four updates", four, {**TEMPORAL, **DEPENDENT, "qp": -30}
    tall = _streams(3, 30, 24)
    scan = {**TEMPORAL, "scan_order": 1, "qp": -30}
    yield "scan-8x8", "Updates in blocks of 8 x 8", tall, scan
    yield "scan-8x8-dependent", "Updates in blocks of 8 x 8", tall, {**scan, **DEPENDENT}
    unary = {**TEMPORAL, "cabac_unary_length_minus1": 0, "qp": -40}
    yield "unary-length-1", "One greater-than flag", tall, unary
    long = {**TEMPORAL, "cabac_unary_length_minus1": 30, "qp": -50}
    yield "unary-length-31", "31 greater-than flags", tall, long
    skip = {**TEMPORAL, "row_skipping": True, **DEPENDENT, "qp": -30}
    yield "row-skip-dependent", "Rows of zeros are skipped", tall, skip
    codebook = {**TEMPORAL, "codebook_mode": 1, "qp": -30}
    yield "codebook", "Codebooks; indices are the reference", tall, codebook
    integers = [{"w": steps(20, 21, low=-2, high=2, seed=60 + i)} for i in range(3)]
    yield "integer", "Updates of integers", integers, TEMPORAL
    beside, settings = block(("bias", "scaling"))
    blocks = [{"w": update["w"][:20], **beside} for update in four[:3]]
    yield "block-scaling", "Updates of a block", blocks, {**TEMPORAL, **settings, "qp": -30}
    missing = [four[0], {"w": four[1]["w"], "b": np.zeros(24, np.float32)}, four[2]]
    title = "The second update has no unit for `b`: its reference stays"
    yield "missing-tensor", title, missing, {**TEMPORAL, "qp": -30}


def _histories() -> Iterator[Row]:
    four = _streams(4, 24, 25)
    yield "uniform", "Four updates", four, {**HISTORY, "qp": -30}
    yield "dependent", "Four updates", four, {**HISTORY, **DEPENDENT, "qp": -30}
    both = {**HISTORY, **TEMPORAL, "qp": -30}
    yield "temporal-context", "With temporal contexts", four, both
    yield "temporal-context-dependent", "With temporal contexts", four, {**both, **DEPENDENT}
    scan = {**both, "scan_order": 1, "row_skipping": True}
    yield "temporal-context-scan-8x8-row-skip", "All tools of an update", four, scan
    yield "codebook", "Codebooks", four, {**HISTORY, "codebook_mode": 1, "qp": -30}
    beside, settings = block(("bias", "batch-norm"))
    blocks = [{"w": update["w"][:20], **beside} for update in four[:3]]
    title = "Updates of a block, with temporal contexts"
    yield "block-temporal-context", title, blocks, {**both, **settings, **DEPENDENT}


def _wrong_reference() -> PeerRecipe:
    skipping = {**TEMPORAL, **DEPENDENT, "row_skipping": True, "scan_order": 1, "qp": -30}
    return PeerRecipe(
        Place(SECOND, "temporal-context", "row-skip-scan-8x8-dependent-width-45"),
        "The encoder's reference is not what the stream decodes to",
        [{"w": with_empty_rows(update["w"])} for update in _streams(2, 77, 45)],
        skipping,
        f"{WIDTH_45} The second update is coded with regard to levels that no decoder has.",
        undecodable=True,
        error={"kind": "malformed", "field": "levels of 'w'"},
    )
