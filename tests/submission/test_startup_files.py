"""Files that would make tools run code, at the top of a submission."""

import pytest

from conformance.submission import load
from tests.submission import builder

NAMES = [
    *("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"),
    *("tox.ini", "setup.cfg", "pyproject.toml", "setup.py", "conftest.py"),
    ".numba_config.yaml",
]


def only_problem(folder):
    (finding,) = load(folder).problems
    return finding


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_settings_is_refused_and_not_called_unlisted(folder, name):
    (folder / name).write_text("")
    finding = only_problem(folder)
    assert finding.check == "SUBMISSION-FILE-001"
    assert finding.message == f"{name!r} may not be in a submission"
    assert finding.where.file == name
    assert "top of the folder" in finding.expected
    assert name in finding.found
    assert "Move it into a subfolder or an archive" in finding.fix


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_even_if_it_is_listed(folder, name):
    (folder / name).write_bytes(b"[pytest]")
    data = builder.valid()
    data["associated_files"].append(builder.entry(name, b"[pytest]"))
    builder.write_metadata(folder, data)
    assert only_problem(folder).message == f"{name!r} may not be in a submission"


def test_each_file_is_a_problem_of_its_own(folder):
    for name in NAMES:
        (folder / name).write_text("")
    found = load(folder).problems
    assert sorted(finding.where.file for finding in found) == sorted(NAMES)
    assert {finding.check for finding in found} == {"SUBMISSION-FILE-001"}


@pytest.mark.parametrize("target", ["README.txt", "nowhere"])
def test_a_link_of_that_name_is_refused(folder, target):
    (folder / "pytest.ini").symlink_to(target)
    assert only_problem(folder).message == "'pytest.ini' may not be in a submission"


def test_it_is_refused_where_the_metadata_are_wrong_as_well(folder):
    (folder / "conftest.py").write_text("")
    data = builder.valid()
    del data["samples"]
    builder.write_metadata(folder, data)
    checks = [finding.check for finding in load(folder).problems]
    assert sorted(checks) == ["SUBMISSION-FILE-001", "SUBMISSION-SCHEMA-001"]


def test_it_is_not_offered_as_the_file_that_a_listing_means(folder):
    (folder / "README.txt").rename(folder / "setup.py")
    found = {finding.message: finding for finding in load(folder).problems}
    assert len(found) == 2
    assert not any("Is it" in finding.fix for finding in found.values())


def test_in_a_subfolder_it_is_a_file_like_any_other(folder):
    (folder / "scripts").mkdir()
    (folder / "scripts/setup.py").write_bytes(b"pass")
    data = builder.valid()
    data["associated_files"].append(builder.entry("scripts/setup.py", b"pass"))
    builder.write_metadata(folder, data)
    assert load(folder).problems == ()


def test_a_folder_of_that_name_is_no_file_of_settings(folder):
    (folder / "setup.py").mkdir()
    assert load(folder).problems == ()


MODULES = {
    "script": (("run.py",), ["run.py"]),
    "library": (
        ("fast.cpython-311-x86_64-linux-gnu.so",),
        ["fast.cpython-311-x86_64-linux-gnu.so"],
    ),
    "path file": (("site.pth",), ["site.pth"]),
    "package": (("json/__init__.py", "json/decoder.py"), ["json/"]),
    "all": (("a.py", "b.pyc", "c.so", "d.pth", "e/__init__.py"), ["a.py", "b.pyc", "c.so", "e/"]),
}


@pytest.mark.parametrize(("files", "named"), MODULES.values(), ids=MODULES)
def test_what_python_would_import_is_advice_and_no_failure(folder, files, named):
    data = builder.valid()
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"pass")
        data["associated_files"].append(builder.entry(name, b"pass"))
    builder.write_metadata(folder, data)
    loaded = load(folder)
    assert loaded.problems == ()
    (advice,) = loaded.advice
    assert advice.check == "SUBMISSION-FILE-005"
    assert all(f'"{name}"' in advice.found for name in named)
    assert advice.where.file == named[0]
    assert "subfolder" in advice.fix


@pytest.mark.parametrize("name", ["scripts/run.py", "notes.python", "data/x/__init__.py", "py"])
def test_other_files_need_no_advice(folder, name):
    data = builder.valid()
    (folder / name).parent.mkdir(exist_ok=True, parents=True)
    (folder / name).write_bytes(b"pass")
    data["associated_files"].append(builder.entry(name, b"pass"))
    builder.write_metadata(folder, data)
    loaded = load(folder)
    assert loaded.problems == loaded.advice == ()


def test_settings_are_refused_and_not_advised_against_as_well(folder):
    (folder / "conftest.py").write_text("")
    loaded = load(folder)
    assert [each.check for each in loaded.problems] == ["SUBMISSION-FILE-001"]
    assert loaded.advice == ()
