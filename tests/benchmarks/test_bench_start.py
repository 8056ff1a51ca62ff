"""What a collection imports."""

import pytest
from bench_start import COMMANDS, FORBIDDEN, collected, import_rows, modules_of, packages
from measuring import timed


def test_both_commands_run():
    assert "Usage" in timed(COMMANDS["nnr-conformance --help"])[1]
    assert timed(COMMANDS['python -c "import typer"'])[1] == ""


def test_modules_of_a_process_are_those_it_imported():
    modules = modules_of("import sys, wave; print(sys.argv[1:])", "a", "b")
    assert "wave" in modules
    assert "typer" not in modules


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_a_package_that_is_not_wanted_is_told(name):
    (row,) = import_rows({"a process": {name, "os"}})
    assert (row[0], row[1], row[3]) == ("a process", "2", "MISSED")
    assert name in row[2]


def test_submodules_do_not_count_as_packages():
    assert packages({"numpy.linalg", "onnx"}) == ["onnx"]


def test_a_collection_of_the_bundled_submission_is_light():
    modules = collected()
    assert "conformance.pytest_run.run" in modules
    assert not FORBIDDEN & modules
