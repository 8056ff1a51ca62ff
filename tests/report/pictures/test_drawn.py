from __future__ import annotations

import pytest

from conformance.report.pictures import curves, drawn
from conformance.report.pictures.drawn import MOST, picture
from tests.report.compared import curve, tree


def test_what_has_not_changed_is_not_drawn_again() -> None:
    block = curve(metric="drawn once")
    first = picture("curve", block, 0)
    assert picture("curve", curve(metric="drawn once"), 0) is first


def test_what_has_changed_is_drawn_again() -> None:
    assert picture("curve", curve(reference=0.5), 0) != picture("curve", curve(reference=0.6), 0)


def test_pictures_of_one_page_share_no_id() -> None:
    one, other = picture("curve", curve(), 0), picture("curve", curve(), 1)
    assert 'id="curve-0-title"' in one
    assert 'id="curve-1-title"' in other
    assert "curve-0" not in other
    assert 'id="tree-0-title"' in picture("tree", tree(), 0)


def test_a_page_has_no_end_of_pictures() -> None:
    assert picture("curve", curve(), MOST - 1)
    assert picture("curve", curve(), MOST) == ""


@pytest.mark.parametrize("error", [ImportError, OSError, ValueError, OverflowError])
def test_a_picture_that_cannot_be_drawn_costs_nobody_the_report(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise error

    monkeypatch.setattr(drawn, "DRAWERS", {"curve": broken, "tree": curves.draw})
    assert picture("curve", curve(metric=error.__name__), 0) == ""
