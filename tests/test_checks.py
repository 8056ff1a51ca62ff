"""The catalogue of checks and the suites tell the same story, in the same order."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from conformance.checks import BY_ID, BY_TEST, CHECKS, ORDER, Check, Over
from conformance.judging.judge import GATES
from conformance.plan.jobs import Measuring

SUITES = Path(__file__).parents[1] / "conformance"
FUNCTIONS = {
    function.name: (path.stem, function)
    for path in sorted(SUITES.glob("test_*.py"))
    for function in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_check_has_an_id_of_its_pattern_and_says_what_it_is(check: Check) -> None:
    assert re.fullmatch(
        r"(SUBMISSION|MODEL|SAMPLE|METRIC|UPDATE|LAYER|ACCESS|INFERENCE)-[A-Z]+-\d{3}", check.id
    )
    assert check.over in get_args(Over)
    assert check.title[0].isupper()
    assert not check.title.endswith(".")
    assert check.clause


def test_ids_tests_and_titles_are_unique() -> None:
    for names in (
        [check.id for check in CHECKS],
        [check.test for check in CHECKS],
        [check.title for check in CHECKS],
    ):
        assert len(set(names)) == len(names)


def test_every_function_of_the_suites_is_in_the_catalogue_and_the_other_way_round() -> None:
    suites = {(module, name) for name, (module, _) in FUNCTIONS.items()}
    assert {(check.module, check.test) for check in CHECKS} == suites


def test_no_function_name_is_used_by_two_suites() -> None:
    names = re.findall(
        r"^def (test_\w+)", "\n".join(p.read_text() for p in SUITES.glob("test_*.py")), re.MULTILINE
    )
    assert sorted(names) == sorted(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_check_says_in_one_line_what_holds_if_it_passes(name: str) -> None:
    text = ast.get_docstring(FUNCTIONS[name][1])
    assert text
    assert text.splitlines()[0].endswith(".")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_check_asks_the_judge_for_its_verdict(name: str) -> None:
    _, function = FUNCTIONS[name]
    assert "judge" in [argument.arg for argument in function.args.args]
    called = {
        node.func.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert called & {"passed", "require_declared_value", "require_all_items"}


def test_catalogue_follows_the_order_of_each_suite() -> None:
    for module in {check.module for check in CHECKS}:
        listed = [check.test for check in CHECKS if check.module == module]
        written = [name for name, (suite, _) in FUNCTIONS.items() if suite == module]
        assert listed == written


def test_suites_come_in_the_order_a_coordinator_reads_them() -> None:
    modules = list(dict.fromkeys(check.module for check in CHECKS))
    assert modules == [
        "test_metadata",
        "test_originals",
        "test_decoding",
        "test_metrics",
        "test_updates",
        "test_scalability",
    ]
    positions = [modules.index(check.module) for check in CHECKS]
    assert positions == sorted(positions)


def test_numbers_of_one_topic_rise() -> None:
    topics: dict[str, list[int]] = {}
    for check in CHECKS:
        topic, _, number = check.id.rpartition("-")
        topics.setdefault(topic, []).append(int(number))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in topics.values())


def test_look_ups_agree_with_the_catalogue() -> None:
    assert list(BY_ID.values()) == list(BY_TEST.values()) == list(CHECKS)
    assert [ORDER[check.id] for check in CHECKS] == list(range(len(CHECKS)))


def test_whatever_fails_belongs_to_a_check_that_comes_first() -> None:
    """A case's failure is told by its owner; what needs the case comes later in the report."""
    assert {job.owner for job in Measuring.__subclasses__()} <= set(BY_ID)
    assert [CHECKS[position].id for position in range(len(GATES))] == list(GATES)
