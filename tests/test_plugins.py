"""Codecs, a model format and a metric of an installed package: judged like those built in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.docs.typed import type_in
from tests.installing import ROOT, interpreter_with

SOURCE = """
from conformance.codecs.nnc_stream import NncCodec
from conformance.codecs.onnx_model import OnnxModelCodec
from conformance.codecs.tensors import TensorsCodec
from conformance.metrics.accuracy import TopKAccuracy
from conformance.runtimes.onnx import OnnxRuntime


class Stream(NncCodec):
    codec_id = "lab-nnc"


class Graph(OnnxModelCodec):
    codec_id = "lab-onnx"


class Tensors(TensorsCodec):
    codec_id = "lab-tensors"


class Model:
    runtime_id = "lab-format"
    open, describe = OnnxRuntime.open, OnnxRuntime.describe


class Top(TopKAccuracy):
    pass
"""
CODECS = "nnr_conformance.codecs"
GROUPS = {
    CODECS: "lab-tensors = lab:Tensors\n",
    f"{CODECS}.bitstream": "lab-nnc = lab:Stream\n",
    f"{CODECS}.network": "lab-onnx = lab:Graph\n",
    "nnr_conformance.runtimes": "lab-format = lab:Model\n",
    "nnr_conformance.metrics": "lab-top = lab:Top\n",
}
KEPT = ("int8-qdq", "int8-tensors", "nnc-qp-38")
"""One sample of each kind of codec."""


def write(folder: Path, name: str, *, of_the_lab: bool) -> None:
    """Write a submission of three samples, named by the package's plug-ins or by those here."""
    root = folder / name
    shutil.copytree(ROOT / "vectors" / "submissions" / "digits-cnn", root)
    metadata = json.loads((root / "submission.json").read_text("utf-8"))
    metadata["id"] = "digits"
    for sample in metadata["samples"]:
        if sample["id"] not in KEPT:
            for file in sample["files"]:
                (root / file["rel_filepath"]).unlink()
        elif of_the_lab:
            sample["codec"]["id"] = f"lab-{sample['codec']['id']}"
    metadata["samples"] = [each for each in metadata["samples"] if each["id"] in KEPT]
    if of_the_lab:
        metadata["models"][0]["format"] = "lab-format"
        metadata["metrics"][0]["kind"] = "lab-top"
    (root / "submission.json").write_text(json.dumps(metadata), encoding="utf-8")


def judged(folder: Path, name: str, python: str) -> dict[str, Any]:
    output = type_in(["run", name, "--report", f"reports-{name}"], folder, python)
    assert "digits: PASS" in output, output
    report: dict[str, Any] = json.loads((folder / f"reports-{name}/digits/report.json").read_text())
    return report


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("lab")
    python = interpreter_with(folder, "lab", "1.0", {"lab.py": SOURCE}, GROUPS)
    write(folder, "built-in", of_the_lab=False)
    write(folder, "of-the-lab", of_the_lab=True)
    return judged(folder, "built-in", python), judged(folder, "of-the-lab", python)


def test_every_check_of_those_built_in_is_made_of_the_plugins(
    reports: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    built_in, of_the_lab = (
        {(f["check"], f["subject"], f["verdict"]) for f in report["findings"]} for report in reports
    )
    assert of_the_lab == built_in
    checked = {check for check, _, _ in of_the_lab}
    assert {"SAMPLE-STREAM-001", "INFERENCE-COMPRESSED-001", "METRIC-CONTROL-001"} <= checked


def test_the_report_names_the_package_and_its_version(
    reports: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    assert reports[1]["environment"]["versions"]["lab"] == "1.0"
