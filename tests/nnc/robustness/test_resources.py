"""Small files that ask for much: errors stay words where memory ends, and JSON is not piled up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.nnc.decoder import decode
from conformance.nnc.errors import NncMalformedError
from conformance.nnc.inspection.rules import validate
from conformance.nnc.options import Limits, Options
from tests.hang import no_hang
from tests.nnc.decoder.making import header, stream_of
from tests.nnc.inspection.streams import CONST

ENTRIES = 50_000
ROWS = bytes.fromhex(
    "01e85af40ef2907522c17f6233d9ba309a0f57327a47be2d8c7f81bed9876aea"
    "0c273102d64e6bb1122fa506604a82e52549232beb4cee823bcbceaa"
)
"""A payload that skips rows, but not the first two, and ends in the first."""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as on Linux")

LIMITED = """
import json, resource, sys
from pathlib import Path
import conformance.nnc.cabac.decoding
from conformance.nnc import NncLimitError, parse_stream
from conformance.nnc.decoder import plan_stream

data = Path(sys.argv[1]).read_bytes()
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit = used + (int(sys.argv[2]) << 20)
stream = parse_stream(data) if sys.argv[3] == "plan" else None
if stream is not None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + (int(sys.argv[2]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    plan_stream(stream) if stream is not None else parse_stream(data)
except NncLimitError as error:
    print(str(error))
"""

COMMAND = """
import contextlib, io, resource, sys
from pathlib import Path
from conformance.cli import main as cli
from conformance.nnc.cabac.decoding import warm_up

def call(*arguments):
    sys.argv = ["nnr-conformance", "nnc", *arguments]
    cli.main()

small, limit, verb, *rest = sys.argv[1:]
warm_up()
for arguments in ([verb, small, *rest[1:]], [verb, small]):  # what libraries load takes memory too
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        call(*arguments)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit = used + (int(limit) << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
call(verb, *rest)
"""
"""Calls a command with only so much memory more than it took for a small file."""

PEAK = """
import sys
from pathlib import Path
import conformance.nnc.cabac.decoding
from conformance.nnc.inspection.document import document_of
from conformance.nnc.inspection.examination import examine
from conformance.nnc.inspection.lazy import json_text

def held(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) << 10

def write(file):
    return sum(map(len, json_text(document_of(examine(Path(file).read_bytes())))))

write(sys.argv[1])
before = held("VmRSS:")
written = write(sys.argv[2])
print(written, held("VmHWM:") - before)
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 6 kB with a codebook of 50,000 entries, each of one bit."""
    left = ENTRIES // 2
    codebook = {
        "codebook_size": ENTRIES,
        "codebook_deltas_left": (0,) * left,
        "codebook_deltas_right": (0,) * (ENTRIES - left - 1),
    }
    values = header(shape=(4,), codebook_present_flag=1, codebook=codebook)
    path = tmp_path_factory.mktemp("hostile") / "codebook.nnc"
    path.write_bytes(stream_of(values, payload=bytes(20)))
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "small.nnc"
    path.write_bytes(CONST)
    return path


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@linux_only
@pytest.mark.parametrize(("step", "mebibytes"), [("parse", 1), ("parse", 6), ("plan", 1)])
def test_too_little_memory_for_the_headers_is_an_error_of_the_stream(
    hostile: Path, step: str, mebibytes: int
) -> None:
    ended = python(LIMITED, hostile, mebibytes, step)
    assert ended.returncode == 0, ended.stderr
    assert "do not fit into memory" in ended.stdout
    assert "fix       allow more memory" in ended.stdout


@linux_only
@pytest.mark.parametrize("mebibytes", [5, 15])
@pytest.mark.parametrize("command", ["inspect --json", "inspect --tree", "validate", "features"])
def test_a_command_without_enough_memory_ends_in_words(
    hostile: Path, small: Path, command: str, mebibytes: int
) -> None:
    verb, *options = command.split()
    ended = python(COMMAND, small, mebibytes, verb, hostile, *options)
    assert not ended.stderr.startswith("Traceback")
    assert ended.returncode == 1
    said = ended.stdout + ended.stderr
    assert "memory" in said or "terminating bin" in said


@linux_only
def test_json_of_a_long_unit_is_not_held(hostile: Path, small: Path) -> None:
    ended = python(PEAK, small, hostile)
    assert ended.returncode == 0, ended.stderr
    written, peak = map(int, ended.stdout.split())
    assert written > 150 * ENTRIES
    assert peak < 800 * ENTRIES


@pytest.mark.parametrize("look", ["decode", "validate"])
def test_a_payload_of_skipped_rows_takes_the_time_of_its_bytes(look: str) -> None:
    data = stream_of(header(shape=(2, 1 << 26)), payload=ROWS)
    options = Options(limits=Limits(free_bytes=1 << 30), threads=1)
    small = stream_of(header(shape=(2, 5)), payload=ROWS)
    assert validate(small)
    with no_hang():
        if look == "validate":
            assert validate(data, options)
        else:
            with pytest.raises(NncMalformedError, match="cannot be decoded"):
                decode(data, options)


def test_the_figures_of_the_inspector_stay_json(hostile: Path, small: Path) -> None:
    ended = python(COMMAND, small, 4096, "inspect", hostile, "--json")
    document = json.loads(ended.stdout)
    assert len(document["units"][-1]["elements"]) > ENTRIES
    assert document["error"]["kind"] == "malformed"
