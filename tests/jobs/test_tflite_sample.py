"""A sample that is a quantised TensorFlow Lite model, beside the original it was made of."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema

from conformance.verdicts import UnsupportedError
from tests.jobs.bench import with_digests
from tests.jobs.in_process import Evaluation
from tests.runtimes.tflite.models import Change, changed, tensor

BUNDLED = Path(__file__).parents[2] / "vectors" / "submissions" / "digits-formats"


def decoded(folder: Path, change: Change | None = None) -> dict[str, Any]:
    """What the bundled sample of TensorFlow Lite gives after a change."""
    root = folder / "submission"
    shutil.copytree(BUNDLED, root)
    path = root / "samples" / "int8.tflite"
    if change is not None:
        path.write_bytes(changed(path, change))
    return Evaluation(with_digests(root)).result("decode", "int8-tflite")


def test_its_tensors_are_the_stored_integers(tmp_path: Path) -> None:
    measured = decoded(tmp_path)
    assert measured["usable"]
    assert measured["coverage"] == []
    assert measured["tensors"]["conv1/weight"]["dtype"] == "int8"
    assert measured["tensors"]["fc2/bias"]["dtype"] == "int32"


def test_a_renamed_output_is_told(tmp_path: Path) -> None:
    def rename(model: schema.ModelT) -> None:
        model.signatureDefs[0].outputs[0].name = b"scores"

    measured = decoded(tmp_path, rename)
    assert not measured["usable"]
    assert [each["tensor"] for each in measured["coverage"]] == ["logits", "scores"]
    assert measured["coverage"][0]["found"] == "none"
    assert measured["coverage"][0]["file"] == "samples/int8.tflite"


def test_an_operator_of_others_is_refused_before_it_is_run(tmp_path: Path) -> None:
    def replace(model: schema.ModelT) -> None:
        for code in model.operatorCodes:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
            code.customCode = b"Mine"

    with pytest.raises(UnsupportedError, match="not builtin"):
        decoded(tmp_path, replace)


def test_a_sparse_sample_is_refused(tmp_path: Path) -> None:
    def sparsify(model: schema.ModelT) -> None:
        tensor(model, "fc2/weight").sparsity = schema.SparsityParametersT()

    with pytest.raises(UnsupportedError, match="fc2/weight"):
        decoded(tmp_path, sparsify)
