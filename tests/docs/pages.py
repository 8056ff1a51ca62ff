"""The pages of the documentation, taken apart: headings, links, paths and blocks of code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
SHELLS = ("sh", "console", "yaml")
COMMAND = "nnr-conformance"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PLACE = re.compile(r"in `(/[^`]*)`[^`]*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code; ``before`` is the text of the page up to it."""

    language: str
    text: str
    before: str

    @property
    def pointer(self) -> str | None:
        """The JSON pointer that the sentence before the block names: ``In `/models/0`:``."""
        found = _PLACE.search(self.before.rstrip().rpartition("\n\n")[2])
        return found[1] if found else None

    @property
    def file(self) -> str | None:
        """The file whose name, and nothing else, stands before the block."""
        last = self.before.rstrip().rpartition("\n")[2]
        found = re.fullmatch(r"`([^`]+)`:", last)
        return found[1] if found else None


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(text: str, *languages: str) -> list[Block]:
    """Return the blocks of code, in the languages that are named or in all."""
    found = (Block(m[1], m[2], text[: m.start()]) for m in _FENCE.finditer(text))
    return [block for block in found if not languages or block.language in languages]


def prose(text: str) -> str:
    """Return the text without its blocks of code."""
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    return _LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    titles = (re.sub(r"[^\w\s-]", "", title.lower()) for title in _HEADING.findall(prose(text)))
    return {title.strip().replace(" ", "-") for title in titles}


def inline_code(text: str) -> list[str]:
    return _CODE.findall(prose(text))


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the arguments of every nnr-conformance command line in a block of code."""
    for block in blocks(text, *SHELLS):
        for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
            command = re.sub(r"^\s*(\$ |- run: )?", "", line)
            if command.startswith(f"{COMMAND} ") and (block.language != "console" or "$" in line):
                yield shlex.split(command, comments=True)[1:]
