"""Kinds by name, kinds of other packages, and what is imported when."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conformance.metrics import Metric, metric, metric_class
from conformance.registry import Registry
from conformance.verdicts import NotRunError, UnsupportedError

BIAS = """
import numpy as np
from conformance.metrics import About, Arg
from conformance.metrics.additive import AdditiveMetric

class Bias(AdditiveMetric):
    kind = "bias"
    arguments = (Arg("scale", "number", "A factor.", default=1.0),)
    about = About("Mean error.", "(N, ...)", "unit", "any", "lower", "(mean error, 1)", "NumPy")

    def __init__(self, *, scale):
        super().__init__()
        self.scale = scale

    def statistics(self, values):
        error = values["prediction"] - values["target"]
        return np.stack([self.scale * error.mean(axis=1), np.ones(len(error))], axis=1)

    def finish(self, totals):
        return totals[..., 0] / totals[..., 1]

not_a_metric = 3
"""


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Registry:
    """A tiny installed distribution that brings its own kinds."""
    (tmp_path / "lab_metrics.py").write_text(BIAS)
    info = tmp_path / "lab_metrics-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-metrics\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        "[nnr_conformance.metrics]\n"
        "bias = lab_metrics:Bias\n"
        "wrong = lab_metrics:not_a_metric\n"
        "broken = lab_metrics:missing\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "lab_metrics", raising=False)
    return Registry("nnr_conformance.metrics", "metric kind")


def test_a_kind_of_another_package_is_used_like_any(lab):
    bias = metric("bias", {"scale": 2}, lab)
    assert isinstance(bias, Metric)
    bias.update({"prediction": np.ones((4, 3)), "target": np.zeros((4, 3))})
    assert bias.result().value == 2.0
    assert lab.distribution("bias") == "lab-metrics 1.2"


def test_built_in_kinds_stay_beside_those_of_other_packages(lab):
    assert {"bias", "mse", "top-k-accuracy"} <= set(lab.names())


def test_what_is_no_metric_is_unsupported(lab):
    with pytest.raises(UnsupportedError, match="is not a metric") as caught:
        metric_class("wrong", lab)
    assert "lab-metrics 1.2" in caught.value.found
    assert "subclass" in caught.value.fix


def test_what_cannot_be_imported_is_unsupported(lab):
    with pytest.raises(UnsupportedError, match="cannot be imported"):
        metric("broken", {}, lab)


def test_an_unknown_kind_is_unsupported_and_lists_the_known():
    with pytest.raises(UnsupportedError, match="no metric kind 'top1'") as caught:
        metric("top1", {})
    assert "top-k-accuracy" in caught.value.expected
    assert "nnr_conformance.metrics" in caught.value.fix


def run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


LIGHT = """
import json, sys
import numpy as np
from conformance.metrics import metric
from conformance.metrics.uncertainty import paired_interval
x, ids = np.eye(6), np.arange(6)
for kind, args in [("top-k-accuracy", {}), ("f1", {}), ("confusion-matrix", {}), ("mean-iou", {}),
                   ("bleu", {"n_gram": 1})]:
    made = metric(kind, args)
    prediction = x if kind != "bleu" else ids[:, None]
    made.update({"prediction": prediction, "target": ids if kind != "bleu" else ids[:, None]})
    made.result()
for kind, args in [("mse", {}), ("rmse", {}), ("mae", {}), ("psnr", {"data_range": 1}),
                   ("cosine-similarity", {})]:
    made = metric(kind, args)
    made.update({"prediction": x, "target": x * 0.5})
    made.result()
for kind, target in [("kl-divergence", x), ("perplexity", ids)]:
    made = metric(kind, {})
    made.update({"prediction": x, "target": target})
    made.result()
accuracy = metric("top-k-accuracy", {})
accuracy.update({"prediction": x, "target": ids})
statistics = accuracy.result().statistics
assert paired_interval(accuracy, statistics, statistics).p_value == 1
heavy = ["torch", "torchmetrics", "sklearn", "scipy.stats", "pycocotools"]
print(json.dumps([name for name in heavy if name in sys.modules]))
"""


def test_light_metrics_import_nothing_heavy():
    assert run(LIGHT) == []


def test_the_package_itself_imports_not_even_numpy():
    code = "import json, sys, conformance.metrics; print(json.dumps(['numpy' in sys.modules]))"
    assert run(code) == [False]


def test_torch_runs_on_one_thread_and_deterministically():
    metric("snr", {})
    torch = sys.modules["torch"]
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("kind", "args", "library"),
    [
        ("ssim", {"data_range": 1}, "torch"),
        ("wer", {}, "torchmetrics"),
        ("mean-average-precision", {}, "pycocotools"),
    ],
)
def test_a_library_that_is_not_installed_is_named_with_the_command(
    kind, args, library, tmp_path: Path, monkeypatch
):
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(NotRunError, match=f"needs {library}") as caught:
        metric(kind, args)
    assert "pip install 'nnr-conformance[torchmetrics]'" in caught.value.fix
