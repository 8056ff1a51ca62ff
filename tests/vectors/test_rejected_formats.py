"""Every rejected copy of ``digits-formats``: each model format with each kind of damage."""

from pathlib import Path

import pytest

from conformance.runtimes import RUNTIMES
from tests.vectors.rejection import CASES, assert_only_the_defect, judged, readable

BASE = "digits-formats"
DAMAGE = ("truncated", "bit-flipped", "wrong-magic")
MISFITS = (
    *("tensor-missing", "tensor-extra", "tensor-shape-wrong", "tensor-nan"),
    "output-dtype-wrong",
    "tensor-dtype-wrong",
)
CODE = {
    "caffe": {"caffe-layer-unknown", "caffe-python-layer"},
    "keras": {"keras-layer-unknown", "keras-lambda-layer", "keras-module-planted"},
    "nnef": {"nnef-operation-unknown", "nnef-label-traversal"},
    "onnx": {"onnx-operator-unknown", "onnx-custom-library"},
    "savedmodel": {
        "savedmodel-operator-unknown",
        "savedmodel-file-operator",
        "savedmodel-python-operator",
    },
    "tflite": {"tflite-operator-unknown", "tflite-custom-operator"},
    "torch-export": {
        "torch-export-operator-unknown",
        "torch-export-custom-library",
        "torch-export-pickle-planted",
    },
    "torch-state-dict": {
        "torch-state-dict-operator-unknown",
        "torch-state-dict-custom-library",
        "torch-state-dict-pickle-planted",
    },
    "torchscript": {
        "torchscript-operator-unknown",
        "torchscript-custom-library",
        "torchscript-pickle-planted",
    },
}
"""Operators that nobody has, and code that must not run, by format."""

MARKER = Path("/tmp/nnr-conformance-was-here")


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    MARKER.unlink(missing_ok=True)
    return judged(BASE, tmp_path_factory)


@pytest.mark.parametrize("name", readable(BASE))
def test_the_one_defect_is_found_and_no_other(name, reports):
    assert_only_the_defect(name, *reports)


def test_nothing_that_was_planted_has_run(reports):
    assert reports
    assert not MARKER.exists()


@pytest.mark.parametrize("kind", RUNTIMES.names())
def test_every_format_has_every_kind_of_damage(kind):
    wanted = {f"{kind}-{damage}" for damage in (*DAMAGE, *MISFITS)} | CODE[kind]
    assert wanted <= CASES.keys()
    assert {CASES[name]["mutations"][0]["model"] for name in wanted} == {f"digits-{kind}"}
