"""One question of a command: its arguments, and where the long part of the answer goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from conformance.sandbox.limits import Limits
from conformance.text import one_line
from conformance.verdicts import Json

PRINTED = "printed"
"""The file with what the command prints: UTF-8, where lone surrogates are let through."""


class EndedError(Exception):
    """The command ends with these words and this exit code; ``option`` is what they are about."""

    def __init__(self, text: str, code: int, option: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.option = option


class Asked:
    """A question; ``folder`` takes files that the parent moves to where the caller wants them."""

    def __init__(self, arguments: Mapping[str, Json], folder: Path, limits: Limits) -> None:
        self.arguments = arguments
        self.folder = folder
        self.limits = limits
        self._printed: TextIO | None = None

    def path(self, name: str) -> Path:
        """Return the file that an argument names."""
        return Path(self.arguments[name])

    def paths(self, name: str) -> list[Path]:
        """Return the files that an argument names."""
        return [Path(each) for each in self.arguments[name]]

    def print(self, lines: Iterable[str]) -> None:
        """Let the command print lines; what is one here stays one, whatever a name in it holds."""
        self.print_json(map(one_line, lines))

    def print_json(self, parts: Iterable[str]) -> None:
        """Let the command print a document; its parts end where a line of it does."""
        if self._printed is None:
            self._printed = (self.folder / PRINTED).open(
                "w", encoding="utf-8", errors="surrogatepass", newline="\n"
            )
        self._printed.writelines(f"{part}\n" for part in parts)

    def close(self) -> None:
        """Close the file of what is printed."""
        if self._printed is not None:
            self._printed.close()
