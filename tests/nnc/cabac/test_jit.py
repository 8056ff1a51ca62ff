"""Where compiled kernels are kept, and what happens where nothing can be."""

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.nnc.cabac import jit
from conformance.nnc.cabac.decoding import warm_up
from conformance.nnc.cabac.jit import is_compiled

ROOT = Path(__file__).parents[3]


def folder_of(monkeypatch: pytest.MonkeyPatch, package: Path, user: Path) -> Path | None:
    """Return the cache folder of an installation in ``package``."""
    monkeypatch.setattr(jit, "HERE", package)
    monkeypatch.setattr(jit, "user_cache_path", lambda _name: user)
    return jit.cache_folder.__wrapped__()


def blocked(path: Path) -> Path:
    """Return a path below which nothing can be made."""
    path.write_text("a file, not a folder")
    return path


def test_kernels_are_kept_beside_their_sources(tmp_path, monkeypatch) -> None:
    folder = folder_of(monkeypatch, tmp_path, tmp_path / "user")
    assert folder is not None
    assert folder.parent == tmp_path / "__pycache__"


def test_kernels_of_a_read_only_installation_are_kept_by_the_user(tmp_path, monkeypatch) -> None:
    folder = folder_of(monkeypatch, blocked(tmp_path / "package"), tmp_path / "user")
    assert folder is not None
    assert folder.parent == tmp_path / "user" / "kernels"


def test_nothing_is_kept_where_nothing_can_be_written(tmp_path, monkeypatch) -> None:
    package, user = blocked(tmp_path / "package"), blocked(tmp_path / "user")
    assert folder_of(monkeypatch, package, user) is None


def test_complete_folder_need_not_be_writable(tmp_path, monkeypatch) -> None:
    folder = folder_of(monkeypatch, tmp_path, tmp_path / "user")
    assert folder is not None
    for number in range(jit.KERNEL_COUNT):
        (folder / f"{number}.nbi").touch()
    monkeypatch.setattr(jit, "is_writable", lambda _folder: False)
    assert folder_of(monkeypatch, tmp_path, tmp_path / "user") == folder


def test_incomplete_folder_that_cannot_be_written_is_not_used(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(jit, "is_writable", lambda _folder: False)
    assert folder_of(monkeypatch, tmp_path, tmp_path / "user") is None


def test_changed_sources_have_another_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(jit, "HERE", tmp_path)
    (tmp_path / "engine.py").write_text("a = 1")
    before = jit.environment_digest()
    (tmp_path / "engine.py").write_text("a = 2")
    assert jit.environment_digest() != before


def test_warm_up_leaves_nothing_to_compile() -> None:
    warm_up()
    assert is_compiled()
    assert len(jit.KERNELS) == jit.KERNEL_COUNT
    assert all(len(compiled.signatures) == 1 for compiled in jit.KERNELS)


WITHOUT_CACHE = """
from conformance.nnc.cabac import jit
jit.is_writable = jit.is_complete = lambda _folder: False
import numpy as np
from conformance.nnc.cabac.decoding import PayloadDecoder
from conformance.nnc.cabac.jit import is_compiled
assert jit.cache_folder() is None and not is_compiled()
print(PayloadDecoder(np.zeros(9, np.uint8)).read_iae(8))
"""


def test_decoding_works_where_nothing_can_be_written() -> None:
    child = subprocess.run(
        [sys.executable, "-c", WITHOUT_CACHE], capture_output=True, text=True, check=False
    )
    assert (child.stdout, child.stderr) == ("0\n", "")


def test_values_and_tables_do_not_import_numba() -> None:
    code = "import sys, conformance.nnc.cabac.coding, conformance.nnc.cabac.tables\n"
    code += "print('numba' in sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout == "False\n"


def test_the_first_decoding_says_that_it_compiles(tmp_path: Path) -> None:
    stream = next((ROOT / "vectors/bitstreams/second-edition/uniform").rglob("*.nnc"))
    program = (
        "import sys; from conformance.nnc.cabac import jit; jit.cache_folder = lambda: None\n"
        "from conformance import nnc; nnc.decode(sys.argv[1])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(stream)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr.count("Compiling the NNC decoder") == 1
