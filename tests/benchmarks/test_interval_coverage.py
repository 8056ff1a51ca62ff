"""The table of coverage in docs/metrics.md is what the code gives, and keeps what the page says."""

import re

import interval_coverage
import pytest
from interval_coverage import ADDED, BEGIN, END, FAMILIES, ITEMS, PAGE, SETS, simulate

PROMISED = 0.93


@pytest.fixture(scope="module")
def rows():
    tables = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    lines = [line.strip("| ").split(" | ") for line in tables.splitlines() if line.startswith("| ")]
    return {tuple(line[:2]): line[2:] for line in lines}


def test_every_cell_holds_what_the_page_promises(rows):
    for family in FAMILIES:
        for items in ITEMS:
            cells = rows[family.kind, str(items)]
            assert len(cells) == len(ADDED)
            assert all(float(cell.split(" ")[0]) >= PROMISED for cell in cells), cells


@pytest.mark.parametrize("added", ["log-normal 1.5", "ties"])
def test_a_cell_is_what_the_simulation_gives(rows, added):
    """The draws are the same everywhere; another CPU may round a set to the other side."""
    place = list(ADDED).index(added)
    cell = simulate(FAMILIES[0], added, 20, 0.95, SETS)
    told = [float(number) for number in re.findall(r"[\d.]+", rows["mse", "20"][place])]
    assert told[0] == pytest.approx(cell.held, abs=0.003)
    assert told[1] == pytest.approx(cell.width, abs=0.11)
    assert told[2:] == pytest.approx([100 * cell.given] if len(told) > 2 else [], abs=0.6)


def test_both_sides_are_missed_in_a_symmetric_case():
    cell = simulate(FAMILIES[0], "normal", 1000, 0.9, 400)
    assert 0.005 < cell.below < 0.06
    assert 0.005 < cell.above < 0.06


def test_the_tables_are_written_between_their_marks(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", "utf-8")
    monkeypatch.setattr(interval_coverage, "PAGE", page)
    monkeypatch.setattr(interval_coverage, "FAMILIES", FAMILIES[:1])
    monkeypatch.setattr(interval_coverage, "ITEMS", (20,))
    monkeypatch.setattr("sys.argv", ["interval_coverage.py", "--sets", "40", "--write"])
    interval_coverage.main()
    text = page.read_text("utf-8")
    assert text.startswith(f"before\n{BEGIN}\n\n| metric | items | normal |")
    assert text.endswith(f"\n\n{END}\nafter\n")
    assert "| mse | 20 | " in text
    assert "| 99% | 20 | " in text
    assert "old" not in text
