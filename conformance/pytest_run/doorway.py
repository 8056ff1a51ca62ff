"""What is refused before pytest judges anything: a run that takes from, or writes to, a submission.

pytest reads settings, imports the modules that they name and keeps its cache in the folder that it
is started in, or of the tests that it is given. None of these may be a submission.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from conformance.caller import as_typed, guard_search, judged_around, working_folder
from conformance.evidence.location import cache_folder, evidence_folder
from conformance.verdicts import ConformanceError

METADATA = "submission.json"


def refusal(early_config: pytest.Config, folders: Sequence[Path]) -> str | None:
    """Return why a run over ``folders`` is refused, or None if it may begin.

    Of a run that may begin, no child process searches the working folder for modules.
    """
    try:
        _refuse_inside("TMPDIR", Path(tempfile.gettempdir()), folders)
        _refuse_sources(early_config, folders)
        for option, path in _targets(early_config):
            _refuse_inside(option, path, folders)
    except ConformanceError as error:
        return as_typed(str(error))
    guard_search(os.environ, sys.path)
    return None


def keep_cache_outside(parser: pytest.Parser) -> None:
    """Keep pytest's cache, which ``--lf`` needs, in the user's cache folder unless one is given."""
    parser.addini("cache_dir", "cache directory path", default=str(cache_folder() / "pytest"))


def keep_root(config: pytest.Config) -> None:
    """Let the workers of pytest-xdist have the root folder and the settings of this process.

    pytest finds both by the folders among its arguments that exist, and a run makes some of them
    while its workers start: they would name the same tests differently. What they get are the
    arguments of this process.
    """
    given = config.invocation_params
    kept = [f"--rootdir={config.rootpath}"]
    if config.inipath is not None:
        kept += ["-c", str(config.inipath)]
    config.invocation_params = pytest.Config.InvocationParams(
        args=(*given.args, *kept), plugins=given.plugins, dir=given.dir
    )


def _refuse_sources(early_config: pytest.Config, folders: Sequence[Path]) -> None:
    for what, path in _sources(early_config):
        if judged_around(path, folders) is not None or (path / METADATA).is_file():
            raise ConformanceError(
                f"{what} a submission",
                expected="pytest at work outside of all submissions: it runs code and takes "
                "settings that it finds in its folders",
                found=str(path),
                fix="write `nnr-conformance run DIR` instead, which may be started anywhere; "
                "distrust this run if the submission is somebody else's: a file of settings in it "
                "was read, and can have loaded code",
            )


def _sources(early_config: pytest.Config) -> Iterator[tuple[str, Path]]:
    """Yield the places that pytest takes settings and tests from."""
    yield "pytest was started inside", Path.cwd()
    if early_config.inipath is not None:
        yield "pytest took its settings from", early_config.inipath
    for word in early_config.known_args_namespace.file_or_dir:
        yield f"pytest is set to search {word} for tests, which is in", _place(word)


def _place(word: str) -> Path:
    return Path.cwd() / word.partition("::")[0]


def _refuse_inside(option: str, path: Path, folders: Sequence[Path]) -> None:
    inside = judged_around(path, folders)
    if inside is not None:
        raise ConformanceError(
            f"{option} is inside a submission that is judged",
            expected="a folder outside of it: nothing is written into a submission",
            found=f"{path}, in {inside}",
            fix=f"name another place for {option}",
        )


def _targets(early_config: pytest.Config) -> Iterator[tuple[str, Path]]:
    """Yield the places that a run writes to."""
    chosen = early_config.known_args_namespace
    yield "--report", working_folder() / chosen.report
    yield "--evidence or NNR_CONFORMANCE_CACHE", evidence_folder(chosen.evidence)
    for name, option in (("xmlpath", "--junitxml"), ("log_file", "--log-file")):
        if getattr(chosen, name, None):
            yield option, working_folder() / getattr(chosen, name)
    if chosen.basetemp:
        yield "--basetemp", Path(chosen.basetemp)
