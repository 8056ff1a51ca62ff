"""Take the fields of a JSON object one by one, with an error for each that is not right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from conformance.tensorfiles import DType, check_shape, dtype_named
from conformance.verdicts import Json, Location, MalformedError

Choice = TypeVar("Choice", bound=str | int)


class Fields:
    """The fields of one JSON object; ``title`` and ``where`` name it in errors.

    A field without a default is required. :meth:`finish` refuses those nobody asked for.
    """

    def __init__(self, data: Json, title: str, where: Location) -> None:
        self.title = title
        self.where = where
        if not isinstance(data, Mapping):
            raise self.error("is not a JSON object", "an object", repr(data)[:80])
        self._data = data
        self._asked: set[str] = set()

    def has(self, key: str) -> bool:
        """Return whether the field is there."""
        self._asked.add(key)
        return key in self._data

    def items(self) -> Iterable[tuple[str, Json]]:
        """Take all fields, whatever they are called."""
        self._asked.update(self._data)
        return self._data.items()

    def text(self, key: str) -> str:
        """Take a string."""
        value = self._take(key)
        if isinstance(value, str):
            return value
        raise self._wrong(key, "a string", value)

    def choice(self, key: str, choices: Sequence[Choice], default: Choice | None = None) -> Choice:
        """Take one of ``choices``."""
        if default is not None and not self.has(key):
            return default
        value = self._take(key)
        for choice in choices:
            if value == choice and type(value) is type(choice):
                return choice
        raise self._wrong(key, f"one of {', '.join(map(str, choices))}", value)

    def natural(self, key: str) -> int:
        """Take an integer that is not negative."""
        value = self._take(key)
        if type(value) is int and value >= 0:
            return value
        raise self._wrong(key, "an integer, 0 or more", value)

    def within(self, key: str, first: int, last: int) -> int:
        """Take an integer from ``first`` to ``last``."""
        value = self._take(key)
        if type(value) is int and first <= value <= last:
            return value
        raise self._wrong(key, f"an integer from {first} to {last}", value)

    def flag(self, key: str) -> bool:
        """Take true or false."""
        value = self._take(key)
        if isinstance(value, bool):
            return value
        raise self._wrong(key, "true or false", value)

    def shape(self, key: str) -> tuple[int, ...]:
        """Take a list of sizes."""
        return check_shape(self._take(key), self.where)

    def shapes(self, key: str) -> dict[str, tuple[int, ...]]:
        """Take an object of shapes by name; empty where there is none."""
        value = self._take(key) if self.has(key) else {}
        if isinstance(value, Mapping):
            return {name: check_shape(shape, self.where) for name, shape in value.items()}
        raise self._wrong(key, "an object of lists of sizes", value)

    def dtype(self, key: str, default: str | None = None) -> DType:
        """Take the name of an element type."""
        name = default if default is not None and not self.has(key) else self.text(key)
        try:
            return dtype_named(name)
        except KeyError:
            raise self._wrong(key, "a NumPy or ml_dtypes name such as float32", name) from None

    def finish(self) -> None:
        """Refuse fields that nothing has asked for."""
        unknown = sorted(set(self._data) - self._asked)
        if unknown:
            raise self.error(
                f"has a field {unknown[0]!r} that is not known",
                f"some of {', '.join(sorted(self._asked))}",
                ", ".join(map(repr, unknown))[:200],
            )

    def error(self, problem: str, expected: str, found: str) -> MalformedError:
        """Return a MalformedError about this object."""
        return MalformedError(
            f"{self.title} {problem}",
            where=self.where,
            expected=expected,
            found=found,
            fix="Correct it as docs/codecs.md describes, and write the file again.",
        )

    def _take(self, key: str) -> Json:
        self._asked.add(key)
        if key in self._data:
            return _integral(self._data[key])
        raise self.error(f"lacks the field {key!r}", f"a field {key!r}", ", ".join(self._data))

    def _wrong(self, key: str, expected: str, value: Json) -> MalformedError:
        return self.error(f"has a wrong {key!r}", expected, repr(value)[:80])


def _integral(value: Json) -> Json:
    """Return ``value`` with 1 in the place of 1.0: to JSON they are one number."""
    if isinstance(value, list):
        return [_integral(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _integral(each) for key, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
