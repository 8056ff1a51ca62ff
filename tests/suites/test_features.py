"""Declared features against those of the file, through whole runs of the suites."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from tests.jobs.bench import add_sample
from tests.runtimes import models
from tests.suites.conftest import Runner

FOUND = ["blockwise", "format:onnx", "int8", "weight-only"]
"""``per-channel`` is true as well, because the blocks lie along one axis alone."""


def blocks_of_weights():
    """The tiny network with weights of int8 and a scale for each two rows of each column."""
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=0, block_size=2),
        helper.make_node("MatMul", ["x", "w"], ["logits"]),
    ]
    stored = {"q": np.ones((6, 3), np.int8), "s": np.ones((3, 3), np.float32)}
    inputs, outputs = [models.value("x", ["N", 6])], [models.value("logits", ["N", 3])]
    return models.model(nodes, inputs, outputs, stored, opset=21)


@pytest.mark.parametrize(
    ("declared", "untrue"),
    [([*FOUND, "per-channel"], ""), ([*FOUND, "qdq"], "qdq")],
    ids=["implied", "untrue"],
)
def test_what_the_file_is_has_to_be_declared_and_what_follows_may_be(
    judge_folders: Runner, tiny: Path, declared: list[str], untrue: str
) -> None:
    add_sample(tiny, "blocks", blocks_of_weights(), features=declared)
    findings = {
        finding["verdict"]: finding["message"]
        for finding in judge_folders(tiny).report()["findings"]
        if finding["check"] == "SAMPLE-FEATURES-001" and finding["subject"] == "tiny/blocks"
    }
    assert findings.keys() == {"fail" if untrue else "pass"}
    assert not untrue or f"feature {untrue!r}" in findings["fail"]
