"""What the documentation says is there, is there; what it says to type, can be typed."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
import typer.core
import typer.main

from conformance.checks import CHECKS
from conformance.cli.main import app
from conformance.metrics import METRICS
from tests.docs.pages import (
    COMMAND,
    PAGES,
    ROOT,
    anchors,
    blocks,
    command_lines,
    inline_code,
    links,
    read,
)

DOCS = ROOT / "docs"
PYTEST_OPTIONS = re.compile(
    r"-[a-zA-Z]|--(lf|no-cache|submission|report|waivers|evidence|case-timeout|memory-limit)"
)
TOP_FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def load_generator(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands() -> typer.core.TyperGroup:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return group


def command_of(words: Sequence[str], group: typer.core.TyperGroup) -> typer.core.TyperCommand:
    """Return the command that words begin with: ``nnc inspect`` is one of a group's."""
    assert words[0] in group.commands, words
    command = group.commands[words[0]]
    if isinstance(command, typer.core.TyperGroup) and len(words) > 1:
        return command_of(words[1:], command)
    return command


# --- the page of formats


def test_the_page_of_formats_is_up_to_date() -> None:
    """But for the differences: those are measured below."""
    generator = load_generator("generate_parity")
    told = "run: python docs/generate_parity.py"
    assert read(generator.PAGE) == generator.page(generator.read_back()), told


def test_every_model_in_a_second_format_has_its_difference_on_the_page() -> None:
    generator = load_generator("generate_parity")
    several = {n: d["models"] for n, d in generator.documents().items() if len(d["models"]) > 1}
    later = {(name, model["id"]) for name, models in several.items() for model in models[1:]}
    assert later
    assert generator.read_back().keys() == later


def test_differences_between_formats_are_as_small_as_printed() -> None:
    generator = load_generator("generate_parity")
    printed = generator.read_back()
    for found in map(generator.measured, ("chars-gru", "patches-autoencoder")):
        assert found
        for place, difference in found.items():
            assert difference <= printed[place], place


@pytest.mark.parametrize(
    ("part", "expected"), [(0.0, 0.0), (2.6e-7, 1e-6), (1e-6, 1e-6), (0.3, 1.0), (1.0, 1.0)]
)
def test_differences_are_rounded_up_to_powers_of_ten(part: float, expected: float) -> None:
    assert load_generator("generate_parity").rounded_up(part) == pytest.approx(expected)


# --- the page of checks


def test_the_page_of_checks_is_up_to_date() -> None:
    generator = load_generator("generate_checks")
    assert read(generator.PAGE) == generator.page(), "run: python docs/generate_checks.py"


def test_the_page_explains_a_failure_of_every_check_and_of_no_other() -> None:
    generator = load_generator("generate_checks")
    assert list(generator.FAILURES) == [check.id for check in CHECKS]
    assert generator.OVER.keys() >= {check.over for check in CHECKS}


def test_the_page_names_test_title_and_clause_of_every_check() -> None:
    text = read(DOCS / "checks.md")
    for check in CHECKS:
        section = text.partition(f"### {check.id}\n")[2].partition("\n### ")[0]
        for said in (check.title, f"`{check.test}`", check.clause):
            assert said in section, check.id


# --- links and names


@every_page
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in links(read(page)):
        target, _, anchor = link.partition("#")
        if re.match(r"\w+:", target):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(read(file)), f"{page.name}: {link}"


@every_page
def test_files_that_are_named_exist(page: Path) -> None:
    for code in inline_code(read(page)):
        path = code.partition("::")[0].rstrip("/")
        first = path.partition("/")[0]
        if "/" not in path or first not in TOP_FOLDERS or re.search(r"[\s=<>{}]|NAME", path):
            continue
        assert list(ROOT.glob(path)) or list(page.parent.glob(path)), f"{page.name}: {code}"


@every_page
def test_check_ids_that_are_named_exist(page: Path) -> None:
    known = {check.id for check in CHECKS}
    named = set(re.findall(r"\b(?:SUBMISSION|MODEL|METRIC|SAMPLE)-[A-Z]+-\d{3}\b", read(page)))
    assert named <= known


def test_every_page_can_be_reached_from_the_index() -> None:
    index = links(read(DOCS / "README.md"))
    missing = {page.name for page in DOCS.glob("*.md")} - {"README.md", *index}
    assert not missing


def test_the_readme_has_two_commands_to_set_up() -> None:
    [setup] = blocks(read(ROOT / "README.md").partition("## Set up")[2].partition("\n## ")[0])
    typed = [line.partition("#")[0].split() for line in setup.text.splitlines()]
    assert typed == [["make", "conformance"], ["make", "test"]]


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    for page in PAGES:
        code = [*inline_code(read(page)), *(b.text for b in blocks(read(page), "sh"))]
        named = re.findall(r"^make ([a-z-]+)", "\n".join(code), re.MULTILINE)
        assert set(named) <= targets, page.name


# --- command lines


@every_page
def test_command_lines_are_accepted(page: Path) -> None:
    group = commands()
    for arguments in command_lines(read(page)):
        name, *rest = arguments
        assert name in group.commands, f"{page.name}: {arguments}"
        context = group.commands[name].make_context(name, list(rest))
        if name == "run":
            options = context.params["folders"] + context.args
            dashed = [word for word in options if str(word).startswith("-")]
            assert all(PYTEST_OPTIONS.fullmatch(word) for word in dashed), arguments
            assert not str(options[0]).startswith("-"), "folders come first"


@every_page
def test_commands_in_a_sentence_exist_with_their_options(page: Path) -> None:
    group = commands()
    for code in inline_code(read(page)):
        words = code.split()
        if words[0] != COMMAND or len(words) == 1 or words[1].startswith("-"):
            continue
        known = {option for p in command_of(words[1:], group).params for option in p.opts}
        assert {word for word in words if word.startswith("--")} <= known, f"{page.name}: {code}"


def test_every_command_is_documented() -> None:
    text = "\n".join(read(page) for page in PAGES)
    for name in commands().commands:
        assert f"{COMMAND} {name}" in text, name


def test_options_of_the_suites_that_are_documented_exist(pytestconfig: pytest.Config) -> None:
    table = read(DOCS / "coordinators.md").partition("## Options")[2].partition("\n## ")[0]
    for option in re.findall(r"`--([a-z-]+)", table):
        assert hasattr(pytestconfig.option, option.replace("-", "_")), option


# --- what stands in blocks of code


@every_page
def test_whole_json_documents_are_json(page: Path) -> None:
    for block in blocks(read(page), "json"):
        if block.text.startswith(("{", "[")):
            json.loads(block.text)


@every_page
def test_python_is_python(page: Path) -> None:
    for block in blocks(read(page), "python"):
        compile(block.text, page.name, "exec")


def test_metric_kinds_in_examples_exist() -> None:
    known = set(METRICS.names())
    for page in PAGES:
        kinds = re.findall(r'"kind": "([^"<]+)"', read(page))
        assert set(kinds) <= known, page.name
