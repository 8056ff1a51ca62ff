"""What all commands have in common: they work from an empty folder, and print through one door."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from conformance.caller import as_typed, elsewhere, resolve
from conformance.text import visible


class App(typer.Typer):
    """An application whose commands resolve their paths, then work from an empty folder."""

    def command(self, *args: Any, **options: Any) -> Callable[..., Any]:
        """Register a command, as :meth:`typer.Typer.command` does."""
        register = super().command(*args, **options)
        return lambda function: register(_from_elsewhere(function))


def say(text: str, *, err: bool = False) -> None:
    """Print ``text``; what would act on the terminal, or it cannot show, is escaped."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    shown = visible(as_typed(text)).encode(encoding, "backslashreplace").decode(encoding)
    typer.echo(shown, err=err)


def _from_elsewhere(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def command(**options: Any) -> None:
        with elsewhere():
            function(**{name: _resolved(value) for name, value in options.items()})

    return command


def _resolved(value: Any) -> Any:
    if isinstance(value, Path):
        return resolve(value)
    if isinstance(value, list):
        return [_resolved(each) for each in value]
    return value
