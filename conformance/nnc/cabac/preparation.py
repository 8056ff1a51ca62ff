"""What comes before the levels of a tensor: flags of rows, and how contexts are initialised."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.cabac.contexts import (
    GREATER,
    HISTORY_SIGNIFICANCE,
    SIGN,
    SIGNIFICANCE,
    TEMPORAL_SIGN,
    TEMPORAL_SIGNIFICANCE,
    remainder_base,
)
from conformance.nnc.cabac.engine import (
    Bytes,
    Engine,
    Models,
    Number,
    decode_bin,
    decode_bypass,
    keep_window,
    pointer_to,
    window_of,
)
from conformance.nnc.cabac.jit import kernel
from conformance.nnc.cabac.packed import START_MODELS

INDEX_BITS: Final = 3
"""Bypass bins of an initialisation index less 1: it is 1 to 8 in them, 0 where a flag says so."""
STATES: Final = 8
"""States of dependent quantisation."""


@kernel
def read_flags(payload: Bytes, engine: Engine, models: Models, index: Number, flags: Bytes) -> None:
    """Fill ``flags``, 1-D uint8, with bins of the model at ``index``.

    It raises nothing where the payload ends: who calls looks at the position afterwards.
    """
    stream, store, window = (
        (pointer_to(payload), payload.size),
        pointer_to(models),
        window_of(engine),
    )
    for place in range(flags.size):
        flags[place], window = decode_bin(stream, store, index, window)
    keep_window(engine, window)


@kernel
def read_indices(
    payload: Bytes,
    engine: Engine,
    models: Models,
    utility: Number,
    order: NDArray[np.int64],
    indices: NDArray[np.int64],
) -> None:
    """Set the models that ``order`` names to the starts that the payload tells.

    ``indices`` is as long as ``order`` and takes the initialisation index of each, 0 to 8. The
    utility model, by which their flags are coded, adapts as any other, but is never in ``order``.
    """
    stream, store, window = (
        (pointer_to(payload), payload.size),
        pointer_to(models),
        window_of(engine),
    )
    for place in range(order.size):
        index = 0
        bit, window = decode_bin(stream, store, utility, window)
        if bit:
            number, window = decode_bypass(stream, INDEX_BITS, window)
            index = 1 + number
        indices[place] = index
        models[order[place]] = START_MODELS[index]
    keep_window(engine, window)


def initialised_models(coding: LevelCoding, *, hdsp: bool) -> NDArray[np.int64]:
    """Return the models whose initialisation index is in the payload, in this order; 1-D int64.

    What the tensor has no use for is left out, and starts with index 0.
    """
    return models_in_order(
        dependent=coding.dependent,
        temporal=coding.reference is not None,
        hdsp=hdsp,
        unary_length=coding.unary_length,
        remainder_contexts=coding.remainder_contexts,
        largest=coding.largest,
        constant=coding.constant,
        one_sided=coding.one_sided,
    )


@lru_cache(maxsize=64)
def models_in_order(
    *,
    dependent: bool,
    temporal: bool,
    hdsp: bool,
    unary_length: int,
    remainder_contexts: int,
    largest: int,
    constant: bool,
    one_sided: bool,
) -> NDArray[np.int64]:
    """Return the models of :func:`initialised_models`, from what decides about them.

    The array is cached, so it must not be written to.
    """
    states = STATES if dependent else 1
    models: list[int] = []
    if not constant:
        models += range(SIGNIFICANCE, SIGNIFICANCE + 3 * states)
        if temporal:
            models += range(TEMPORAL_SIGNIFICANCE, TEMPORAL_SIGNIFICANCE + 2 * states)
        if hdsp:
            models += range(HISTORY_SIGNIFICANCE, HISTORY_SIGNIFICANCE + states)
        if not one_sided:
            models += range(SIGN, TEMPORAL_SIGN + 2 if temporal else TEMPORAL_SIGN)
    flags = 2 * unary_length
    models += range(GREATER, GREATER + bounded(flags, 2 * largest, largest))
    if temporal:
        first = GREATER + flags
        models += range(first, first + bounded(flags, 2 * (largest - 1), largest))
    first = remainder_base(unary_length)
    models += range(first, first + remainders(remainder_contexts, unary_length, largest))
    return np.array(models, np.int64)


def bounded(count: int, limit: int, largest: int) -> int:
    """Return how many of ``count`` models are in use: a codebook's levels may not reach all.

    Flag number j asks whether a magnitude exceeds j + 1, for which there must be levels that do. It
    has two models, one for each sign or each side of the reference.
    """
    return count if largest == -1 else max(0, min(count, limit))


def remainders(count: int, unary_length: int, largest: int) -> int:
    """Return how many positions of the remainder's prefix are in use."""
    if largest == -1:
        return count
    # Up to this place the prefix says unary_length - 1 + 1 + 2 + 4 + ... + 2^place.
    return sum(1 for place in range(count) if unary_length - 2 + (2 << place) < largest)
