"""Write the table of metric kinds in ``docs/metrics.md``, from the kinds themselves.

::

    python docs/generate_metrics.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from conformance.metrics import METRICS, REQUIRED, Arg, Metric, metric_class

PAGE = Path(__file__).parent / "metrics.md"
BEGIN = "<!-- kinds: written by docs/generate_metrics.py -->\n"
END = "<!-- end of kinds -->\n"
OURS = "nnr-conformance "


def page() -> str:
    """Return the text of the page, with the kinds as they are now."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{kinds()}\n{END}{after}"


def kinds() -> str:
    """Return a section for every built-in kind."""
    ours = [name for name in METRICS.names() if METRICS.distribution(name).startswith(OURS)]
    return "\n".join(line for name in ours for line in _section(metric_class(name)))


def _section(kind: type[Metric]) -> Iterator[str]:
    about = kind.about
    yield f"### {kind.kind}\n"
    yield f"{about.summary}\n"
    yield "| | |"
    yield "|---|---|"
    yield from (
        f"| {name} | {text} |"
        for name, text in (
            ("predictions", _names(kind.roles.predictions)),
            ("targets", _names(kind.roles.targets)),
            ("arrays", about.inputs),
            ("unit", about.unit),
            ("range", about.range),
            ("better", about.better),
            ("statistics of an item", about.statistics),
            ("computed by", about.library),
            ("interval", _interval(kind)),
            ("counts", _counts(kind)),
        )
    )
    yield ""
    yield from _arguments(kind.arguments)


def _names(roles: tuple[str, ...]) -> str:
    return ", ".join(f"`{role}`" for role in roles)


def _counts(kind: type[Metric]) -> str:
    """Return what the kind counts, and from what number on its value is judged."""
    return "; ".join(f"{count.noun} ({count.of}): at least {count.least}" for count in kind.counts)


def _interval(kind: type[Metric]) -> str:
    if kind.finish is Metric.finish:
        return "none"
    return "McNemar, Bonett-Price" if kind.binary else "Student and Hall, jackknife"


def _arguments(arguments: tuple[Arg, ...]) -> Iterator[str]:
    if not arguments:
        yield "No arguments.\n"
        return
    yield "| argument | default | allowed | meaning |"
    yield "|---|---|---|---|"
    for argument in arguments:
        default = "needed" if argument.default is REQUIRED else f"`{json.dumps(argument.default)}`"
        row = [f"`{argument.name}`", default, argument.allowed, argument.description]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
