"""Render a report as one HTML page, or as Markdown, from the templates next to this module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from conformance.report import words
from conformance.report.pictures.drawn import picture
from conformance.report.text import clip, escape_markdown, markdown_code
from conformance.report.view import view_of
from conformance.text import visible
from conformance.verdicts import Json

if TYPE_CHECKING:
    from jinja2 import Environment

_HTML_CLIP = 4000
_MARKDOWN_CLIP = 300


def render_html(report: Mapping[str, Json]) -> str:
    """Return the report as one HTML page that needs nothing else."""
    return _html().get_template("report.html.j2").render(view=view_of(report))


def render_markdown(report: Mapping[str, Json]) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    return _markdown().get_template("report.md.j2").render(view=view_of(report))


@cache
def _html() -> Environment:
    from markupsafe import Markup

    environment = _environment(lambda value: visible(clip(str(value), _HTML_CLIP)))
    # What the drawers return is an SVG element in which every string has been escaped.
    environment.globals["picture"] = lambda *data: Markup(picture(*data))  # noqa: S704
    return environment


@cache
def _markdown() -> Environment:
    from markupsafe import Markup

    # escape_markdown leaves nothing that is HTML, so that its result is safe as it stands.
    environment = _environment(
        lambda value: Markup(escape_markdown(clip(str(value), _MARKDOWN_CLIP)))  # noqa: S704
    )
    environment.globals["code"] = lambda text: Markup(markdown_code(text))  # noqa: S704
    return environment


def _environment(make_safe: Callable[[Any], str]) -> Environment:
    """Return an environment in which every expression passes through ``make_safe``.

    Only what a macro of the template itself made is trusted.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("conformance.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else make_safe(value),
    )
    environment.globals["words"] = words
    return environment
