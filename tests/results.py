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

from conformance.plan.jobs import Measuring
from conformance.plan.requests import typed, untyped
from conformance.plan.results import Outcome, R, Result, result_from_json
from conformance.verdicts import ConformanceError

CLASS_OF: Mapping[str, type[Result]] = {job.kind: job.Result for job in Measuring.__subclasses__()}

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
    if isinstance(given, ConformanceError):
        return given.to_json()
    if is_dataclass(given):
        return untyped(given)
    needed = _without_none(kind)
    if isinstance(given, Mapping):
        return _filled_object(needed, given)
    if get_origin(needed) is tuple:
        return [_filled(get_args(needed)[0], each) for each in given]
    return given


def _filled_object(kind: Any, given: Given) -> Any:
    args = get_args(kind)
    if get_origin(kind) is Outcome:
        error = given.get("error")
        return _filled(args[0], given) if error is None else {"error": _filled(None, error)}
    if not is_dataclass(kind):
        return {name: _filled(args[1] if args else None, each) for name, each in given.items()}
    known = _hints(kind)
    data = {name: _filled(known[name], each) for name, each in given.items() if name in known}
    for each in fields(kind):
        if each.default is MISSING and each.default_factory is MISSING:
            data.setdefault(each.name, _nothing(known[each.name]))
    return data


def _nothing(kind: Any) -> Any:
    """Return JSON of what is nothing of its kind."""
    needed = _without_none(kind)
    origin, args = get_origin(needed), get_args(needed)
    if needed is not kind:
        return None
    if origin in (Union, UnionType):
        return _nothing(args[0])
    if origin is Outcome or is_dataclass(needed):
        return _filled(needed, {})
    if origin is Literal:
        return args[0]
    return [] if origin is tuple else {} if origin is not None else needed()


def _without_none(kind: Any) -> Any:
    """Return what an optional kind is if it is not None."""
    args = [each for each in get_args(kind) if each is not type(None)]
    is_optional = len(args) < len(get_args(kind)) and get_origin(kind) in (Union, UnionType)
    return Union[tuple(args)] if is_optional else kind  # noqa: UP007 - made of what is there


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)
