"""Results for tests, made of the few fields that a test is about.

    decoded = result_of("decode", {"tensors": {"w": {"non_finite": 2}}})

What is left out is nothing of its kind: 0, an empty string or table, None; what a class does not
have is dropped, so that several may be made of one dict. Decoded tensors are usable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from conformance.plan.jobs import KIND_OF
from conformance.plan.requests import typed, untyped
from conformance.plan.results import Outcome, R, Result, result_from_json
from conformance.verdicts import ConformanceError

CLASS_OF: Mapping[str, type[Result]] = {kind: result for result, kind in KIND_OF.items()}

Given = Mapping[str, Any]


def result_of(kind: str, given: Given) -> Result:
    """Return the result of a kind of job."""
    return made(CLASS_OF[kind], given)


def made(kind: type[R], given: Given) -> R:
    """Return a result of this class."""
    return result_from_json(kind, _filled(kind, {"usable": True, **given}))


def row(kind: type[Any], given: Given) -> Any:
    """Return a value of another class of results."""
    return typed(_filled(kind, given), kind, defaults=True)


def _filled(kind: Any, given: Any) -> Any:
    """Return JSON of a class, with what is missing in ``given``."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        chosen = [each for each in args if each is not type(None)]
        return None if given is None else _filled(chosen[0], given) if len(chosen) == 1 else given
    if isinstance(given, ConformanceError):
        return given.to_json()
    if origin is Outcome:
        return _outcome(args[0], given)
    if is_dataclass(kind) and is_dataclass(given):
        return untyped(given)
    if is_dataclass(kind):
        known = _hints(kind)
        names = {each.name: each for each in fields(kind)}
        data = {name: value for name, value in given.items() if name in names}
        for name, each in names.items():
            if name in data:
                data[name] = _filled(known[name], data[name])
            elif each.default is MISSING and each.default_factory is MISSING:
                data[name] = _nothing(known[name])
        return data
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {name: _filled(args[1], value) for name, value in given.items()}
    if origin is tuple:
        return [_filled(args[0], each) for each in given]
    return given


def _outcome(kind: Any, given: Any) -> Any:
    if isinstance(given, Mapping) and "error" in given:
        return {"error": _filled(ConformanceError, given["error"])}
    return _filled(kind, given)


def _nothing(kind: Any) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if type(None) in args else _nothing(args[0])
    if origin is Literal:
        return args[0]
    if origin is Outcome:
        return _filled(kind, {})
    if is_dataclass(kind):
        return _filled(kind, {})
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {}
    if origin is tuple:
        return []
    return kind()


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)
