from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DRAW = (
    "from conformance.report.pictures.curves import draw;"
    "from tests.report.compared import curve;"
    "assert draw(curve(), 'p').startswith('<svg')"
)


def run(code: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if "MPL" not in name}
    for name, value in changes.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    return subprocess.run(
        [sys.executable, "-W", "default", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )


def files_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_fonts_are_listed_in_the_cache_of_this_tool(tmp_path: Path) -> None:
    done = run(DRAW, HOME=str(tmp_path), XDG_CACHE_HOME=None, XDG_CONFIG_HOME=None)
    assert (done.stdout, done.stderr) == ("", "")
    assert all(name.startswith(".cache/nnr-conformance/matplotlib/") for name in files_in(tmp_path))
    assert not (tmp_path / ".config").exists()


@pytest.mark.parametrize("home", ["/dev/null", "/proc/nowhere", "/nonexistent/home"])
def test_a_home_that_cannot_be_written_to_is_no_trouble(home: str, tmp_path: Path) -> None:
    made = {"XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None, "TMPDIR": str(tmp_path)}
    done = run(DRAW, HOME=home, **made)
    assert (done.stdout, done.stderr) == ("", "")
    assert files_in(tmp_path) == []


def test_a_chosen_folder_is_used(tmp_path: Path) -> None:
    done = run(DRAW, MPLCONFIGDIR=str(tmp_path / "chosen"))
    assert (done.stdout, done.stderr) == ("", "")
    assert files_in(tmp_path / "chosen")


def test_settings_and_backend_of_the_user_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 40\nnonsense\naxes.facecolor: ff0000\n")
    show = DRAW + "; print(draw(curve(), 'p'))"
    plain = run(show)
    own = run(show, MPLCONFIGDIR=str(tmp_path), MPLBACKEND="no-backend")
    assert own.stderr == ""
    assert own.stdout == plain.stdout


def test_environment_is_left_as_it_was() -> None:
    code = f"import os; before = dict(os.environ); {DRAW}; assert dict(os.environ) == before"
    assert run(code, MPLBACKEND="agg").stderr == ""


def test_settings_of_others_in_the_process_are_left_as_they_were() -> None:
    code = (
        "import matplotlib; matplotlib.rcParams['font.size'] = 17;"
        f"{DRAW}; assert matplotlib.rcParams['font.size'] == 17"
    )
    assert run(code).stderr == ""


def test_pictures_are_not_drawn_by_pyplot() -> None:
    run(f"{DRAW}; import sys; assert 'matplotlib.pyplot' not in sys.modules")


IMPORTS = "from conformance.report import *; from tests.report import compared, example;"
IN_VAIN = {
    "import": "import conformance.pytest_run.plugin, conformance.cli.main, conformance.report",
    "nothing to draw": f"{IMPORTS} render_html(example.build())",
    "markdown": f"{IMPORTS} render_markdown(example.build(updates=[compared.tree()]))",
    "under way": f"{IMPORTS} render_html(example.build(updates=[compared.tree()], complete=False))",
}


@pytest.mark.parametrize("name", IN_VAIN)
def test_matplotlib_is_not_imported_in_vain(name: str) -> None:
    run(f"{IN_VAIN[name]}\nimport sys; assert not {{'matplotlib', 'scipy'}} & set(sys.modules)")
