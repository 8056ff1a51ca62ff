"""The rooms of the package, and which of them may import which: data flows one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "conformance"
BUNDLED = ROOT / "vectors" / "submissions" / "digits-cnn"

ALLOWED: Mapping[str, frozenset[str]] = {
    room: frozenset(allowed.split())
    for room, allowed in {
        "__init__": "",
        "__main__": "cli",
        "text": "",
        "verdicts": "text",
        "checks": "",
        "caller": "sandbox.tempdirs",
        "registry": "verdicts",
        "jsonschemas": "verdicts",
        "documents": "verdicts",
        "submission": "verdicts registry jsonschemas",
        "tensorfiles": "verdicts",
        "nnc": "text",
        "codecs": "verdicts registry tensorfiles nnc runtimes.tflite",
        "runtimes": "verdicts registry tensorfiles",
        "metrics": "verdicts registry submission.values",
        "plan": "verdicts checks registry submission",
        "sandbox": "verdicts registry",
        "evidence": "verdicts submission plan sandbox",
        "jobs": "text verdicts registry submission tensorfiles nnc codecs runtimes metrics plan "
        "sandbox evidence.store",
        "judging": "verdicts checks documents submission metrics plan evidence",
        "report": "text verdicts checks documents jsonschemas submission plan metrics judging "
        "__version__",
        "suites": "verdicts plan judging",
        "pytest_run": "caller text verdicts checks submission plan sandbox evidence judging report",
        "cli": "caller text verdicts checks registry documents jsonschemas submission plan sandbox "
        "evidence judging report nnc.cabac __version__",
    }.items()
}
"""What each room may import in addition to itself: a room, or one module of it."""

PARSERS = ("codecs", "runtimes", "tensorfiles", "nnc")
"""The rooms that parse submitted binaries."""

IN_THE_WORKER = ("jobs",)
"""What is imported by the worker only."""

NEVER_AT_MODULE_LEVEL = {
    *("torch", "torchmetrics", "tensorflow", "keras", "pycocotools", "scipy"),
    *("matplotlib", "bjontegaard"),
    *("ai_edge_litert", "nnef", "nnef_tools"),
    *("jinja2", "junitparser", "rich", "license_expression"),
}
"""Packages that are slow to import, or that not every installation has."""

MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    """Return the room of a file: its folder, its name, or ``suites``."""
    first = module.partition("/")[0].removesuffix(".py")
    return "suites" if first.startswith("test_") else first


def imported(module: str) -> Iterator[str]:
    """Yield the full name of everything a module imports, wherever in it that happens."""
    for node in ast.walk(parse(module)):
        yield from names_in(node)


def imported_at_module_level(module: str) -> Iterator[str]:
    """Yield what is imported as soon as the module is; not what only type checkers see."""
    queue: list[ast.stmt] = list(parse(module).body)
    while queue:
        node = queue.pop()
        yield from names_in(node)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            queue += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            queue += [child for child in ast.walk(node) if is_nested(node, child)]


def is_nested(node: ast.stmt, child: ast.AST) -> bool:
    return isinstance(child, ast.stmt) and any(
        child in getattr(node, block, ()) for block in ("body", "orelse", "finalbody")
    )


def names_in(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parse(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def ours(names: Iterator[str]) -> set[str]:
    """Return the names inside the package; the bare package has nothing but its version."""
    return {
        name.partition(".")[2] or "__version__"
        for name in names
        if name.partition(".")[0] == "conformance"
    }


def rooms_imported(module: str) -> set[str]:
    return {name.partition(".")[0] for name in ours(imported(module))}


def packages(names: Iterator[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def is_allowed(name: str, room: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in (*ALLOWED[room], room))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_room_may(module: str) -> None:
    room = room_of(module)
    assert room in ALLOWED, f"{module} is in a room that this test does not know"
    forbidden = {name for name in ours(imported(module)) if not is_allowed(name, room)}
    assert not forbidden, f"conformance/{module} ({room}) may not import {sorted(forbidden)}"


def test_rooms_form_no_cycle() -> None:
    below = {room: {name.split(".")[0] for name in ALLOWED[room]} for room in ALLOWED}
    settled: set[str] = {"__version__"}
    while ready := {room for room in below.keys() - settled if below[room] <= settled}:
        settled |= ready
    assert settled >= below.keys()


def test_only_the_worker_parses_submitted_binaries() -> None:
    outside = [
        module
        for module in MODULES
        if module.partition("/")[0] not in (*PARSERS, *IN_THE_WORKER)
        and module != "cli/nnc.py"  # compiles the decoder, and reads no stream
    ]
    parsing = {module for module in outside if rooms_imported(module) & set(PARSERS)}
    assert not parsing, "these run outside the worker, but import what parses submitted binaries"


def test_only_the_worker_imports_what_it_does() -> None:
    importers = {
        module
        for module in MODULES
        if module.partition("/")[0] not in IN_THE_WORKER
        and rooms_imported(module) & set(IN_THE_WORKER)
    }
    assert not importers


def test_no_slow_package_is_imported_at_module_level() -> None:
    slow = {
        module: names
        for module in MODULES
        if (names := packages(imported_at_module_level(module)) & NEVER_AT_MODULE_LEVEL)
    }
    assert not slow


def test_nothing_that_can_run_a_submitted_file_is_imported() -> None:
    unsafe = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
    assert not {module for module in MODULES if packages(imported(module)) & unsafe}


def test_every_module_says_what_it_is() -> None:
    silent = [name for name in MODULES if not ast.get_docstring(parse(name))]
    assert not silent


def modules_after(code: str) -> set[str]:
    """Return the top-level packages that are loaded once a fresh interpreter has run ``code``."""
    program = f"{code}\nimport sys; print('loaded', *{{m.split('.')[0] for m in sys.modules}})"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(ended.stdout.splitlines()[-1].split()[1:])


def test_importing_the_package_imports_no_other() -> None:
    packages = {"numpy", "pytest", "typer", "jsonschema", "onnx", "onnxruntime", "torch"}
    assert not modules_after("import conformance") & packages


def test_the_command_line_is_light() -> None:
    heavy = {"numpy", "pytest", "jsonschema", "onnx", "onnxruntime", "jinja2", "torch", "scipy"}
    assert not modules_after("import conformance.cli.main") & heavy


def test_the_plug_in_is_light_without_a_submission() -> None:
    heavy = {"numpy", "jsonschema", "onnx", "onnxruntime", "jinja2", "torch", "scipy"}
    assert not modules_after("import conformance.pytest_run.plugin") & heavy


def test_collecting_a_submission_loads_no_framework(tmp_path: Path) -> None:
    arguments = [
        *(
            str(PACKAGE),
            "--collect-only",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:hypothesispytest",
        ),
        *("--submission", str(BUNDLED), "--report", str(tmp_path), "--evidence", str(tmp_path)),
    ]
    loaded = modules_after(f"import pytest; assert pytest.main({arguments!r}) in (0, 3)")
    assert not loaded & {"torch", "tensorflow", "torchmetrics", "onnxruntime", "onnx"}
