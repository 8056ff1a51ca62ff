"""The commands as a user types them: what they print, and the exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from conformance.cli import main as cli
from conformance.nnc.decoder import decode
from conformance.nnc.encoder import EncoderSettings, UpdateSettings, encode
from conformance.nnc.state import DecoderState
from tests.nnc.inspection.breaches import BREACHES
from tests.nnc.inspection.streams import CONST, GOOD, around, data, float_unit, raw


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kept_workers: None,
) -> Call:
    """Call a command of ``nnc`` in a folder with good.nnc and broken.nnc."""
    (tmp_path / "good.nnc").write_bytes(GOOD)
    (tmp_path / "const.nnc").write_bytes(CONST)
    (tmp_path / "broken.nnc").write_bytes(GOOD[:-2])
    (tmp_path / "unknown.nnc").write_bytes(BREACHES["NNC-READ-004"].stream)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["nnr-conformance", "nnc", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return call


def test_inspect_prints_a_listing(call: Call) -> None:
    ended = call("inspect", "const.nnc")
    assert ended.code == 0
    assert ended.out.startswith("const.nnc: 41 bytes, 4 units")
    assert "tensor 'const'" in ended.out
    assert "\x1b" not in ended.out


def test_inspect_one_unit(call: Call) -> None:
    ended = call("inspect", "good.nnc", "--unit", "1", "--bits")
    assert ended.code == 0
    assert "unit 1  NNR_MPS" in ended.out
    assert "unit 0" not in ended.out


def test_inspect_as_json(call: Call) -> None:
    ended = call("inspect", "good.nnc", "--json", "--bits", "--unit", "3")
    document = json.loads(ended.out)
    assert [unit["index"] for unit in document["units"]] == [3]
    assert document["unit_count"] == 5


def test_inspect_as_tree(call: Call) -> None:
    ended = call("inspect", "good.nnc", "--tree")
    assert ended.code == 0
    assert "`-- unit 4" in ended.out


def test_inspect_a_damaged_stream(call: Call) -> None:
    ended = call("inspect", "broken.nnc")
    assert ended.code == 1
    assert "tensor 'w'" in ended.out
    assert "error: malformed: The size of a unit is wrong" in ended.out


def test_inspect_what_is_not_known(call: Call) -> None:
    ended = call("inspect", "unknown.nnc")
    assert ended.code == 3
    assert "error: unsupported: " in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inspect", "missing.nnc"], "missing.nnc"),
        (["inspect", "."], "."),
        (["validate", "missing.nnc"], "missing.nnc"),
        (["inspect", "good.nnc", "--unit", "9"], "units 0 to 4"),
        (["inspect", "good.nnc", "--json", "--tree"], "choose one"),
        (["inspect", "good.nnc", "--dialect", "other"], "nncodec-1.0"),
        (["inspect", "good.nnc", "--dimensions", "good.nnc"], "not JSON"),
        (["inspect", "good.nnc", "--dimensions", "list.json"], "must be of the form"),
        (["inspect", "good.nnc", "--after", "broken.nnc"], "given with --after"),
        (["inspect", "good.nnc", "--after", "missing.nnc"], "missing.nnc"),
        (["decode", "good.nnc", "--output", "out.txt"], ".npz"),
        (["decode", "good.nnc", "--output", "no/folder.npz"], "no/folder.npz"),
        (["decode", "good.nnc"], "--output"),
        (["decode", "good.nnc", "--tensor", "a", "--after", "good.nnc"], "--after"),
    ],
)
def test_wrong_calls_end_with_2_and_no_traceback(
    call: Call, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "list.json").write_text('{"w": [1, -2]}')
    ended = call(*arguments)
    assert ended.code == 2
    assert said in " ".join(ended.err.replace("│", " ").split())
    assert "Traceback" not in ended.err


def test_validate_a_good_stream(call: Call) -> None:
    ended = call("validate", "good.nnc")
    assert (ended.code, ended.out) == (0, "good.nnc: 0 violations, 0 warnings\n")


def test_validate_a_broken_stream(call: Call) -> None:
    ended = call("validate", "broken.nnc")
    assert ended.code == 1
    assert ended.out.startswith("NNC-STREAM-003 violation: ")
    assert "to see    nnr-conformance nnc inspect broken.nnc --unit 4 --bits" in ended.out
    assert ended.out.endswith("broken.nnc: 1 violation, 0 warnings\n")


def test_warnings_alone_are_no_failure(call: Call, tmp_path: Path) -> None:
    (tmp_path / "raw.nnc").write_bytes(around(data(raw())))
    ended = call("validate", "raw.nnc")
    assert ended.code == 0
    assert ended.out.endswith("raw.nnc: 0 violations, 1 warning\n")


def test_what_cannot_be_checked_is_neither(call: Call) -> None:
    ended = call("validate", "unknown.nnc")
    assert ended.code == 3
    assert "NNC-READ-004 warning" in ended.out


def test_violations_as_json(call: Call) -> None:
    ended = call("validate", "broken.nnc", "--json")
    [violation] = json.loads(ended.out)["violations"]
    assert violation["rule"] == "NNC-STREAM-003"
    assert violation["position"]["unit"] == 4
    assert violation["inspect"].startswith("nnr-conformance nnc inspect broken.nnc")


def test_the_command_in_a_violation_can_be_typed(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a b.nnc").write_bytes(GOOD[:-2])
    ended = call("validate", "a b.nnc")
    assert "nnc inspect 'a b.nnc' --unit 4" in ended.out


def test_features(call: Call) -> None:
    ended = call("features", "good.nnc")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        *("edition:second", "payload:float", "payload:int", "quantization:uniform"),
    ]


def test_features_and_claims_as_json(call: Call) -> None:
    document = json.loads(call("features", "good.nnc", "--json").out)
    assert sorted(document) == ["claims", "error", "features"]
    assert document["claims"]["topology_carriage"] is True


def test_features_of_a_damaged_stream(call: Call) -> None:
    ended = call("features", "broken.nnc")
    assert ended.code == 1
    assert "payload:float" in ended.out
    assert "The size of a unit is wrong" in ended.err


def test_decode_writes_what_the_decoder_gives(call: Call, tmp_path: Path) -> None:
    ended = call("decode", "good.nnc", "--output", "out.npz")
    assert ended.code == 0
    expected = decode(GOOD)
    with np.load(tmp_path / "out.npz") as written:
        assert set(written) == set(expected)
        for name, array in expected.items():
            assert written[name].dtype == array.dtype
            assert np.array_equal(written[name], array)
    assert not (tmp_path / "out.npz.part").exists()


@pytest.mark.parametrize("name", ["file", "a/b", "..", "args", "é", "allow_pickle"])
def test_decode_writes_any_name(call: Call, tmp_path: Path, name: str) -> None:
    (tmp_path / "named.nnc").write_bytes(around(data(float_unit(name))))
    assert call("decode", "named.nnc", "--output", "out.npz").code == 0
    with np.load(tmp_path / "out.npz") as written:
        assert list(written) == [name]


def test_a_name_too_long_for_an_archive(call: Call, tmp_path: Path) -> None:
    (tmp_path / "named.nnc").write_bytes(around(data(float_unit("n" * 70_000))))
    ended = call("decode", "named.nnc", "--output", "out.npz")
    assert ended.code == 2
    assert "too long" in ended.err
    assert not (tmp_path / "out.npz").exists()


def test_decode_one_tensor_says_what_was_read(call: Call) -> None:
    size = len(GOOD)
    for name, tensor in decode(GOOD).items():
        ended = call("decode", "good.nnc", "--tensor", name)
        assert ended.code == 0
        first, said = ended.out.splitlines()
        assert first.split()[0] == tensor.dtype.name
        assert first.endswith(repr(name))
        read, of = re.fullmatch(r"read (\d+) of (\d+) bytes", said).groups()
        assert int(read) <= int(of) == size


def test_decode_one_tensor_into_a_file(call: Call, tmp_path: Path) -> None:
    name, expected = next(iter(decode(GOOD).items()))
    assert call("decode", "good.nnc", "--tensor", name, "--output", "one.npz").code == 0
    with np.load(tmp_path / "one.npz") as written:
        assert written.files == [name]
        assert np.array_equal(written[name], expected)


def test_decode_a_tensor_that_is_not_there(call: Call) -> None:
    ended = call("decode", "good.nnc", "--tensor", "absent")
    assert ended.code == 1
    assert "The stream has no tensor 'absent'" in ended.err
    assert all(repr(name) in ended.err for name in decode(GOOD))


def test_decode_a_damaged_stream(call: Call, tmp_path: Path) -> None:
    ended = call("decode", "broken.nnc", "--output", "out.npz")
    assert ended.code == 1
    assert ended.err.startswith("error: broken.nnc: The size of a unit is wrong")
    assert not (tmp_path / "out.npz").exists()


def test_an_update_chain(call: Call, tmp_path: Path) -> None:
    state, base = DecoderState(), {"w": np.linspace(-1, 1, 120, dtype=np.float32).reshape(20, 6)}
    (tmp_path / "0.nnc").write_bytes(encode(base, EncoderSettings(), state))
    update = EncoderSettings(update=UpdateSettings(temporal=True))
    (tmp_path / "1.nnc").write_bytes(encode({"w": base["w"] / 8}, update, state))
    assert call("validate", "1.nnc").code == 3
    assert call("validate", "1.nnc", "--after", "0.nnc").code == 0
    assert "temporal contexts" in call("inspect", "1.nnc", "--after", "0.nnc").out
    assert "temporal-context" in call("features", "1.nnc", "--after", "0.nnc").out
    assert call("decode", "1.nnc", "--after", "0.nnc", "--output", "out.npz").code == 0
    twice = call("validate", "1.nnc", "--after", "0.nnc", "--after", "1.nnc")
    assert twice.code == 1
    assert "NNC-NODE-004" in twice.out


def test_dimensions_from_outside(call: Call, tmp_path: Path) -> None:
    (tmp_path / "bare.nnc").write_bytes(around(data(float_unit(), tensor_dimensions_flag=0)))
    (tmp_path / "shapes.json").write_text('{"w": [20, 6]}')
    assert call("inspect", "bare.nnc").code == 3
    ended = call("inspect", "bare.nnc", "--dimensions", "shapes.json")
    assert ended.code == 0
    assert "20 x 6" in ended.out


EVIL = "\x1b[31m\r\nPASS\u202e"


@pytest.mark.parametrize(
    "command",
    [
        "inspect",
        "inspect --tree",
        "inspect --json",
        "validate",
        "features --json",
        "decode --output out.npz",
    ],
)
@pytest.mark.parametrize("known", [0, 1], ids=["bare", "whole"])
def test_a_name_cannot_steer_the_terminal(
    call: Call, tmp_path: Path, command: str, known: int
) -> None:
    unit = data(float_unit(EVIL), tensor_dimensions_flag=known)
    (tmp_path / "evil.nnc").write_bytes(around(unit))
    verb, *rest = command.split()
    ended = call(verb, "evil.nnc", *rest)
    said = ended.out + ended.err
    assert not {"\x1b", "\r", "\u202e"} & set(said)
    assert ended.code == (0 if known else 3)


def test_a_missing_shape_is_told_with_the_name_in_quotes(call: Call, tmp_path: Path) -> None:
    (tmp_path / "evil.nnc").write_bytes(around(data(float_unit(EVIL), tensor_dimensions_flag=0)))
    ended = call("decode", "evil.nnc", "--output", "out.npz")
    assert f"The dimensions of {EVIL!r} are not in the stream" in ended.err


def test_warm_up_says_how_long_it_took(call: Call) -> None:
    ended = call("warm-up")
    assert ended.code == 0
    assert ended.out.startswith("The kernels of the NNC decoder ")
    assert ended.out.endswith(" s\n")


def test_names_that_the_terminal_cannot_show_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "named.nnc"
    file.write_bytes(around(data(float_unit("é"))))
    ended = subprocess.run(
        [sys.executable, "-m", "conformance", "nnc", "inspect", str(file)],
        capture_output=True,
        check=False,
        env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"},
    )
    assert ended.returncode == 0, ended.stderr
    assert rb"'\xe9'" in ended.stdout


def test_help_imports_neither_numpy_nor_numba() -> None:
    program = (
        "import sys; from conformance.cli import nnc as cli_nnc; "
        "print(sorted({'numpy', 'numba', 'rich'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"
