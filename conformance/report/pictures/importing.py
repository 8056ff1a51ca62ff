"""Import Matplotlib so that nothing of it reaches the user's home, terminal or settings.

Left to itself it makes a folder in the user's home for settings and a cache of fonts, logs a
warning where it may not, and refuses to be imported if ``MPLBACKEND`` names no backend.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def quiet_matplotlib() -> Iterator[None]:
    """Let what is done within import and use Matplotlib in silence.

    The first import keeps the list of fonts in the cache folder of this tool, or in a temporary
    folder where there is none to write to; a folder named by ``MPLCONFIGDIR`` goes before both.
    """
    with ExitStack() as stack:
        stack.enter_context(_logging_errors_alone())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        if "matplotlib" not in sys.modules:
            folder = os.environ.get("MPLCONFIGDIR") or _own_folder()
            if not _usable(Path(folder)):
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nnr-pictures-"))
            stack.enter_context(_environment(MPLCONFIGDIR=folder, MPLBACKEND="svg"))
            # It asks where its folder is once, and reads the list of fonts at once.
            import matplotlib.font_manager  # noqa: F401
        yield


def _own_folder() -> str:
    from platformdirs import user_cache_path

    return str(user_cache_path("nnr-conformance") / "matplotlib")


def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return False
    return os.access(folder, os.W_OK | os.X_OK)


@contextmanager
def _logging_errors_alone() -> Iterator[None]:
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _environment(**wanted: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
