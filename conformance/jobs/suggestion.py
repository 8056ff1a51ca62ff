"""The entry of a ``name_map`` that would make a tensor fit a parameter, as far as shapes tell."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Mapping, Sequence

_USUAL = (
    (1, 0),
    (3, 2, 0, 1),
    (2, 3, 1, 0),
    (0, 3, 1, 2),
    (0, 2, 3, 1),
    (2, 1, 0),
    (4, 3, 0, 1, 2),
)
"""Orders of axes that frameworks differ by; the first that fits is named."""

_MOST_AXES = 6
_MOST_CANDIDATES = 200


def entry_that_fits(
    sample: str, model: str, given: Sequence[int], wanted: Sequence[int]
) -> str | None:
    """Return the JSON of a name_map entry from shape ``given`` to ``wanted``; None if none would.

    Shapes cannot tell one order of equal axes, or of rows, from another: it is a suggestion.
    """
    entry: dict[str, object] = {"sample": sample, "model": model}
    if list(given) != list(wanted):
        order = _order(tuple(given), tuple(wanted))
        if order is not None:
            entry["transpose"] = list(order)
        elif math.prod(given) == math.prod(wanted):
            entry["reshape"] = list(wanted)
        else:
            return None
    return json.dumps(entry, ensure_ascii=False)


def tensor_that_fits(
    model: str, wanted: Sequence[int], spare: Mapping[str, Sequence[int]], taken: Collection[str]
) -> str | None:
    """Return the entry for a parameter that no tensor of the sample is named after.

    It is that of the only tensor in ``spare`` (names and shapes) that has as many values, names in
    ``taken`` left out; None if there is none, or more than one.
    """
    size = math.prod(wanted)
    names = itertools.islice(
        (name for name, shape in spare.items() if math.prod(shape) == size and name not in taken),
        _MOST_CANDIDATES,
    )
    found = list(names)
    if len(found) != 1:
        return None
    return entry_that_fits(found[0], model, spare[found[0]], wanted)


def _order(given: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...] | None:
    if sorted(given) != sorted(wanted) or len(given) > _MOST_AXES:
        return None
    usual = (order for order in _USUAL if len(order) == len(given))
    for order in itertools.chain(usual, itertools.permutations(range(len(given)))):
        if tuple(given[axis] for axis in order) == wanted:
            return order
    return None
