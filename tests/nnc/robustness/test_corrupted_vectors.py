"""Every vector, damaged in many ways, gives tensors or an error that explains itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "vectors" / "bitstreams"
EDITIONS = ("first-edition", "nncodec-1.0", "second-edition")
LEAST = 10_000
SECONDS = 60.0


def jobs_of(edition):
    """Return a job for every stream of an edition, with as many corruptions as it takes."""
    cases = {name: sorted((VECTORS / name).rglob("case.json")) for name in EDITIONS}
    chains = {name: [chain for case in cases[name] for chain in chains_of(case)] for name in cases}
    count = -(-LEAST // sum(map(len, chains.values())))
    return [
        {"files": files, "options": options, "seed": 1000 * place, "count": count}
        for place, (files, options) in enumerate(chains[edition])
    ]


def chains_of(case):
    """Yield each stream of a case with those before it, and its options."""
    described = json.loads(case.read_text("utf-8"))
    files = [str(case.parent / stream["file"]) for stream in described["streams"]]
    for last in range(len(files)):
        yield files[: last + 1], described["options"]


def test_there_are_enough_corruptions():
    assert sum(job["count"] for name in EDITIONS for job in jobs_of(name)) >= LEAST


@pytest.mark.parametrize("edition", EDITIONS)
def test_damage_gives_tensors_or_an_error(edition, tmp_path):
    jobs = jobs_of(edition)
    listed, progress = tmp_path / "jobs.json", tmp_path / "progress"
    listed.write_text(json.dumps(jobs), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.decode_corrupted", listed, progress],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    last = progress.read_text("utf-8").strip() if progress.exists() else "nothing yet"
    assert done.returncode == 0, f"{last}\nexit status {done.returncode}\n{done.stderr[-4000:]}"
    summary = json.loads(done.stdout)
    assert sum(summary["outcomes"].values()) == sum(job["count"] for job in jobs)
    seconds, what = summary["slowest"]
    assert seconds < SECONDS, f"{what} takes {seconds:.1f} seconds"
    assert set(summary["outcomes"]) >= {"tensors", "NncMalformedError"}
