"""The functions that expressions of the syntax may call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def bit_count(number: int) -> int:
    """Return how many bits of a number are 1."""
    return number.bit_count()


def ceil_div(a: int, b: int) -> int:
    """Return ``a / b`` rounded up, for ``b`` > 0."""
    return -(-a // b)


def ends_with(text: str | None, ending: str) -> bool:
    """Whether a text, if there is one, ends so."""
    return text is not None and text.endswith(ending)


def item(values: Sequence[Any] | None, index: int | None) -> Any:
    """Return ``values[index]``, or None where there is none."""
    if values is None or index is None or not 0 <= index < len(values):
        return None
    return values[index]


def dimensions_of(
    known: Callable[[str | None], Sequence[int] | None], name: str | None
) -> tuple[int, ...] | None:
    """Return the dimensions that are known of a tensor, by its own or its undecomposed name."""
    dimensions = known(name)
    if dimensions is None and name is not None and name.endswith(("_G", "_H")):
        dimensions = known(name[:-2])
    return None if dimensions is None else tuple(dimensions)


def rows_of_blocks(heights: Sequence[int], block_height: int) -> int:
    """Return the block rows of matrices of these heights, all together."""
    return sum(ceil_div(height, block_height) for height in heights)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "bit_count": bit_count,
    "dimensions_of": dimensions_of,
    "ends_with": ends_with,
    "item": item,
    "len": len,
    "max": max,
    "rows_of_blocks": rows_of_blocks,
}
