"""Random levels, and tools that may be used with them."""

import numpy as np
from hypothesis import strategies as st

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.cabac.decoding import initialised_models
from conformance.nnc.encoder import LevelTools
from tests.nnc.cabac.codings import level_codings

SCALES = (0.0, 0.3, 1.0, 5.0, 300.0, 1e6)
EXTREMES = (2**31 - 1, -(2**31), -(2**31) + 1, 2**30)


@st.composite
def coded_tensors(draw: st.DrawFn) -> tuple[LevelCoding, np.ndarray, LevelTools]:
    """Draw a coding with coded levels and tools that fit it."""
    coding = draw(level_codings())
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw_levels(coding, draw(st.sampled_from(SCALES)), random)
    history = coding.has_tool_flags and coding.parent and draw(st.booleans())
    skipped = None
    if coding.has_tool_flags and draw(st.booleans()):
        rows = levels.reshape(coding.height, coding.width)
        rows[random.random(coding.height) < 0.4] = 0
        skipped = ~rows.any(1) & (random.random(coding.height) < 0.8)
    initialisation = draw(st.sampled_from(["best", "zero", "random"]))
    if initialisation == "random":
        initialisation = random.integers(
            0, 9, initialised_models(coding, hdsp=history).size
        ).tolist()
    return coding, levels, LevelTools(skipped, history, initialisation)


def draw_levels(coding: LevelCoding, scale: float, random: np.random.Generator) -> np.ndarray:
    """Return Laplacian levels, with the extremes of int32 among large ones."""
    levels = np.rint(random.laplace(0, scale, coding.size)).astype(np.int32)
    if scale == SCALES[-1]:
        levels[: len(EXTREMES)] = EXTREMES[: levels.size]
    if coding.codebook_size:
        zero = coding.zero_offset
        levels = np.clip(levels, -zero, coding.codebook_size - 1 - zero).astype(np.int32)
    return levels
