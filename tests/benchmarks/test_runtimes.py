"""The stacks of every format are the same network, and a case of each is measured."""

import re

import bare_runtimes
import numpy as np
import pytest
import runtimes
from large_submission import make_weights, run
from stacks import BATCH, WRITERS

from conformance.plan.jobs import CONTROLS
from conformance.submission import load

WIDTH = 12
PARAMETERS = 6 * WIDTH * WIDTH

every_format = pytest.mark.parametrize("kind", sorted(WRITERS))


@every_format
def test_the_bare_run_computes_the_stack(kind, tmp_path):
    weights = make_weights(WIDTH)
    WRITERS[kind](tmp_path, weights)
    items = np.random.default_rng(7).standard_normal((2 * BATCH, WIDTH), np.float32)
    found = np.concatenate(bare_runtimes.RUNS[kind](tmp_path, np.split(items, 2)))
    np.testing.assert_allclose(found, run(weights, items), rtol=1e-4, atol=1e-5)


@every_format
def test_the_submission_of_a_stack_is_in_order(kind, tmp_path):
    runtimes.write_submission(tmp_path / "stack", kind, PARAMETERS)
    loaded = load(tmp_path / "stack")
    assert loaded.problems == ()
    (model,) = loaded.submission.models
    assert (model.format, model.parameter_count) == (kind, PARAMETERS)


def test_the_bare_run_is_of_the_original_and_of_each_control():
    assert len(["original", *CONTROLS]) == bare_runtimes.NETWORKS


def test_a_case_and_the_bare_run_are_compared(capsys):
    runtimes.main(["--parameters", str(PARAMETERS), "--repetitions", "1", "onnx"])
    said = capsys.readouterr().out
    assert re.search(r"onnx +\d+\.\d\d .*; target at most 1.5: (met|MISSED)", said)


def test_a_bare_run_that_fails_is_told_with_what_it_said(tmp_path):
    np.savez(tmp_path / "inputs.npz", small=np.zeros((BATCH, 2)), large=np.zeros((BATCH, 2)))
    with pytest.raises(RuntimeError, match=r"(?s)onnx: .*model\.onnx"):
        runtimes.bare_seconds("onnx", tmp_path, tmp_path, tmp_path / "inputs.npz", {})
