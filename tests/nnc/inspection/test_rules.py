"""Every rule finds what breaks it, says where, and is silent about good streams."""

from __future__ import annotations

import re

import numpy as np
import pytest

from conformance.nnc.decoder import decode
from conformance.nnc.inspection.rules import BY_ID, RULES, UNCHECKED, Rule, validate
from conformance.nnc.inspection.rules.validation import MOST
from conformance.nnc.parser import parse_stream
from conformance.nnc.quantization import Codebook
from tests.nnc.inspection.breaches import BREACHES, Case, unit
from tests.nnc.inspection.streams import CONST, GOOD, around, data, float_unit

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
every_case = pytest.mark.parametrize(("id", "case"), BREACHES.items(), ids=list(BREACHES))


@pytest.mark.parametrize("data", [CONST, GOOD], ids=["NNCodec", "ours"])
def test_a_good_stream_breaks_no_rule(data: bytes) -> None:
    assert validate(data) == []


def test_every_rule_has_a_stream_that_breaks_it() -> None:
    assert sorted(BREACHES) == sorted(BY_ID)


@pytest.mark.parametrize(
    ("entries", "zero", "infinite"),
    [((2**30,), 0, True), ((0, 2**30), 0, True), ((1,), 0, False), ((-(2**30), 0), 1, True)],
    ids=["one", "largest", "small", "least"],
)
def test_values_of_a_codebook_are_finite_too(
    entries: tuple[int, ...], zero: int, infinite: bool
) -> None:
    levels = np.arange(-zero, len(entries) - zero, dtype=np.int32)
    unit = float_unit(shape=(len(entries),), levels=levels, codebook=Codebook(entries, zero))
    stream = around(data(unit), mps_quantization_parameter=4000)
    found = [each for each in validate(stream) if each.rule == "NNC-STEP-003"]
    assert bool(found) is infinite
    assert bool(found) is bool(np.isinf(decode(stream)["w"]).any())


def test_an_entry_that_no_level_selects_may_be_too_large() -> None:
    unit = float_unit(shape=(3,), levels=np.zeros(3, np.int32), codebook=Codebook((0, 2**30), 0))
    stream = around(data(unit), mps_quantization_parameter=4000)
    assert "NNC-STEP-003" not in [each.rule for each in validate(stream)]


@every_case
def test_a_rule_finds_what_breaks_it(id: str, case: Case) -> None:
    found = validate(case.stream, case.options, case.state())
    assert id in [violation.rule for violation in found], [str(each) for each in found]


@every_case
def test_a_violation_explains_itself(id: str, case: Case) -> None:
    found = validate(case.stream, case.options, case.state(), file="model.nnc")
    violation = next(each for each in found if each.rule == id)
    rule = BY_ID[id]
    assert violation.text == rule.text
    assert violation.severity == rule.severity
    assert violation.message
    assert violation.fix
    assert violation.position.bit is not None
    assert violation.position.bit <= 8 * len(case.stream)
    assert violation.position.unit is not None
    assert not case.field or violation.position.field.startswith(case.field)
    unit = violation.position.unit
    assert violation.inspect == f"nnr-conformance nnc inspect model.nnc --unit {unit} --bits"


@every_case
def test_a_violation_as_text_has_rule_place_and_command(id: str, case: Case) -> None:
    found = validate(case.stream, case.options, case.state())
    text = str(next(each for each in found if each.rule == id))
    assert text.startswith(f"{id} {BY_ID[id].severity}: ")
    assert re.search(r"^  where     byte \d+, bit [0-7]: unit \d+", text, re.MULTILINE)
    assert "  rule      " in text
    assert "  to see    nnr-conformance nnc inspect FILE --unit" in text


@every_rule
def test_a_rule_has_an_id_of_its_pattern_and_says_what_holds(rule: Rule) -> None:
    assert re.fullmatch(r"NNC-[A-Z]+-(\d{3}|[A-Z]{3})", rule.id)
    assert not rule.text.endswith(".")
    assert rule.meaning.endswith(".")
    assert not rule.fix.endswith(".")


def test_ids_are_used_once() -> None:
    assert len(BY_ID) == len(RULES)


def test_violations_are_in_the_order_of_the_file() -> None:
    found = validate(BREACHES["NNC-UNIT-001"].stream + BREACHES["NNC-STREAM-002"].stream)
    bits = [each.position.bit for each in found]
    assert len(bits) > 1
    assert bits == sorted(bits, key=lambda bit: bit or 0)


def test_a_special_rule_speaks_for_the_decoder() -> None:
    found = validate(GOOD + CONST[:4])
    assert [each.rule for each in found] == ["NNC-STREAM-002"]


def test_what_is_behind_damage_is_still_outlined() -> None:
    broken = BREACHES["NNC-STREAM-006"].stream
    rules = [each.rule for each in validate(broken + CONST)]
    assert "NNC-STREAM-002" in rules


def test_a_stream_that_uses_the_unknown_is_no_violation() -> None:
    found = validate(BREACHES[UNCHECKED].stream)
    assert [(each.rule, each.severity) for each in found] == [(UNCHECKED, "warning")]


def test_the_empty_file_has_no_start_unit() -> None:
    [violation] = validate(b"")
    assert violation.rule == "NNC-STREAM-001"
    assert violation.found == "no byte"


def test_a_first_edition_stream_that_fails_is_told_of_the_other_dialect() -> None:
    case = BREACHES["NNC-MPS-004"]
    broken = bytearray(case.stream)
    broken[-8] ^= 0x55
    found = [each for each in validate(bytes(broken)) if each.rule == "NNC-READ-002"]
    assert all("nncodec-1.0" in each.fix for each in found)
    assert parse_stream(bytes(broken)).profile == 0


def test_dimensions_of_too_many_digits_are_told_as_a_limit() -> None:
    many = unit(count_tensor_dimensions=500, tensor_dimensions=(1 << 38,) * 500)
    assert "NNC-READ-003" in {each.rule for each in validate(many)}


def test_a_million_breaches_are_not_all_told() -> None:
    found = validate(CONST[:4] * 5000)
    assert len([each for each in found if each.rule == "NNC-STREAM-002"]) == MOST
