"""What the suite judges of everything that is bundled, compared with what it judged before.

    python -m tests.reference                 compare; a line per difference, exit 1 if there is any
    python -m tests.reference digits-cnn 'nnef-*' bitstreams       only these
    python -m tests.reference --write         judge, and replace the reference (names as above)

Names are those of submissions, of rejected cases, and ``bitstreams``; patterns as in a shell.

The reference lies next to this file: ``submissions/NAME.json`` has the facts of a bundled
submission (:mod:`tests.reference.facts` says what a fact is) and the digest of every decoded
tensor, ``rejected/NAME.json`` how the facts of a rejected copy differ from those of the submission
that it is a copy of, and ``bitstreams.json`` what each bitstream decodes to or why it is refused.

Comparison is exact. Verdicts, sizes, digests and the figures of parameters are the same on every
machine; what a network computes (metrics and all that follows from them, differences of outputs)
may differ in its last digits between processors. Where it does, compare two commits on one machine:
write the reference from the older one first.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.reference.facts import Facts, difference, facts, leaves, lines, read, write

HERE = Path(__file__).parent
VECTORS = HERE.parents[1] / "vectors"
SUBMISSIONS = sorted(path.name for path in (VECTORS / "submissions").iterdir())
REJECTED = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted((VECTORS / "rejected").glob("*.json"))
}
BITSTREAMS = "bitstreams"
STORE = "NNR_CONFORMANCE_CACHE"

sys.path.insert(0, str(VECTORS / "generate"))


def main(arguments: list[str] | None = None) -> int:
    """Return 1 if something is judged otherwise than the reference says."""
    parser = argparse.ArgumentParser(prog="python -m tests.reference")
    parser.add_argument("--write", action="store_true", help="replace the reference")
    parser.add_argument("names", nargs="*", help="submissions, rejected cases, or bitstreams")
    given = parser.parse_args(arguments)
    known = [*SUBMISSIONS, *REJECTED, BITSTREAMS]
    unknown = [name for name in given.names if not fnmatch.filter(known, name)]
    if unknown:
        parser.error(f"no submission or rejected case is called {', '.join(unknown)}")
    chosen = {each for name in given.names or ["*"] for each in fnmatch.filter(known, name)}
    with tempfile.TemporaryDirectory(prefix="nnr-reference-") as temporary:
        now = judged(chosen, Path(temporary))
    return _write(now) if given.write else _compare(now)


def judged(chosen: Collection[str], work: Path) -> dict[str, Facts]:
    """Return the facts of each chosen name; of a rejected case, how they differ from its base's."""
    cases = {name: case for name, case in REJECTED.items() if name in chosen}
    bases = {case["base"] for case in cases.values()}
    bundled = [VECTORS / "submissions" / n for n in SUBMISSIONS if n in bases or n in chosen]
    good = _judge(bundled, work / "good", work / "store")
    copies = _judge(
        _rejected(cases, work / "rejected"),
        work / "copies",
        work / "store",
        "tests.vectors.judging",
    )
    found = {
        path.name: good[path.name] | _digests(path, work / "store")
        for path in bundled
        if path.name in chosen
    }
    found |= {name: difference(good[cases[name]["base"]], copies[name]) for name in copies}
    return {**found, BITSTREAMS: _bitstreams()} if BITSTREAMS in chosen else found


def _judge(
    folders: Iterable[Path], reports: Path, store: Path, program: str = "conformance"
) -> dict[str, Facts]:
    """Judge submissions, all in one run, by the names of their folders."""
    folders = list(folders)
    if not folders:
        return {}
    print(f"judging {', '.join(folder.name for folder in folders)}", file=sys.stderr)
    command = [sys.executable, "-m", program, "run", *map(str, folders), "--report", str(reports)]
    environment = {**os.environ, STORE: str(store)}
    subprocess.run(
        command, stdout=subprocess.DEVNULL, env=environment, cwd=HERE.parents[1], check=False
    )
    return {folder.name: _facts(folder, reports) for folder in folders}


def _facts(folder: Path, reports: Path) -> Facts:
    """Return the facts of one report of a run; none, if there is no report."""
    for name in (folder.name, _id(folder)):
        report = reports / name / "report.json"
        if report.exists():
            return facts(json.loads(report.read_text("utf-8")))
    return {}


def _id(folder: Path) -> str:
    """Return the id by which a report is filed that is the only one with this id."""
    try:
        return str(json.loads((folder / "submission.json").read_text("utf-8"))["id"])
    except (ValueError, KeyError):
        return folder.name


def _rejected(cases: Mapping[str, Any], root: Path) -> Iterator[Path]:
    root.mkdir()
    for name, case in cases.items():
        import mutate

        mutate.write_rejected(case, root / name)
        yield root / name


def _digests(folder: Path, store: Path) -> Facts:
    """Return the digest of each tensor of each sample, as ``nnr-conformance measure`` has it."""
    from typer.testing import CliRunner

    from conformance.cli.main import app

    found: Facts = {}
    document = json.loads((folder / "submission.json").read_text("utf-8"))
    for sample in document["samples"]:
        command = ["measure", str(folder), sample["id"]]
        done = CliRunner(env={STORE: str(store)}).invoke(app, command)
        if done.exit_code:
            found[f"digests {sample['id']}"] = f"exit code {done.exit_code}"
        else:
            digests = json.loads(done.stdout)["claims"]["tensor_digests"]
            found |= leaves(digests, ("digests", sample["id"]))
    return found


def _bitstreams() -> Facts:
    """Return type, shape and digest of each tensor of each stream, or why it is refused."""
    from conformance.nnc.decoder import decode
    from conformance.nnc.errors import NncError
    from conformance.tensorfiles import tensor_digest
    from tests.vectors.bitstream_cases import CASES

    found: Facts = {}
    for case in CASES:
        state = case.new_state()
        for entry, path in case.streams:
            name = "/".join((*case.parts, entry["file"]))
            try:
                tensors = decode(path, case.options, state)
            except NncError as error:
                found[f"{name} refused"] = f"{type(error).__name__} in {error.position.field}"
                continue
            for tensor, array in tensors.items():
                shape = "x".join(map(str, array.shape))
                found[f"{name} {tensor}"] = f"{array.dtype.name} {shape} {tensor_digest(array)}"
    return found


def _file(name: str) -> Path:
    folder = "rejected" if name in REJECTED else "submissions" if name in SUBMISSIONS else "."
    return HERE / folder / f"{name}.json"


def _write(now: Mapping[str, Facts]) -> int:
    for name, known in now.items():
        write(_file(name), known)
    return 0


def _compare(now: Mapping[str, Facts]) -> int:
    found = [
        f"{name}: {line}" for name, known in now.items() for line in lines(read(_file(name)), known)
    ]
    for line in found:
        print(line)
    print(f"{len(now)} compared with the reference, {len(found)} differences", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
