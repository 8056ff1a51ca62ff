"""Write requirements.lock, or check that it is still true.

The lock lists every package that pyproject.toml leads to, at the version installed here, in two
sections: what a verdict needs, and what developing and building need on top of that.

    .venv/bin/python .ci/lock.py            writes the file
    .venv/bin/python .ci/lock.py --check    exits 1 if it would be written differently
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, BUILD = PYPROJECT["project"], PYPROJECT["build-system"]
EXTRAS = PROJECT["optional-dependencies"]
RUN_EXTRAS = ("all",)
"""The extras that are part of the tool as people run it: its container has them."""

HEADER = """\
# Every package of nnr-conformance, pinned. Install with --no-deps: nothing else is needed.
# Written by `make lock` from pyproject.toml and the versions installed in .venv.
# torch has no local part (+cpu) and nothing has a hash: CPU wheels differ from index to index.
"""
RUN = "\n# --- run: what a verdict needs\n"
DEVELOP = "\n# --- develop: tests, linters, the bundled submissions, the build backend\n"


def dependencies(name: str, extras: frozenset[str]) -> Iterable[Requirement]:
    """Yield what the installed package ``name`` requires here, with these extras."""
    if name == PROJECT["name"]:  # What is installed may be from before a change of pyproject.toml.
        yield from (Requirement(text) for extra in extras for text in EXTRAS[extra])
        return
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        environments = [{"extra": extra} for extra in extras or {""}]
        if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
            yield requirement


def closure(wanted: Iterable[str]) -> set[str]:
    """Return the normalised names of all packages that ``wanted`` leads to."""
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = [Requirement(text) for text in wanted]
    while queue:
        requirement = queue.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key not in seen:
            seen.add(key)
            queue.extend(dependencies(*key))
    # An extra may consist of the package's own other extras.
    return {name for name, _ in seen} - {PROJECT["name"]}


def pins(names: Iterable[str], markers: Mapping[str, str]) -> str:
    """Return one ``name==version`` line for each package, sorted, with its marker if it has one."""
    return "".join(
        f"{name}=={Version(distribution(name).version).public}{markers.get(name, '')}\n"
        for name in sorted(names)
    )


def markers_of(wanted: Iterable[str]) -> dict[str, str]:
    """Return what follows the pin of each package that not every platform has."""
    requirements = [Requirement(text) for text in wanted]
    return {
        canonicalize_name(requirement.name): f" ; {requirement.marker}"
        for requirement in requirements
        if requirement.marker
    }


def lock() -> str:
    """Return the text of requirements.lock."""
    direct = [*PROJECT["dependencies"], *(text for group in EXTRAS.values() for text in group)]
    run = closure([*PROJECT["dependencies"], *(text for e in RUN_EXTRAS for text in EXTRAS[e])])
    # hatchling needs editables for `pip install -e`, and says so nowhere.
    build = [*BUILD["requires"], "editables"]
    develop = closure([*build, *direct])
    markers = markers_of(direct)
    return HEADER + RUN + pins(run, markers) + DEVELOP + pins(develop - run, markers)


def main(arguments: list[str]) -> int:
    """Write or check the lock; return the exit code."""
    text = lock()
    if arguments == ["--check"]:
        if LOCK.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write(f"{LOCK.name} no longer fits pyproject.toml and .venv: run `make lock`\n")
        return 1
    LOCK.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
