"""The arguments a metric kind takes, and how they are checked and explained."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from conformance.verdicts import ConformanceError, Json, Location

REQUIRED: Final = "(required)"
"""The default of an argument that has none."""

_NOUNS = {
    "integer": "an integer",
    "number": "a finite number",
    "boolean": "true or false",
    "string": "a string",
    "numbers": "a list of at least one finite number",
}


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument of a metric kind.

    ``minimum`` and ``maximum`` are allowed values, ``above`` is not; for a list they hold for each
    number. A default of None means that leaving the argument out has its own meaning.
    """

    name: str
    type: Literal["integer", "number", "boolean", "string", "numbers"]
    description: str
    default: Json = REQUIRED
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        limits = [
            f"{words} {limit:g}"
            for words, limit in (
                ("at least", self.minimum),
                ("greater than", self.above),
                ("at most", self.maximum),
            )
            if limit is not None
        ]
        return ", ".join(
            [_NOUNS[self.type], " and ".join(limits)] if limits else [_NOUNS[self.type]]
        )

    def accepts(self, value: Json) -> bool:
        """Return whether ``value`` has the right type and lies within the limits."""
        if self.type == "numbers":
            return isinstance(value, list) and bool(value) and all(map(self._accepts_number, value))
        if self.type == "boolean":
            return isinstance(value, bool)
        if self.type == "string":
            return isinstance(value, str) and (not self.choices or value in self.choices)
        return self._accepts_number(value)

    def _accepts_number(self, value: Json) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.type == "integer" and value != value // 1:
            return False
        return (
            math.isfinite(value)
            and (self.minimum is None or value >= self.minimum)
            and (self.above is None or value > self.above)
            and (self.maximum is None or value <= self.maximum)
        )


def check_arguments(
    kind: str, arguments: Sequence[Arg], given: Mapping[str, Json]
) -> dict[str, Json]:
    """Return every argument of ``kind``, given or default; ConformanceError if one does not fit."""
    names = [argument.name for argument in arguments]
    for name in given:
        if name not in names:
            raise _unknown(kind, names, name)
    return {argument.name: _checked(kind, argument, given) for argument in arguments}


def _checked(kind: str, argument: Arg, given: Mapping[str, Json]) -> Json:
    if argument.name not in given:
        if argument.default is REQUIRED:
            raise _missing(kind, argument)
        return argument.default
    value = given[argument.name]
    if value is None and argument.default is None:
        return None
    if not argument.accepts(value):
        raise ConformanceError(
            f"argument {argument.name!r} of metric kind {kind!r} is not allowed",
            where=Location(element=f"args.{argument.name}"),
            expected=argument.allowed,
            found=repr(value),
            fix=f"Set {argument.name!r} to {argument.allowed}.",
        )
    # To JSON, 1.0 and 1 are one number.
    return int(value) if argument.type == "integer" else value


def _missing(kind: str, argument: Arg) -> ConformanceError:
    return ConformanceError(
        f"metric kind {kind!r} needs the argument {argument.name!r}",
        where=Location(element="args"),
        expected=f"{argument.name}: {argument.allowed}",
        found="nothing",
        fix=f"Add {argument.name!r} to the metric's args: {argument.description}",
    )


def _unknown(kind: str, names: Sequence[str], name: str) -> ConformanceError:
    near = difflib.get_close_matches(name.lower(), names, n=1)
    return ConformanceError(
        f"metric kind {kind!r} has no argument {name!r}",
        where=Location(element=f"args.{name}"),
        expected=f"only {', '.join(names)}" if names else "no arguments",
        found=name,
        fix=f"Rename it to {near[0]!r}." if near else f"Remove {name!r} from the metric's args.",
    )
