"""What the evaluation says of a sample that is a bitstream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.jobs import decoding
from conformance.tensorfiles import tensor_digest
from conformance.verdicts import MalformedError
from tests import tiny_submission
from tests.bitstreams import raw_stream
from tests.jobs.bench import add_sample
from tests.jobs.in_process import Evaluation

WEIGHTS = tiny_submission.weights()
RESERVED = {"mps_reserved_zero_2bits": 1}


def tiny_with(tiny: Path, stream: bytes, **more) -> dict:
    add_sample(tiny, "stream", stream, **more)
    return Evaluation(tiny).result("decode", sample="stream")


def test_tensors_are_those_of_the_stream(tiny: Path) -> None:
    measured = tiny_with(tiny, raw_stream(WEIGHTS))
    assert measured["usable"]
    assert measured["coverage"] == []
    assert measured["features"] == ["edition:second", "payload:raw-float"]
    assert {name: facts["sha256"] for name, facts in measured["tensors"].items()} == {
        name: tensor_digest(array) for name, array in WEIGHTS.items()
    }


def test_raw_values_are_lossless(tiny: Path) -> None:
    measured = tiny_with(tiny, raw_stream(WEIGHTS), lossless=True)
    assert measured["lossless"] == {"tensors": 2, "differences": []}


def test_sound_stream_breaks_no_rule(tiny: Path) -> None:
    stream = tiny_with(tiny, raw_stream(WEIGHTS))["stream"]
    assert (stream["violations"], stream["unlisted"]) == ([], 0)


def test_samples_of_other_codecs_are_no_streams(tiny: Path) -> None:
    bench = Evaluation(tiny)
    for sample in ("half", "half-onnx"):
        assert bench.result("decode", sample=sample)["stream"] is None


def test_broken_rule_leaves_the_sample_usable(tiny: Path) -> None:
    measured = tiny_with(tiny, raw_stream(WEIGHTS, RESERVED))
    (violation,) = measured["stream"]["violations"]
    assert measured["usable"]
    assert violation["where"]["file"] == "stream.nnc"
    assert violation["where"]["byte_offset"] == 8
    assert "mps_reserved_zero_2bits" in violation["where"]["element"]
    assert violation["command"] == "nnr-conformance nnc inspect stream.nnc --unit 1 --bits"


def test_many_violations_are_counted_beyond_the_first(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MOST_VIOLATIONS", 1)
    stream = tiny_with(tiny, raw_stream(WEIGHTS, RESERVED, first_tensor_dimension_shift=9))[
        "stream"
    ]
    assert len(stream["violations"]) == 1
    assert stream["unlisted"] >= 1


def test_claims_are_kept(tiny: Path) -> None:
    model = {"base_model_id_present_flag": 1, "base_model_id": "linear"}
    stream = tiny_with(tiny, raw_stream(WEIGHTS, model))["stream"]
    assert stream["claims"]["base_model_id"] == "linear"


def test_reconstruction_runs_what_the_stream_holds(tiny: Path) -> None:
    doubled = {name: 2 * array for name, array in WEIGHTS.items()}
    add_sample(tiny, "same", raw_stream(WEIGHTS))
    add_sample(tiny, "doubled", raw_stream(doubled))
    bench = Evaluation(tiny)
    same = bench.result("reconstruction", sample="same")["metrics"]["distance"]
    assert same["value"] == 0
    assert bench.result("reconstruction", sample="doubled")["metrics"]["distance"]["value"] > 0.1


def test_names_of_the_stream_may_be_mapped(tiny: Path) -> None:
    renamed = {f"net.{name}": array for name, array in WEIGHTS.items()}
    names = [{"sample": f"net.{name}", "model": name} for name in WEIGHTS]
    measured = tiny_with(tiny, raw_stream(renamed), name_map=names)
    assert measured["usable"]
    assert sorted(measured["tensors"]) == ["net.fc.bias", "net.fc.weight"]


def test_stream_that_ends_early_lacks_a_parameter(tiny: Path) -> None:
    measured = tiny_with(tiny, raw_stream({"fc.weight": WEIGHTS["fc.weight"]}))
    assert [problem["tensor"] for problem in measured["coverage"]] == ["fc.bias"]
    assert not measured["usable"]


def test_values_that_are_not_finite_are_counted(tiny: Path) -> None:
    spoilt = {**WEIGHTS, "fc.bias": np.full(3, np.nan, np.float32)}
    measured = tiny_with(tiny, raw_stream(spoilt))
    assert measured["tensors"]["fc.bias"]["non_finite"] == 3
    assert not measured["usable"]


def test_damaged_stream_is_malformed_at_its_place(tiny: Path) -> None:
    with pytest.raises(MalformedError) as caught:
        tiny_with(tiny, raw_stream(WEIGHTS)[:-1])
    where = caught.value.where
    assert where is not None
    assert where.file == "stream.nnc"
    assert where.byte_offset is not None
