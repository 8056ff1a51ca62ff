"""A JSON document looked into step by step: whatever is not as expected is named with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from conformance.tensorfiles import distinct
from conformance.verdicts import Json, LimitError, Location, MalformedError

_AGAIN = "Save the program again with torch.export.save: the file is damaged or was edited."
_INFINITE = {"Infinity": float("inf"), "-Infinity": float("-inf"), "NaN": float("nan")}
_MOST_SHOWN = 80
_UNPAIRED = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class View:
    """A value in ``member`` of ``file``; ``pointer`` (RFC 6901) leads to it."""

    value: Json
    file: str
    member: str
    pointer: str = ""

    @classmethod
    def of(cls, text: str, file: str, member: str) -> View:
        """Parse a document; MalformedError if it is invalid, LimitError if nested too deeply."""
        where = Location(file, element=member)
        try:
            value = json.loads(text, object_pairs_hook=distinct)
        except ValueError as error:
            raise MalformedError(
                f"the member {member!r} is not JSON",
                where=where,
                expected="a JSON document",
                found=str(error)[:200],
                fix=_AGAIN,
            ) from error
        except RecursionError as error:
            raise LimitError(
                f"the member {member!r} is nested too deeply",
                where=where,
                expected="graphs in graphs up to a few levels",
                found="more than Python can follow",
                fix="Export a network with fewer nested branches and loops.",
            ) from error
        return cls(value, file, member)

    @property
    def where(self) -> Location:
        """The place of the value."""
        return Location(self.file, pointer=self.pointer or None, element=self.member)

    def broken(self, expected: str) -> NoReturn:
        """Raise the error of a value that is not what is expected."""
        raise MalformedError(
            "the exported program is not as PyTorch writes it",
            where=self.where,
            expected=expected,
            found=json.dumps(self.value)[:_MOST_SHOWN],
            fix=_AGAIN,
        )

    def at(self, key: str) -> View:
        """Return the value of a key; MalformedError if there is none."""
        if not isinstance(self.value, dict) or key not in self.value:
            self.broken(f"an object with {key!r}")
        return self._child(self.value[key], key)

    def maybe(self, key: str) -> View | None:
        """Return the value of a key, or None if it is not there or null."""
        if not isinstance(self.value, dict):
            self.broken("an object")
        return None if self.value.get(key) is None else self._child(self.value[key], key)

    def union(self) -> tuple[str, View]:
        """Return the one key of an object and its value: how PyTorch writes alternatives."""
        if not isinstance(self.value, dict) or len(self.value) != 1:
            self.broken("an object with one key")
        ((key, value),) = self.value.items()
        return key, self._child(value, key)

    def items(self) -> Iterator[tuple[str, View]]:
        """Yield the keys of an object and their values."""
        if not isinstance(self.value, dict):
            self.broken("an object")
        for key, value in self.value.items():
            if _UNPAIRED.search(key):
                self.broken("keys that are strings")
            yield key, self._child(value, key)

    def elements(self) -> Iterator[View]:
        """Yield the elements of a list."""
        if not isinstance(self.value, list):
            self.broken("a list")
        for index, value in enumerate(self.value):
            yield self._child(value, str(index))

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str) or _UNPAIRED.search(self.value):
            self.broken("a string")
        return self.value

    def integer(self) -> int:
        """Return an integer of 64 bits."""
        if type(self.value) is not int or not -(1 << 63) <= self.value < 1 << 63:
            self.broken("an integer of 64 bits")
        return self.value

    def number(self) -> float:
        """Return a floating-point number; infinities and NaN are written as strings."""
        if isinstance(self.value, str) and self.value in _INFINITE:
            return _INFINITE[self.value]
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.broken("a number")
        try:
            return float(self.value)
        except OverflowError:
            self.broken("a number that fits into 64 bits")

    def flag(self) -> bool:
        """Return a boolean."""
        if not isinstance(self.value, bool):
            self.broken("true or false")
        return self.value

    def _child(self, value: Json, key: str) -> View:
        step = key.replace("~", "~0").replace("/", "~1")
        return View(value, self.file, self.member, f"{self.pointer}/{step}")
