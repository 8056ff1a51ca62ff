"""The registry of plug-ins: real distributions on a real import path."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from conformance.registry import CODECS, Registry, library
from conformance.verdicts import NotRunError, UnsupportedError, Verdict

GROUP = "nnr_conformance.test_things"


def install(site: Path, name: str, entries: str, version: str = "1.0") -> None:
    """Lay out the metadata of an installed distribution, as pip would."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def things() -> Registry:
    return Registry(GROUP, "thing")


def test_names_are_sorted(site: Path) -> None:
    install(site, "lab_a", "zeta = json:dumps\nalpha = json:loads")
    assert things().names() == ("alpha", "zeta")


def test_empty_group_has_no_names(site: Path) -> None:
    assert things().names() == ()


def test_load_returns_the_registered_object(site: Path) -> None:
    install(site, "lab_a", "reader = json:loads")
    assert things().load("reader") is json.loads


def test_listing_names_imports_nothing(site: Path) -> None:
    install(site, "lab_a", "bad = no_such_module_anywhere:Thing")
    assert things().names() == ("bad",)


def test_distribution_names_the_package_and_its_version(site: Path) -> None:
    install(site, "lab_a", "reader = json:loads", version="2.3")
    assert things().distribution("reader") == "lab_a 2.3"


@pytest.mark.parametrize("ask", ["load", "distribution"])
def test_unknown_name_lists_those_that_are_there(site: Path, ask: str) -> None:
    install(site, "lab_a", "reader = json:loads\nwriter = json:dumps")
    with pytest.raises(UnsupportedError) as caught:
        getattr(things(), ask)("raeder")
    error = caught.value
    assert error.message == "there is no thing 'raeder' here"
    assert error.expected == "one of reader, writer"
    assert error.found == "raeder"
    assert GROUP in error.fix
    assert error.verdict is Verdict.UNSUPPORTED


def test_unknown_name_in_an_empty_group_says_that_none_is_installed(site: Path) -> None:
    with pytest.raises(UnsupportedError) as caught:
        things().load("reader")
    assert "none is installed" in caught.value.expected


@pytest.mark.parametrize("ask", ["load", "distribution"])
def test_a_name_of_two_packages_is_refused_and_both_are_named(site: Path, ask: str) -> None:
    install(site, "lab_a", "reader = json:loads")
    install(site, "lab_b", "reader = json:load", version="0.2")
    with pytest.raises(UnsupportedError) as caught:
        getattr(things(), ask)("reader")
    assert caught.value.found == "lab_a 1.0, lab_b 0.2"
    assert "Uninstall" in caught.value.fix
    assert things().names() == ("reader",)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("import no_such_module_anywhere", "ModuleNotFoundError", id="import-error"),
        pytest.param("raise OSError('no libfoo.so')", "OSError: no libfoo.so", id="any-error"),
        pytest.param("Other = 1", "AttributeError", id="missing-attribute"),
        pytest.param("def (", "SyntaxError", id="syntax-error"),
    ],
)
def test_what_cannot_be_imported_gives_the_reason(site: Path, source: str, reason: str) -> None:
    module = f"plugin_{reason.partition(':')[0].lower()}"
    (site / f"{module}.py").write_text(source)
    install(site, "lab_a", f"reader = {module}:Thing")
    with pytest.raises(UnsupportedError) as caught:
        things().load("reader")
    error = caught.value
    assert "cannot be imported" in error.message
    assert reason in error.found
    assert "lab_a 1.0" in error.fix
    assert isinstance(error.__cause__, Exception)


def test_the_codecs_of_this_package_are_registered() -> None:
    kinds = {name: CODECS.kind(name) for name in CODECS.names()}
    assert kinds == {"nnc": "bitstream", "onnx": "network", "tensors": "", "tflite": "network"}
    assert CODECS.distribution("tensors").startswith("nnr-conformance ")


def test_the_kind_is_told_by_the_group_without_importing_anything(site: Path) -> None:
    install(site, "lab_a", f"plain = no_such:Thing\n[{GROUP}.special]\nodd = no_such:Thing")
    registry = Registry(GROUP, "thing", ("special",))
    assert registry.names() == ("odd", "plain")
    kinds = [registry.kind(name) for name in ("odd", "plain", "unheard-of")]
    assert kinds == ["special", "", ""]
    assert things().names() == ("plain",)


def test_a_name_in_two_groups_is_refused(site: Path) -> None:
    install(site, "lab_a", f"reader = json:loads\n[{GROUP}.special]\nreader = json:load")
    with pytest.raises(UnsupportedError, match="more than one"):
        Registry(GROUP, "thing", ("special",)).load("reader")


def test_versions_are_those_of_the_packages_that_register_something(site: Path) -> None:
    install(site, "lab_a", "reader = json:loads", version="2.3")
    install(site, "lab_b", "writer = json:dumps")
    assert things().versions() == {"lab_a": "2.3", "lab_b": "1.0"}


def test_module_is_told_without_importing_it(site: Path) -> None:
    install(site, "lab_a", "bad = no_such_module_anywhere:Thing")
    assert things().module("bad") == "no_such_module_anywhere"


def test_unknown_name_has_no_module(site: Path) -> None:
    assert things().module("unheard-of") == ""


def test_a_library_that_is_there_is_returned() -> None:
    assert library("os.path", "the thing 'reader'", "reading") is os.path


def test_a_missing_library_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(NotRunError) as caught:
        library("no_such_library.part", "the thing 'reader'", "reading")
    error = caught.value
    assert error.message == "the thing 'reader' needs no_such_library, which cannot be imported"
    assert error.expected == "no_such_library is installed"
    assert error.found == "No module named 'no_such_library'"
    assert error.fix == "Run: pip install 'nnr-conformance[reading]'"
