"""The quick part of the tests: what belongs to it, and that no framework gets in."""

import sys

import pytest

from tests.fast import FRAMEWORKS, PARTS, SLOW, TESTS, NoFrameworks, is_fast


@pytest.mark.parametrize("name", [*PARTS, *SLOW])
def test_what_is_listed_is_there(name):
    assert (TESTS / name).exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nnc/decoder/test_decode.py", True),
        ("nnc/decoder", True),
        ("nnc/fuzz/test_fuzz_decode.py", False),
        ("nnc/fuzz", False),
        ("metrics", True),
        ("metrics/test_tolerance.py", True),
        ("metrics/test_detection.py", False),
        ("runtimes", False),
        ("test_verdicts.py", True),
        ("test_cli.py", False),
    ],
)
def test_a_file_belongs_to_it_by_its_place(name, expected):
    assert is_fast(TESTS / name) is expected


@pytest.mark.parametrize("name", sorted(FRAMEWORKS))
def test_a_framework_cannot_be_imported_in_it(name, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [NoFrameworks(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(AssertionError, match=f"imports {name}"):
        __import__(name)


def test_tests_of_it_are_marked(request):
    marked = {item.path for item in request.session.items if item.get_closest_marker("fast")}
    assert all(is_fast(path) for path in marked)
    assert {item.path for item in request.session.items if is_fast(item.path)} == marked
