"""The description itself: complete, without contradictions, and said in words."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

import pytest

from conformance.nnc.syntax import (
    PAYLOAD_ELEMENTS,
    UNIT_HEADER,
    UNIT_SIZE,
    UNITS,
    Derived,
    Field,
    Group,
    Item,
)
from conformance.nnc.syntax.expressions import FUNCTIONS

CODES = {"u", "i", "ue", "ie", "flt", "st", "hex", "bytes", "align"}
SHARED_SCOPE = {
    *("general_profile_idc", "mps_topology_indexed_reference_flag", "reference_list"),
    *("mps_parent_signalling_enabled_flag", "map_count_excess", "out_of_band", "index"),
    "out_of_band_unary_length",
}

every_unit = pytest.mark.parametrize("unit", UNITS.values(), ids=lambda unit: unit.name)


def flat(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        yield item
        if isinstance(item, Group):
            yield from flat(item.items)


def items_of(unit) -> tuple[Item, ...]:
    return (*UNIT_SIZE, *UNIT_HEADER, *unit.header, *unit.payload)


def fields() -> list[Field]:
    return [
        item for unit in UNITS.values() for item in flat(items_of(unit)) if isinstance(item, Field)
    ]


def names_in(text: str) -> set[str]:
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    return names - set(FUNCTIONS)


def test_all_seven_types_of_units_are_described():
    names = {number: unit.name for number, unit in UNITS.items()}
    assert names == {0: "STR", 1: "MPS", 2: "LPS", 3: "TPL", 4: "QNT", 5: "NDU", 6: "AGG"}


@every_unit
def test_names_are_unique_in_a_unit(unit):
    names = [item.name for item in items_of(unit) if isinstance(item, Field | Group)]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_codes_are_known():
    assert {item.code.kind for item in fields()} == CODES


def test_everything_has_a_meaning_in_a_sentence():
    for item in fields():
        assert item.meaning.endswith(".")
        assert len(item.meaning) > 8


@every_unit
def test_expressions_refer_only_to_what_comes_before(unit):
    known = set(SHARED_SCOPE)
    for item in flat(items_of(unit)):
        texts = [
            getattr(item, part) for part in ("when", "count", "inferred") if hasattr(item, part)
        ]
        if isinstance(item, Derived):
            texts.append(item.value)
        if isinstance(item, Field):
            texts.append(item.code.parameter)
            for each in item.constraints:
                assert names_in(each.holds.text) <= known | {item.name, "value", "length"}
        own = {"bit_offset"} & {getattr(item, "name", "")}  # that of the entry before
        for text in texts:
            assert text is None or names_in(text.text) <= known | own, item
        if not hasattr(item, "error"):
            known.add(item.name)


@every_unit
def test_refusals_blame_an_element(unit):
    paths = {item.name for item in items_of(unit) if isinstance(item, Field)}
    for group in items_of(unit):
        if isinstance(group, Group):
            paths |= {f"{group.name}.{item.name}" for item in group.items if hasattr(item, "name")}
    for item in flat(items_of(unit)):
        if hasattr(item, "error"):
            assert item.field in paths
            assert all([item.message, item.expected, item.fix])


@every_unit
def test_exports_are_names_of_the_unit(unit):
    assert set(unit.exports) <= {getattr(item, "name", "") for item in items_of(unit)}


def test_rules_have_ids_of_their_own_per_element():
    rules = {(each.rule, item.name) for item in fields() for each in item.constraints}
    shared = Counter(rule for rule, _ in rules)
    assert [rule for rule, count in shared.items() if count > 1] == []
    assert all(each.text and each.fix for item in fields() for each in item.constraints)


def test_elements_of_payloads_are_named_once():
    names = [each.name for each in PAYLOAD_ELEMENTS]
    assert len(names) == len(set(names))
    groups = {each.group for each in PAYLOAD_ELEMENTS} - {""}
    assert groups == {
        *("flags", "initialisation", "significance", "sign"),
        *("greater-than", "remainder", "bypass"),
    }


def test_codes_say_their_parameter():
    size = UNIT_SIZE[1]
    assert size.code.text == "u(15 + 16 * nnr_unit_size_flag)"
    assert size.code.resolved(31) == "u(31)"
    assert UNIT_HEADER[0].code.resolved(6) == "u(6)"
