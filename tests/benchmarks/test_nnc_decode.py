"""The benchmark of decoding NNC: its helpers, with decoders that only say so."""

import json
import sys
from dataclasses import replace

import nnc_decode
import numpy as np
import pytest
from nnc_decode import (
    MIB,
    NNCODEC,
    Run,
    end_of_first_tensor,
    has_nncodec,
    main,
    measure,
    memory_rows,
    ours_with,
    speed,
    time_rows,
)
from nnc_decode_figures import digest, peak, resident

from conformance.nnc.decoder import decode
from conformance.nnc.encoder import encode

RUN = Run(
    process=6.0,
    cpu=5.5,
    decode=5.0,
    peak=300 * MIB,
    interpreter=10 * MIB,
    imported=100 * MIB,
    decoded=100 * MIB,
    digest="d",
)


@pytest.fixture
def stream(tmp_path, model):
    file = tmp_path / "model.nnc"
    file.write_bytes(encode(model))
    return file


@pytest.fixture
def model():
    return {name: np.arange(6, dtype=np.int32).reshape(2, 3) for name in ("first", "second")}


def runs_with(ours):
    return {NNCODEC: [RUN, RUN], ours_with(1): [ours, ours], ours_with(2): [ours, ours]}


def test_speed_is_a_ratio_of_each_round_with_a_verdict():
    runs = runs_with(replace(RUN, decode=2.0, process=4.0, cpu=5.5))
    assert speed(runs, 1, 1.4) == (
        "2.50 (2.50 to 2.50), process 1.50 (1.50 to 1.50), processor 1.00 (1.00 to 1.00); "
        "target 1.4: met"
    )
    assert speed(runs, 2, 3.0).endswith("target 3: MISSED")


def test_each_decoder_has_a_row_of_its_seconds():
    rows = {name: seconds for name, *seconds in time_rows(runs_with(RUN))}
    assert rows.keys() == {NNCODEC, "ours, 1 thread", "ours, 2 threads"}
    assert rows[NNCODEC][0] == "5.00 (5.00 to 5.00)"


@pytest.mark.parametrize(("most", "verdict"), [(250, "met"), (251, "MISSED")])
def test_memory_is_what_is_held_beyond_the_stream(most, verdict):
    runs = {NNCODEC: RUN, ours_with(1): replace(RUN, peak=most * MIB)}
    theirs, ours = memory_rows(runs, 20 * MIB)
    assert theirs == (NNCODEC, "290", "200", "1.80")
    assert ours[:3] == ("ours, 1 thread", str(most - 10), str(most - 100))
    assert ours[3].endswith(f"target at most 1.3: {verdict}")


def test_our_process_says_what_it_took(stream):
    warm = end_of_first_tensor(stream)
    assert list(decode(stream.read_bytes()[:warm])) == ["first"]
    run = nnc_decode.run([sys.executable, nnc_decode.OURS, "1"], stream, warm)
    assert run.decoded == 48
    assert run.digest == digest(decode(stream))
    assert run.interpreter < run.imported <= run.peak
    assert 0 < run.decode < run.process


def figures(value):
    said = dict.fromkeys(("decode", "peak", "interpreter", "imported", "decoded"), 1)
    return [sys.executable, "-c", f"print({json.dumps({**said, 'digest': value})!r})"]


def test_rounds_are_taken_in_turn_and_the_first_is_dropped(stream, tmp_path, monkeypatch):
    names = {NNCODEC: figures("same"), "ours": figures("same")}
    monkeypatch.setattr(nnc_decode, "contestants", lambda _: names)
    runs = measure(tmp_path, stream, 2)
    assert {name: len(several) for name, several in runs.items()} == {NNCODEC: 2, "ours": 2}


def test_decoders_that_disagree_are_not_compared(stream, tmp_path, monkeypatch):
    names = {NNCODEC: figures("this"), "ours": figures("that")}
    monkeypatch.setattr(nnc_decode, "contestants", lambda _: names)
    with pytest.raises(RuntimeError, match="do not agree"):
        measure(tmp_path, stream, 1)


def test_streams_are_made_once(tmp_path, monkeypatch, capsys):
    made = []

    def pretend(command):
        made.append(command)
        command[3].write_bytes(b"stream")

    monkeypatch.setattr(nnc_decode, "timed", pretend)
    first = nnc_decode.made(tmp_path / "python", tmp_path / "cache")
    assert nnc_decode.made(tmp_path / "python", tmp_path / "cache") == first
    assert [command[4] for command in made] == ["0", "1"]
    assert all(file.read_bytes() == b"stream" for file in first.values())


@pytest.mark.parametrize(
    "arguments", [[], ["--nncodec", sys.executable], ["--nncodec", "/no/such"]]
)
def test_without_nncodec_the_benchmark_says_that_it_is_skipped(arguments, monkeypatch, capsys):
    monkeypatch.delenv(nnc_decode.VARIABLE, raising=False)
    main(arguments)
    said = capsys.readouterr().out
    assert "skipped, NNCodec is not installed" in said
    assert nnc_decode.VARIABLE in said


def test_an_interpreter_without_nncodec_is_known(tmp_path):
    assert not has_nncodec(sys.executable)
    assert not has_nncodec(tmp_path / "python")


def test_a_process_knows_its_memory():
    assert 0 < resident() <= peak()


def test_digests_depend_on_names_types_shapes_and_values(model):
    changed = [
        {"first": model["first"]},
        {**model, "second": model["second"] + 1},
        {**model, "second": model["second"].astype("int64")},
        {**model, "second": model["second"].reshape(3, 2)},
    ]
    assert digest(dict(reversed(model.items()))) == digest(model)
    assert len({digest(model), *map(digest, changed)}) == 5
