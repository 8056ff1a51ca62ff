"""Turn an SVG document of Matplotlib into an element that can stand inside a page.

What is left out: metadata, style sheets (they would hold for the whole page), ids that nothing
refers to, the font, for the page has its own, and the size in points. Ids that stay get a prefix,
for two pictures may have the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

NAMESPACE = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_DROPPED = frozenset({"metadata", "style", "title"})
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_REFERENCE = re.compile(r"url\(#([\w-]+)\)")
_FONT = re.compile(r"font-family: [^;]*;? ?")


def embeddable(
    document: bytes, variables: Mapping[str, str], prefix: str, title: str, description: str
) -> str:
    """Return the picture in ``document``, which this program made, as one ``svg`` element.

    Colours that are keys of ``variables`` become ``var(--value)``. The title and the description
    are for those who cannot see the picture.
    """
    root = ET.fromstring(document)  # noqa: S314
    _drop(root)
    used = _referred_to(root)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.text = (element.text or "").strip() or None
        element.tail = None
        _rewrite(element, used, variables, prefix)
    named = {"title": title, "desc": description}
    for place, (tag, text) in enumerate(named.items()):
        element = ET.Element(tag, {"id": f"{prefix}-{tag}"})
        element.text = text
        root.insert(place, element)
    root.attrib = {
        "xmlns": NAMESPACE,
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": " ".join(f"{prefix}-{tag}" for tag in named),
    }
    return ET.tostring(root, encoding="unicode")


def _drop(element: ET.Element) -> None:
    for child in list(element):
        if child.tag.rpartition("}")[2] in _DROPPED:
            element.remove(child)
        else:
            _drop(child)


def _referred_to(root: ET.Element) -> frozenset[str]:
    found: set[str] = set()
    for element in root.iter():
        found.add(element.get(_HREF, "").removeprefix("#"))
        for value in element.attrib.values():
            found.update(_REFERENCE.findall(value))
    return frozenset(found)


def _rewrite(
    element: ET.Element, used: frozenset[str], variables: Mapping[str, str], prefix: str
) -> None:
    attributes: dict[str, str] = {}
    for name, value in element.attrib.items():
        if name == "id":
            if value in used:
                attributes["id"] = f"{prefix}-{value}"
        elif name == _HREF:
            attributes["href"] = f"#{prefix}-{value.removeprefix('#')}"
        else:
            changed = " ".join(_REFERENCE.sub(rf"url(#{prefix}-\1)", value).split())
            if name == "style":
                changed = _FONT.sub("", changed)
                changed = _COLOUR.sub(lambda found: _variable(found[0], variables), changed)
            attributes[name] = changed
    element.attrib = attributes


def _variable(colour: str, variables: Mapping[str, str]) -> str:
    return f"var(--{variables[colour]})" if colour in variables else colour
