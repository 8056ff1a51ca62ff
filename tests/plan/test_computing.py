"""What computes: versions, the sources of this package, features of the processor."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.plan import computing
from conformance.plan.computing import machine, source_digest, versions
from conformance.registry import Registry


@pytest.fixture
def uncached() -> Iterator[None]:
    """What is known of the machine is looked up once for a process."""
    known = (versions, machine, source_digest)
    for each in known:
        each.cache_clear()
    yield
    for each in known:
        each.cache_clear()


def test_versions_name_what_computes() -> None:
    assert {"python", "numpy", "onnxruntime", "nnr-conformance"} <= versions().keys()


def test_versions_are_those_of_what_is_installed(
    uncached: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name == "numba":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = versions()
    assert (found["numpy"], "numba" in found) == ("1.0", False)


def test_versions_name_the_packages_of_plug_ins(
    uncached: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "versions", lambda registry: {registry.noun: "2.0"})
    assert {versions()[noun] for noun in ("codec", "model format", "metric kind")} == {"2.0"}


def test_evidence_is_that_of_the_sources_as_they_are(
    uncached: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All modules of the package, by name, and nothing that lies next to it."""
    package = tmp_path / "package"
    (package / "plan").mkdir(parents=True)
    monkeypatch.setattr(computing, "__file__", str(package / "plan" / "computing.py"))

    def digest_with(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, "utf-8")
        source_digest.cache_clear()
        return source_digest()

    first = digest_with("package/metric.py", "a = 1\n")
    assert digest_with("next_to.py", "a = 1\n") == first
    assert digest_with("package/notes.txt", "a = 1\n") == first
    second = digest_with("package/metric.py", "a = 2\n")
    (package / "metric.py").rename(package / "metrics.py")
    assert len({first, second, digest_with("package/metrics.py", "a = 2\n")}) == 3


def test_machines_with_other_instructions_are_others(
    uncached: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Floating-point kernels are chosen by them; their order says nothing."""
    listed = tmp_path / "cpuinfo"
    monkeypatch.setattr(computing, "Path", lambda _: listed)

    def machine_with(text: str) -> str:
        listed.write_text(text, "utf-8")
        machine.cache_clear()
        return machine()

    head = "processor\t: 0\n"
    first = machine_with(f"{head}flags\t\t: fma avx2\n")
    assert re.fullmatch(rf"{platform.machine()}-[0-9a-f]{{16}}", first)
    assert machine_with(f"{head}Features\t: avx2 fma\n") == first
    assert machine_with(f"{head}flags\t\t: fma\n") != first


def test_a_machine_that_lists_no_instructions_has_a_name(
    uncached: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(computing, "Path", lambda _: tmp_path / "cpuinfo")
    assert machine().startswith(f"{platform.machine()}-")
