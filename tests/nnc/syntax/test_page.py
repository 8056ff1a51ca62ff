"""The page of the syntax says what the description says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from conformance.nnc.syntax import PAYLOAD_ELEMENTS, UNITS
from tests.nnc.syntax.test_description import fields

DOCS = Path(__file__).parents[3] / "docs"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("page", DOCS / "generate_nnc_syntax.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_syntax_is_up_to_date():
    module = generator()
    text = module.PAGE.read_text("utf-8")
    assert text == module.page(), "run: python docs/generate_nnc_syntax.py"


def test_every_element_is_on_the_page():
    text = generator().page()
    for item in fields():
        assert f"`{item.name}`" in text
        assert all(f"| {each.rule} |" in text for each in item.constraints)
    for each in PAYLOAD_ELEMENTS:
        assert f"`{each.name}`" in text
    for unit in UNITS.values():
        assert f"## {unit.unit_type}: {unit.title}\n" in text


def test_the_rows_of_each_table_have_as_many_cells_as_its_head():
    width = 0
    for line in generator().page().splitlines():
        cells = line.replace("\\|", "").count("|")
        width = cells if line.startswith("|") and width == 0 else width
        if not line.startswith("|"):
            width = 0
        assert cells in {0, width} or not line.startswith("|"), line
