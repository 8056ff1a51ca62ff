"""The page of rules has every rule, as it is now."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from conformance.nnc.inspection.document import document_of
from conformance.nnc.inspection.examination import examine
from conformance.nnc.inspection.rules import RULES, validate
from conformance.nnc.inspection.text import listing
from tests.nnc.inspection.breaches import wrong_entries
from tests.nnc.inspection.streams import CONST, around, data, float_unit

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rules", DOCS / "generate_nnc_rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator: ModuleType) -> None:
    text = generator.PAGE.read_text(encoding="utf-8")
    assert text == generator.page(), "run: python docs/generate_nnc_rules.py"


def test_the_page_has_every_rule_once(generator: ModuleType) -> None:
    headings = re.findall(r"^### (.+)$", generator.page(), re.MULTILINE)
    assert sorted(headings) == sorted(rule.id for rule in RULES)


def test_every_rule_has_a_topic_and_every_topic_a_rule(generator: ModuleType) -> None:
    assert {generator.topic_of(rule) for rule in RULES} == set(generator.TOPICS)


def test_the_page_of_the_inspector_describes_every_name_of_the_document() -> None:
    text = (DOCS / "nnc-inspect.md").read_text(encoding="utf-8")
    document = document_of(examine(CONST), bits=True)
    unit = document["units"][3]
    tensor = unit["tensors"][0]
    parts = [document, unit, unit["elements"][0], unit["absent"][0], unit["payload"], tensor]
    parts += [tensor["coding"], tensor["levels"], tensor["quantization"]]
    missing = {name for part in parts for name in part if f"`{name}`" not in text}
    assert not missing


def test_the_page_shows_lines_as_they_are_printed() -> None:
    text = (DOCS / "nnc-inspect.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    dependent = around(data(float_unit(dependent=True, scan_order=1)))
    printed = [
        *listing(document_of(examine(CONST), bits=True), "model.nnc"),
        *listing(document_of(examine(dependent)), "model.nnc"),
        *str(validate(wrong_entries(), file="model.nnc")[0]).splitlines(),
    ]
    assert not [line for block in blocks for line in block.splitlines() if line not in printed]


def test_the_page_shows_an_element_as_it_is_in_json() -> None:
    text = (DOCS / "nnc-inspect.md").read_text(encoding="utf-8")
    [found] = re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    unit = document_of(examine(CONST), bits=True)["units"][3]
    shown = json.loads(found)
    [element] = [each for each in unit["elements"] if each["name"] == shown["name"]]
    assert shown == element
