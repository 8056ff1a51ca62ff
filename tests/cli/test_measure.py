from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conformance.cli.measure import true_claims
from conformance.evidence.location import VARIABLE, evidence_store
from conformance.submission import load
from conformance.tensorfiles import write_tensors
from conformance.verdicts import ConformanceError
from tests import tiny_submission


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "evidence"))


def measured(folder: Path, sample: str = "half") -> dict:
    return json.loads(true_claims(folder, sample))


def test_truth_equals_true_claims(tiny: Path) -> None:
    declared = tiny_submission.write(tiny)["samples"][0]
    found = measured(tiny)
    assert found["features"] == declared["features"]
    assert found["claims"]["tensor_digests"] == declared["claims"]["tensor_digests"]
    assert found["claims"]["compressed_size"] == declared["claims"]["compressed_size"]
    assert [value["metric"] for value in found["claims"]["metric_values"]] == ["top1", "distance"]
    assert found["claims"]["metric_values"][0]["value"] == 0.9


def test_false_claims_do_not_change_the_truth(tiny: Path) -> None:
    before = measured(tiny)
    metadata = tiny_submission.write(tiny)
    metadata["samples"][0]["claims"] = {
        "compressed_size": 1,
        "metric_values": [],
        "tensor_digests": {},
    }
    metadata["samples"][0]["features"] = []
    tiny_submission.save(tiny, metadata)
    assert measured(tiny) == before


def test_truth_can_be_pasted_and_then_holds(tiny: Path) -> None:
    metadata = tiny_submission.write(tiny)
    metadata["samples"][0].update(measured(tiny))
    tiny_submission.save(tiny, metadata)
    metadata["models"][0].update(measured(tiny, "linear"))
    tiny_submission.save(tiny, metadata)
    assert load(tiny).problems == ()
    assert measured(tiny)["claims"] == metadata["samples"][0]["claims"]


def test_unknown_sample_is_told(tiny: Path) -> None:
    with pytest.raises(ConformanceError, match="no sample 'quarter'") as caught:
        measured(tiny, "quarter")
    assert caught.value.expected == "one of half, half-onnx, exact"


def test_unsound_metadata_are_told(tiny: Path) -> None:
    metadata = tiny_submission.write(tiny)
    del metadata["license"]
    tiny_submission.save(tiny, metadata)
    with pytest.raises(ConformanceError) as caught:
        measured(tiny)
    assert "nnr-conformance check" in caught.value.fix


def test_sample_that_cannot_be_decoded_says_why(tiny: Path) -> None:
    (tiny / "half.safetensors").write_bytes(b"\xff" * 64)
    metadata = tiny_submission.write(tiny)
    (tiny / "half.safetensors").write_bytes(b"\xff" * 64)
    metadata["samples"][0]["files"] = [tiny_submission.entry(tiny, "half.safetensors")]
    tiny_submission.save(tiny, metadata)
    with pytest.raises(ConformanceError) as caught:
        measured(tiny)
    assert caught.value.where is not None
    assert caught.value.where.file == "half.safetensors"


def test_sample_that_is_not_the_whole_network_says_what_is_missing(tiny: Path) -> None:
    metadata = tiny_submission.write(tiny)
    weights = tiny_submission.weights()
    name, other = list(weights)[:2]
    write_tensors(tiny / "half.safetensors", {other: weights[other], "else": weights[name]})
    metadata["samples"][0]["files"] = [tiny_submission.entry(tiny, "half.safetensors")]
    tiny_submission.save(tiny, metadata)
    with pytest.raises(ConformanceError) as caught:
        measured(tiny)
    assert f"the sample holds no tensor for the parameter {name!r}" in caught.value.message
    assert "'half' is not the whole network" in caught.value.message
    assert caught.value.where is not None
    assert (caught.value.where.file, caught.value.where.element) == ("half.safetensors", name)
    assert f'{{"sample": "else", "model": "{name}"}}' in caught.value.fix
    assert caught.value.fix.endswith("`nnr-conformance run` lists this and 1 more")


def test_a_common_prefix_of_the_names_is_named(tiny: Path) -> None:
    metadata = tiny_submission.write(tiny)
    prefixed = {f"module.{name}": array for name, array in tiny_submission.weights().items()}
    write_tensors(tiny / "half.safetensors", prefixed)
    metadata["samples"][0]["files"] = [tiny_submission.entry(tiny, "half.safetensors")]
    tiny_submission.save(tiny, metadata)
    with pytest.raises(ConformanceError) as caught:
        measured(tiny)
    assert "the names of the sample's tensors begin with 'module.'" in caught.value.message
    assert "save model.module.state_dict()" in caught.value.fix
    assert "more" not in caught.value.fix


def test_original_that_does_not_run_is_told_instead_of_the_sample(tiny: Path) -> None:
    metadata = tiny_submission.write(tiny)
    entry = metadata["vectors"][0]["shards"][0]["inputs"][0]
    file = tiny / entry["rel_filepath"]
    write_tensors(file, {"y": np.zeros((1, tiny_submission.FEATURES), np.float32)})
    metadata["vectors"][0]["shards"][0]["inputs"] = [
        tiny_submission.entry(tiny, entry["rel_filepath"])
    ]
    tiny_submission.save(tiny, metadata)
    with pytest.raises(ConformanceError) as caught:
        measured(tiny)
    assert "does not hold the network's inputs" in caught.value.message
    assert (caught.value.expected, caught.value.found) == ("x", "y")
    assert caught.value.fix.startswith("name the arrays like the inputs")


def test_metric_that_cannot_be_measured_says_why(tiny: Path) -> None:
    metadata = tiny_submission.write(tiny)
    metadata["metrics"][0]["bindings"] = {"prediction": "nothing", "target": "label"}
    tiny_submission.save(tiny, metadata)
    with pytest.raises(ConformanceError) as caught:
        measured(tiny)
    assert caught.value.found == "logits"
    assert caught.value.where is not None
    assert (caught.value.where.file, caught.value.where.element) == (
        "submission.json",
        "metric 'top1'",
    )


def test_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConformanceError) as caught:
        evidence_store(tmp_path / "file")
    assert "--evidence DIR" in caught.value.fix


def test_chosen_store_comes_before_the_variable(tmp_path: Path) -> None:
    assert evidence_store(tmp_path / "chosen").root == tmp_path / "chosen"
    assert evidence_store().root == tmp_path / "evidence"
