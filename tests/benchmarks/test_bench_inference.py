"""The networks that are timed run, and both ways to time them are compared."""

import bench_inference
import numpy as np
import onnxruntime
import pytest

from conformance.jobs import timing


@pytest.fixture(autouse=True)
def _few_blocks_and_rounds(monkeypatch):
    monkeypatch.setattr(bench_inference, "BLOCKS", (1, 1, 1, 1))
    monkeypatch.setattr(bench_inference, "ROUNDS", 0)
    monkeypatch.setattr(timing, "ROUNDS", 2)


def test_the_network_gives_finite_scores_of_each_class():
    model = bench_inference.residual_network(4, 32, seed=1)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.random.default_rng(2).standard_normal((3, 3, 32, 32), np.float32)
    (scores,) = session.run(["y"], {"x": x})
    assert scores.shape == (3, bench_inference.CLASSES)
    assert np.isfinite(scores).all()
    assert scores.std() > 1e-3


def test_timed_inference_is_compared_with_rounds_on_all_items(capsys):
    bench_inference.main(["--width", "4", "--side", "32", "--repetitions", "1"])
    said = capsys.readouterr().out
    assert "2 rounds of 4 items were timed" in said
    assert "timed inference / seven rounds on all items: " in said
    assert "target at most 0.5: " in said
