"""Figures that become SVG: always the same bytes, in colours that the page chooses.

Matplotlib draws with stand-ins, which :mod:`~conformance.report.pictures.svg` replaces by the
variables of the page's style sheet, so that one picture serves on light, on dark and on paper.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from conformance.report import words
from conformance.report.pictures.importing import quiet_matplotlib
from conformance.report.pictures.svg import embeddable
from conformance.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEXT, MUTED, LINE, PAGE, BAD = ("#010101", "#010102", "#010103", "#010104", "#010105")
SERIES = tuple(f"#0102{index:02x}" for index in range(8))
MARKERS: Mapping[str, str] = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼"}
"""Markers by Matplotlib's name, and the same as characters, for legends in the page's own text."""

VARIABLES: Mapping[str, str] = {
    TEXT: "text",
    MUTED: "muted",
    LINE: "line",
    PAGE: "page",
    BAD: "bad",
    **{colour: f"series-{index}" for index, colour in enumerate(SERIES)},
}
"""The variable of the style sheet that each stand-in becomes."""

LABEL_LENGTH = 60
"""Characters of a string from a submission that a picture shows."""

MOST = 5000
"""Points or steps beyond so many are not drawn: the picture would be larger than the table."""

LARGEST = 1e100
"""Values further from 0 are not drawn: arithmetic on the ends of an axis would overflow."""

_SETTINGS: Any = {  # Matplotlib knows the type of each of its settings.
    # Letters as text, not as outlines: they can be found, copied and read aloud.
    "svg.fonttype": "none",
    "svg.hashsalt": "nnr-conformance",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.formatter.useoffset": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "text.color": TEXT,
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "font.size": 9,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Let figures be made within, by these settings and no others, whatever the user's are."""
    with quiet_matplotlib():
        import matplotlib as mpl

        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_SETTINGS)
            yield


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches; only within :func:`drawing`."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def label(axes: Axes, *, x: str = "", y: str = "") -> None:
    """Name the axes; the strings may be hostile, and stay text."""
    axes.set_xlabel(short(x), parse_math=False)
    axes.set_ylabel(short(y), parse_math=False)


def number(axes: Axes, places: Iterable[tuple[int, tuple[float, float]]]) -> None:
    """Write numbers next to places (x, y); those of one place stand together."""
    numbers: dict[tuple[float, float], list[str]] = {}
    for each, place in places:
        numbers.setdefault(place, []).append(str(each))
    for place, texts in numbers.items():
        axes.annotate(
            ", ".join(texts),
            place,
            xytext=(6, 5),
            textcoords="offset points",
            fontsize=8,
            color=MUTED,
        )


def short(text: str) -> str:
    """Return one line of harmless text, cut where it is longer than a picture has room for."""
    line = " ".join(visible(text).split())
    return line if len(line) <= LABEL_LENGTH else f"{line[: LABEL_LENGTH - 1]}…"


def size_mark(value: float, _place: int) -> str:
    """Return a number of bytes on an axis: ``16 KiB``, without decimals that are zero."""
    return words.size(round(value)).replace(".00 ", " ").replace(".0 ", " ")


def drawable(numbers: Iterable[Any]) -> bool:
    """Whether all of these are numbers that an axis can hold."""
    return all(isinstance(number, int | float) and abs(number) < LARGEST for number in numbers)


def svg_of(drawn: Figure, prefix: str, title: str, description: str) -> str:
    """Return a figure as an ``svg`` element; only within :func:`drawing`.

    ``prefix`` begins all its ids, so that several pictures can stand in one page.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    FigureCanvasSVG(drawn)
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="svg", metadata={"Date": None})
    return embeddable(buffer.getvalue(), VARIABLES, prefix, visible(title), visible(description))
