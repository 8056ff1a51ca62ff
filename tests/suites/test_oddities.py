"""Submissions that pass and are odd: a sample that is no compressed form of its original."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests import tiny_submission
from tests.bitstreams import raw_stream
from tests.jobs.bench import add_sample
from tests.jobs.in_process import findings

LIKENESS, BETTER, DELTA = "SAMPLE-ORIGIN-001", "METRIC-IMPROVEMENT-001", "METRIC-DELTA-001"
FORMS = {"tensors": dict, "nnc": raw_stream}


def judged(root: Path, monkeypatch: pytest.MonkeyPatch, form: str, *, retraining: bool) -> Mapping:
    """Findings on a classifier of values in random order, which made the targets itself."""
    monkeypatch.setattr(tiny_submission, "FEATURES", 60)
    metadata = tiny_submission.write(root)
    fitted = {
        name: np.random.default_rng(3).permutation(array.reshape(-1)).reshape(array.shape)
        for name, array in tiny_submission.weights().items()
    }
    inputs = np.load(root / "inputs.npz")["x"]
    np.savez(root / "targets.npz", label=tiny_submission.logits(fitted, inputs).argmax(axis=1))
    metadata["vectors"][0]["shards"][0]["targets"] = [tiny_submission.entry(root, "targets.npz")]
    tiny_submission.save(root, metadata)
    method = {**metadata["samples"][0]["method"], "retraining": retraining}
    uses = [{"metric": "top1", "vectors": "test"}]
    add_sample(root, "fitted", FORMS[form](fitted), metrics=uses, method=method)
    return {
        finding.check: finding
        for finding in findings(root, LIKENESS, BETTER, DELTA)
        if finding.subject.startswith("tiny/fitted")
    }


@pytest.mark.parametrize("form", FORMS)
def test_a_fitted_classifier_passes_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    found = judged(tmp_path / "tiny", monkeypatch, form, retraining=False)
    assert {check: finding.verdict.value for check, finding in found.items()} == {
        LIKENESS: "fail",
        BETTER: "fail",
        DELTA: "pass",
    }
    assert "1 of 1 parameters have nothing in common" in found[LIKENESS].message
    assert found[LIKENESS].found.startswith("fc.weight: correlation ")
    assert found[LIKENESS].where.element == "fc.weight"
    assert "sample 1, " in found[BETTER].found
    assert "targets" in found[BETTER].fix


def test_nothing_is_odd_about_a_network_that_was_trained_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = judged(tmp_path / "tiny", monkeypatch, "tensors", retraining=True)
    assert {check: finding.verdict.value for check, finding in found.items()} == {DELTA: "pass"}
