"""Numbers, sizes, tolerances and verdicts in the words of a person."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from conformance.verdicts import Json, Location, Verdict

ABSENT = "—"
"""What stands where there is no value."""

LABELS: Mapping[str, str] = {
    Verdict.PASS: "Pass",
    Verdict.FAIL: "Fail",
    Verdict.UNDECIDED: "Undecided",
    Verdict.ERROR: "Error",
    Verdict.MALFORMED: "Malformed",
    Verdict.UNSUPPORTED: "Unsupported",
    Verdict.TIMEOUT: "Time-out",
    Verdict.NOT_RUN: "Not run",
    Verdict.WAIVED: "Waived",
}

MEANINGS: Mapping[str, str] = {
    Verdict.FAIL: "The submission does not do what the check demands.",
    Verdict.MALFORMED: "A file is not what its format says it must be.",
    Verdict.ERROR: "The evaluation died; see what it needs below.",
    Verdict.TIMEOUT: "The evaluation took longer than it is allowed to.",
    Verdict.UNDECIDED: "Too few vectors to decide on which side of the bound the loss is.",
    Verdict.UNSUPPORTED: "It may be right, but this tool cannot judge it.",
    Verdict.NOT_RUN: "Not executed. A check that was not run is not a pass.",
    Verdict.WAIVED: "The coordinator accepts the finding for the reason given.",
}

_BINARY_STEP = 1024
_UNITS = ("KiB", "MiB", "GiB", "TiB")


def number(value: Json, digits: int = 5) -> str:
    """Return a number with ``digits`` significant digits, or its name if it is not finite."""
    if value is None:
        return ABSENT
    if isinstance(value, int):
        return f"{value:,}"
    return f"{float(value):.{digits}g}"


def signed(value: Json, digits: int = 4) -> str:
    """Return a number that always shows its sign; zero has none."""
    text = number(value, digits)
    return f"+{text}" if value is not None and float(value) > 0 else text


def size(value: int | None) -> str:
    """Return a number of bytes in binary units."""
    if value is None:
        return ABSENT
    if value < _BINARY_STEP:
        return f"{value} B"
    power = min((value.bit_length() - 1) // 10, len(_UNITS))
    scaled = value / _BINARY_STEP**power
    return f"{scaled:,.{1 if scaled >= 10 else 2}f} {_UNITS[power - 1]}"  # noqa: PLR2004


def exact_size(value: int | None) -> str:
    """Return a number of bytes with every digit."""
    return ABSENT if value is None else f"{value:,} bytes"


def seconds(value: Json) -> str:
    """Return a time in the unit that suits it: ``12.3 ms``."""
    if value is None or not math.isfinite(float(value)):
        return number(value)
    for unit, one in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(value) >= one or unit == "µs":
            return f"{value / one:.3g} {unit}"
    return ABSENT


def ratio(value: Json, other: Json) -> str:
    """Return how many times ``other`` ``value`` is."""
    if not float(other):
        return ABSENT
    return number(float(value) / float(other), 3)


def percent(value: Json) -> str:
    """Return a percentage; ``value`` is already in percent."""
    return ABSENT if value is None else f"{number(value, 4)} %"


def factor(value: Json) -> str:
    """Return a compression factor with two decimals."""
    if value is None or not math.isfinite(float(value)):
        return number(value)
    return f"{value:,.2f}"


def tolerance(bounds: Mapping[str, Json], direction: str) -> str:
    """Return the tolerance rule: ``drop ≤ 0.01 absolute, at 95 % confidence``."""
    worse, better = ("drop", "rise") if direction == "higher" else ("rise", "drop")
    sign = "≤" if bounds.get("inclusive", True) else "<"
    text = f"{worse} {sign} {_bound(bounds['bound'], bounds['type'])}"
    if bounds.get("upper_bound") is not None:
        text += f", {better} ≤ {_bound(bounds['upper_bound'], bounds['type'])}"
    if bounds.get("confidence") is not None:
        text += f", at {percent(100 * float(bounds['confidence']))} confidence"
    return text


def interval(bounds: Mapping[str, Json] | None) -> str:
    """Return the ends of an interval: ``[-0.014, +0.003]``."""
    if bounds is None:
        return ABSENT
    return f"[{signed(bounds['low'], 3)}, {signed(bounds['high'], 3)}]"


def level(bounds: Mapping[str, Json]) -> str:
    """Return the confidence level of an interval: ``95 %``."""
    return percent(100 * float(bounds["level"]))


def place(where: Mapping[str, Json] | None) -> str:
    """Return a location in one line, or nothing."""
    return str(Location.from_json(where)) if where else ""


def count(amount: int, noun: str) -> str:
    """Return ``1 check`` or ``2 checks``."""
    return f"{amount:,} {noun}" + ("" if amount == 1 else "s")


def counts(classes: Mapping[str, int] | None, declared: int) -> str:
    """Return the elements of each class of stored tensors: ``13 parameters, 2 scalars``.

    Nothing if that says no more than the ``declared`` number of parameters next to it.
    """
    if not classes or {key: n for key, n in classes.items() if n} == {"parameters": declared}:
        return ""
    named = {
        "parameters": "parameter",
        "scalars": "scalar",
        "topology": "topology element",
        "unused": "unused element",
    }
    shown = [count(classes[key], noun) for key, noun in named.items() if classes.get(key)]
    return ", ".join(shown) or "nothing stored"


def counted(numbers: Mapping[str, int]) -> str:
    """Return what a metric counted in addition to items: ``classes: 10``."""
    others = {noun: count for noun, count in numbers.items() if noun != "items"}
    return ", ".join(f"{noun}: {number(count)}" for noun, count in others.items())


def training_items(datasets: Sequence[Mapping[str, Json]]) -> str:
    """Return how many items a network was trained on, for each of its data sets."""
    known = (data["items"] for data in datasets)
    return " + ".join("not published" if n is None else number(n) for n in known) or ABSENT


def _bound(value: Json, type: str) -> str:
    if type == "relative":
        return f"{percent(100 * float(value))} of the original's"
    return f"{number(value)} absolute"
