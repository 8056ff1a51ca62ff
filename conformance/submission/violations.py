"""What a JSON Schema refuses, in plain words and each defect once.

Two errors about the same value, or a misspelt key and the lack of the key it was meant to be,
become one :class:`Violation`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from conformance.jsonschemas import validator
from conformance.submission.positions import Pointer
from conformance.submission.text import count, is_placeholder, kinds, listing, nearest, shown
from conformance.verdicts import Json, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation(Problem):
    """One breach of the schema at ``pointer``, explained.

    ``key`` is the key that is not known, ``missing`` are the keys of which one is needed; of a
    misspelt key both are set.
    """

    pointer: Pointer
    key: str | None = None
    missing: tuple[str, ...] = ()


def find_violations(data: Json, limit: int, schema: str = "submission") -> tuple[Violation, ...]:
    """Return what the schema named ``schema`` has against ``data``, at most ``limit`` times."""
    violations = (
        violation
        for error in validator(schema).iter_errors(data)
        for violation in _explain(
            _Breach(
                pointer=tuple(error.absolute_path),
                keyword=str(error.validator),
                demand=error.validator_value,
                schema=error.schema,
                value=error.instance,
                text=error.message,
            )
        )
    )
    return _without_echoes(list(islice(violations, limit)))


def _without_echoes(violations: list[Violation]) -> tuple[Violation, ...]:
    misspelt = {
        (each.pointer[:-1], name) for each in violations if each.key for name in each.missing
    }
    kept: dict[tuple[Pointer, str | None, tuple[str, ...]], Violation] = {}
    for each in violations:
        echo = not each.key and any((each.pointer, name) in misspelt for name in each.missing)
        if not echo:
            kept.setdefault((each.pointer, each.key, each.missing), each)
    return tuple(kept.values())


@dataclass(frozen=True, slots=True)
class _Breach:
    """One error of the schema library.

    ``value`` at ``pointer`` does not do what ``keyword`` of ``schema`` demands; ``text`` is how
    the library puts it.
    """

    pointer: Pointer
    keyword: str
    demand: Json
    schema: Json
    value: Json
    text: str

    @property
    def name(self) -> str:
        """What a submitter calls the value: the last key on the way to it."""
        names = [part for part in self.pointer if isinstance(part, str)]
        if not names:
            return "the document"
        last = self.pointer[-1]
        return f"entry {last} of {names[-1]}" if isinstance(last, int) else names[-1]

    @property
    def owner(self) -> str:
        """What kind of object the value is, and its id where it has one."""
        title = str(self.schema.get("title", "object"))
        identifier = self.value.get("id")
        return f"{title} {shown(identifier)}" if isinstance(identifier, str) else title

    @property
    def description(self) -> str:
        """What the schema says of the value."""
        return str(self.schema.get("description", ""))


def _explain(breach: _Breach) -> Iterator[Violation]:
    """Yield what is wrong; an object may have several keys that are not known."""
    if is_placeholder(breach.value):
        yield _still_to_be_filled_in(breach)
    else:
        yield from _EXPLAINERS[breach.keyword](breach)


def explained_keywords() -> frozenset[str]:
    """Return the JSON Schema keywords whose errors can be explained."""
    return frozenset(_EXPLAINERS)


def _violation(
    breach: _Breach, message: str, expected: str, fix: str, found: str = ""
) -> Violation:
    return Violation(
        pointer=breach.pointer,
        message=message,
        expected=expected,
        found=found or shown(breach.value),
        fix=fix,
    )


def _still_to_be_filled_in(breach: _Breach) -> Violation:
    text = str(breach.value)
    hint = re.search(r"<fill in:?\s*([^>]*)", text)
    return _violation(
        breach,
        f"{breach.name} is still to be filled in",
        hint[1] if hint and hint[1] else breach.description,
        "Replace the whole string, from '<fill in' to '>', by the value.",
    )


def _explain_required(breach: _Breach) -> Iterator[Violation]:
    # The library reports one error for each missing key, and names it only in its text.
    required = [str(each) for each in breach.demand]
    name = next(each for each in required if breach.text.startswith(f"{each!r} "))
    description = breach.schema["properties"].get(name, {}).get("description", "")
    violation = _violation(
        breach,
        f"{breach.owner} lacks {name!r}",
        f"{name!r}: {description}",
        f"Add {name!r}; docs/fields.md shows an example.",
        f"the keys {listing(breach.value)}" if breach.value else "an object without keys",
    )
    yield replace(violation, missing=(name,))


def _explain_any_of(breach: _Breach) -> Iterator[Violation]:
    names = tuple(str(name) for choice in breach.demand for name in choice["required"])
    wanted = " or ".join(repr(name) for name in names)
    violation = _violation(
        breach,
        f"{breach.owner} lacks {wanted}",
        f"at least one of {wanted}",
        f"Add {wanted}.",
        f"the keys {listing(breach.value)}",
    )
    yield replace(violation, missing=names)


def _explain_unknown_keys(breach: _Breach) -> Iterator[Violation]:
    schema = breach.schema
    known, patterns = schema["properties"], schema.get("patternProperties", {})
    free = [name for name in known if name not in breach.value]
    for key in breach.value:
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            yield _unknown_key(breach, key, nearest(key, free), free)


def _unknown_key(breach: _Breach, key: str, meant: str | None, free: list[str]) -> Violation:
    expected = f"the key {meant!r}" if meant else f"one of the keys {listing(free)}"
    if not free:
        expected = "no further key"
    fix = f"Did you mean {meant!r}? Rename it" if meant else "Remove it"
    violation = _violation(
        breach,
        f"{shown(key)} is not a key of {breach.owner}" + (f", but {meant!r} is" if meant else ""),
        expected,
        f"{fix}; your own keys start with 'x_'.",
        f"the key {shown(key)}",
    )
    missing = (meant,) if meant else ()
    return replace(violation, pointer=(*breach.pointer, key), key=key, missing=missing)


def _explain_type(breach: _Breach) -> Iterator[Violation]:
    wanted = kinds(breach.demand)
    quoted = isinstance(breach.value, str) and not str(wanted).startswith("a string")
    fix = "Write it without quotation marks." if quoted else f"Write {wanted}."
    yield _violation(breach, f"{breach.name} has the wrong type", wanted, fix)


def _explain_choice(breach: _Breach) -> Iterator[Violation]:
    listed = isinstance(breach.demand, list)
    choices = breach.demand if listed else [breach.demand]
    wanted = " or ".join(shown(each) for each in choices)
    meant = nearest(breach.value, choices) if isinstance(breach.value, str) else None
    fix = f"Did you mean {shown(meant)}?" if meant else f"Write {wanted}."
    yield _violation(breach, f"{breach.name} has a value that is not known", wanted, fix)


def _explain_form(breach: _Breach) -> Iterator[Violation]:
    wanted = breach.description or str(breach.demand)
    yield _violation(breach, f"{breach.name} is not in the right form", wanted, f"Write {wanted}.")


def _explain_length(breach: _Breach) -> Iterator[Violation]:
    most = breach.keyword == "maxLength"
    wanted = f"at {'most' if most else 'least'} {count(breach.demand, 'character')}"
    length = f"{count(len(breach.value), 'character')}: {shown(breach.value)}"
    found = length if breach.value else "an empty string"
    fix = "Shorten it." if most else "Write a string."
    yield _violation(
        breach, f"{breach.name} is too {'long' if most else 'short'}", wanted, fix, found
    )


def _reason(breach: _Breach) -> str:
    """Return the reason of a rule that depends on the value of another field: it has no type."""
    return "" if "type" in breach.schema else f": {breach.description}"


def _explain_too_few(breach: _Breach) -> Iterator[Violation]:
    wanted = f"at least {count(breach.demand, 'entry', 'entries')}"
    description = breach.description
    expected = f"{wanted}: {description}" if description else wanted
    found = "an empty list" if not breach.value else ""
    message = f"{breach.name} has too few entries{_reason(breach)}"
    yield _violation(breach, message, expected, f"Give {wanted}.", found)


def _explain_too_many(breach: _Breach) -> Iterator[Violation]:
    wanted = f"at most {count(breach.demand, 'entry', 'entries')}"
    found = count(len(breach.value), "entry", "entries")
    message = f"{breach.name} has too many entries"
    yield _violation(breach, message, wanted, f"Give {wanted}.", found)


_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
}


def _explain_bound(breach: _Breach) -> Iterator[Violation]:
    wanted = f"a number of {_BOUNDS[breach.keyword]} {shown(breach.demand)}"
    message = f"{breach.name} is out of range{_reason(breach)}"
    yield _violation(breach, message, wanted, f"Write {wanted}.")


_EXPLAINERS: dict[str, Callable[[_Breach], Iterator[Violation]]] = {
    "required": _explain_required,
    "anyOf": _explain_any_of,
    "additionalProperties": _explain_unknown_keys,
    "type": _explain_type,
    "enum": _explain_choice,
    "const": _explain_choice,
    "pattern": _explain_form,
    "format": _explain_form,
    "not": _explain_form,
    "minLength": _explain_length,
    "maxLength": _explain_length,
    "minItems": _explain_too_few,
    "maxItems": _explain_too_many,
    **dict.fromkeys(_BOUNDS, _explain_bound),
}
