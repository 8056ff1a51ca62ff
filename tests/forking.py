"""Modules run as programs, each in its own process, forked when the large imports are done.

What a run of the command line costs is for the most part the import of pytest, NumPy and
Matplotlib. A process that has imported them, and nothing of this project, is forked for each run.
Tests of what happens as the interpreter starts, or that need a different order of hashing in each
process, start a fresh one instead.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]


def run_module(
    module: str, *arguments: object, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m module arguments`` in a folder and return how it ended.

    What it printed is text with the ends of its lines as they were.
    """
    server = _server()
    command = [module, *map(str, arguments)]
    with ExitStack() as stack:
        out, errors = (
            stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", newline=""))
            for _ in range(2)
        )
        request = {
            "command": command,
            "cwd": str(cwd),
            "env": dict(os.environ if env is None else env),
            "streams": [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (out, errors)],
        }
        _pipe(server.stdin).write(json.dumps(request) + "\n")
        _pipe(server.stdin).flush()
        code = int(_pipe(server.stdout).readline())
        texts = [file.seek(0) or file.read() for file in (out, errors)]
    return subprocess.CompletedProcess(command, code, *texts)


@cache
def _server() -> subprocess.Popen[str]:
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    server = subprocess.Popen([sys.executable, "-m", __name__], cwd=ROOT, text=True, **pipes)
    atexit.register(server.wait)
    atexit.register(_pipe(server.stdin).close)
    return server


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _import() -> None:
    """Import what most runs need, in the environment in which a run imports it.

    Plug-ins of pytest are left out: it rewrites them as it imports them, and xdist keeps the search
    path of that moment for its processes.
    """
    from platformdirs import user_cache_path

    fonts = user_cache_path("nnr-conformance") / "matplotlib"
    fonts.mkdir(parents=True, exist_ok=True)
    before = dict(os.environ)
    os.environ.update(MPLCONFIGDIR=str(fonts), MPLBACKEND="svg")
    import jinja2.ext
    import jsonschema
    import matplotlib.backends.backend_svg
    import matplotlib.figure
    import matplotlib.font_manager
    import numpy.random
    import pytest
    import referencing
    import typer

    os.environ.clear()
    os.environ.update(before)
    del jinja2, jsonschema, matplotlib, numpy, pytest, referencing, typer


def _become(request: Mapping[str, Any]) -> None:
    """Be the program that is asked for; this does not return."""
    for number, stream in enumerate(["/dev/null", *request["streams"]]):
        opened = os.open(stream, os.O_RDWR)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    module, *arguments = request["command"]
    more = request["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [request["cwd"], *filter(None, more)]
    sys.argv = [module, *arguments]
    code: Any = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - as the interpreter does at its end
        sys.excepthook(*sys.exc_info())
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def _serve() -> None:
    _import()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
