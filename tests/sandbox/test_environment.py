"""Workers find compiled kernels, and never where somebody else may have put them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.sandbox.environment import PLACE, kernel_environment


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's kernels, of which there is one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "cache" / PLACE
    (folder / "nnc-0123").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    (folder / "nnc-0123" / "decode.nbi").write_bytes(b"kernel")
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir(mode=0o700)
    return folder


def lent(scratch: Path) -> list[str]:
    return sorted(path.name for path in scratch.rglob("*") if path.is_file())


def test_worker_gets_a_copy_of_the_users_kernels(kernels: Path, scratch: Path) -> None:
    environment = kernel_environment(scratch)
    (copy,) = scratch.rglob("*.nbi")
    assert copy.relative_to(environment["XDG_CACHE_HOME"]) == PLACE / "nnc-0123" / "decode.nbi"
    copy.write_bytes(b"changed")
    assert (kernels / "nnc-0123" / "decode.nbi").read_bytes() == b"kernel"


def test_without_kernels_nothing_is_lent(kernels: Path, scratch: Path) -> None:
    kernels.rename(kernels.with_name("elsewhere"))
    environment = kernel_environment(scratch)
    assert environment == {"XDG_CACHE_HOME": str(scratch / ".cache")}
    assert lent(scratch) == []


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_folder_others_can_write_to_is_not_trusted(kernels: Path, scratch: Path, mode: int) -> None:
    kernels.chmod(mode)
    kernel_environment(scratch)
    assert lent(scratch) == []


def test_folder_of_another_user_is_not_trusted(
    kernels: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = os.geteuid() + 1
    monkeypatch.setattr("conformance.sandbox.environment.os.geteuid", lambda: stranger)
    kernel_environment(scratch)
    assert lent(scratch) == []


def test_link_in_the_place_of_the_kernels_is_not_trusted(kernels: Path, scratch: Path) -> None:
    kernels.rename(kernels.with_name("elsewhere"))
    kernels.symlink_to(kernels.with_name("elsewhere"))
    kernel_environment(scratch)
    assert lent(scratch) == []


def test_no_place_that_the_caller_names_is_handed_on(
    kernels: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(kernels))
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    assert kernel_environment(scratch) == {
        "XDG_CACHE_HOME": str(scratch / ".cache"),
        "NUMBA_CPU_NAME": "generic",
    }


LOOK = """
from conformance.nnc.cabac import jit
jit.HERE = jit.Path("/proc/nowhere")  # an installation that cannot be written to
print(jit.cache_folder())
"""


def test_the_decoder_looks_where_kernels_are_lent(kernels: Path, scratch: Path) -> None:
    environment = {"PATH": os.defpath, "HOME": str(scratch), **kernel_environment(scratch)}
    looked = subprocess.run(
        [sys.executable, "-I", "-c", LOOK],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(looked.stdout.strip()).parent == scratch / ".cache" / PLACE
