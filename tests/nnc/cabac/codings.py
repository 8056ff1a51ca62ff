"""Random level codings and payloads."""

import numpy as np
from hypothesis import strategies as st

from conformance.nnc.cabac.coding import LevelCoding

EXTREME = (-(2**31), -5, -2, -1, 0, 0, 0, 1, 2, 3, 12, 2**31 - 1)


@st.composite
def level_codings(draw: st.DrawFn, tools: bool = True) -> LevelCoding:
    """Draw the coding of a tensor of up to some hundred levels."""
    height, width = draw(st.integers(0, 40)), draw(st.integers(1, 24))
    scans = st.integers(0, 4) if height > 1 and width > 1 else st.just(0)
    codebook_size = draw(st.sampled_from([0, 0, 1, 2, 3, 5, 9, 40, 70000])) if tools else 0
    return LevelCoding(
        height=height,
        width=width,
        scan_order=draw(scans),
        dependent=draw(st.booleans()),
        unary_length=draw(st.sampled_from([1, 2, 3, 10, 11, 256])),
        codebook_size=codebook_size,
        zero_offset=draw(st.integers(0, codebook_size - 1)) if codebook_size else 0,
        remainder_contexts=draw(st.sampled_from([31, 32])),
        resets_single_block_row=draw(st.booleans()),
        tool_flags=draw(st.booleans()),
        parent=draw(st.booleans()) and tools,
        reference=draw(st.none() | arrays(height * width, EXTREME, np.int32)) if tools else None,
        history=draw(st.none() | arrays(height * width, (0, 1), np.int8)) if tools else None,
    )


@st.composite
def arrays(draw: st.DrawFn, size: int, values: tuple[int, ...], dtype: type) -> np.ndarray:
    """Draw an array of some values."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return random.choice(np.array(values, dtype), size)


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """Draw bytes that an arithmetic decoder can start with; some of them run out early.

    Stretches of one byte bring contexts, and so levels, to their ends.
    """
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.sampled_from([2, 3, 9, 30, 100, 1000]))
    body = random.integers(0, 256, size, np.uint8)
    for first, byte in draw(st.lists(st.tuples(st.integers(1, 200), st.sampled_from([0, 255])))):
        body[first : first + 40] = byte
    body[0] %= draw(st.sampled_from([1, 8, 255]))
    return body.tobytes()
