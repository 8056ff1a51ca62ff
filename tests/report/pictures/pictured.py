"""Read an SVG back as XML, and say what is in it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"


class Drawing:
    """A parsed picture; parsing it proves that it is well-formed."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.root = ET.fromstring(text)
        assert self.root.tag == f"{SVG}svg"

    @property
    def texts(self) -> list[str]:
        return ["".join(e.itertext()) for e in self.root.iter(f"{SVG}text")]

    @property
    def tags(self) -> set[str]:
        return {element.tag.removeprefix(SVG) for element in self.root.iter()}

    @property
    def ids(self) -> list[str]:
        return [e.attrib["id"] for e in self.root.iter() if "id" in e.attrib]

    @property
    def references(self) -> set[str]:
        found = {e.get("href", "").removeprefix("#") for e in self.root.iter(f"{SVG}use")}
        return found | set(re.findall(r"url\(#([\w-]+)\)", self.source))

    def marks(self, colour: str, *, fill: str | None = None) -> int:
        """Return how many marks have this outline, and this filling if one is given."""
        wanted = f"stroke: var(--{colour})"
        styles = [e.get("style", "") for e in self.root.iter(f"{SVG}use")]
        return sum(
            wanted in style and (fill is None or f"fill: var(--{fill})" in style)
            for style in styles
        )
