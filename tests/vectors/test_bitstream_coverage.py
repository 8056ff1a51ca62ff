"""The page that says what the bitstream vectors cover."""

import importlib.util
import sys

import pytest

from tests.vectors.bitstream_cases import CASES, ROOT


@pytest.fixture(scope="module")
def generator():
    path = ROOT / "docs" / "generate_nnc_coverage.py"
    spec = importlib.util.spec_from_file_location("generate_nnc_coverage", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows(generator):
    """The cells of each row by the first cell that is not empty."""
    table = [line for line in generator.page().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {next(filter(None, row)): row for row in reversed(cells)}


def test_the_page_is_up_to_date(generator):
    text = generator.PAGE.read_text("utf-8")
    assert text == generator.page(), "run: python docs/generate_nnc_coverage.py"


def test_it_counts_the_cases(rows):
    makers = [case.document["made_by"] for case in CASES]
    for maker in set(makers):
        assert rows[maker][1] == str(makers.count(maker))


def test_it_has_a_row_for_every_feature(rows):
    for case in CASES:
        for entry, _ in case.streams:
            for feature in entry["features"]:
                if not feature.startswith(("edition:", "payload:")):
                    assert f"`{feature}`" in rows


def test_a_row_counts_streams_by_edition_and_payload(rows):
    streams = [
        (case.parts[0], entry["features"])
        for case in CASES
        for entry, _ in case.streams
        if "local-scaling" in entry["features"]
    ]
    header, row = rows["tool"], rows["`local-scaling`"]
    assert row[-1] == str(len(streams))
    second = [f for edition, f in streams if edition == "second-edition" and "payload:block" in f]
    assert row[header.index("second block")] == str(len(second))
    assert row[header.index("first raw-float")] == "·"


def test_pairs_are_counted_once(rows):
    count = sum(
        {"row-skip", "temporal-context"} <= set(entry["features"])
        for case in CASES
        for entry, _ in case.streams
    )
    letters = {row[1]: row[0] for row in rows.values() if len(row[0]) == 1}
    column = 2 + sorted(letters.values()).index(letters["`temporal-context`"])
    assert rows[letters["`row-skip`"]][column] == str(count)
    assert count > 0


def test_numbers_in_names_sort_as_numbers(rows):
    lengths = [int(name.strip("`").partition(":")[2]) for name in rows if "unary-length:" in name]
    lengths.reverse()
    assert lengths == sorted(lengths) != sorted(lengths, key=str)
