"""What a user types, and what comes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from conformance.jsonschemas import validator
from tests import tiny_submission
from tests.suites.conftest import SUITES, Run, Runner

FAILED = {
    "METRIC-DELTA-001 tiny/half/distance": "fail",
    "METRIC-DELTA-001 tiny/half-onnx/distance": "fail",
}
"""The findings about a tiny submission of a strict tolerance."""


def edit(folder: Path, change) -> Path:
    metadata = json.loads((folder / "submission.json").read_text(encoding="utf-8"))
    change(metadata)
    tiny_submission.save(folder, metadata)
    return folder


def strict_tolerance(metadata: dict) -> None:
    """Allow next to no loss of ``distance``, and claim its values as exactly."""
    metadata["metrics"][1]["tolerance"]["bound"] = 1e-12
    for owner in (*metadata["models"], *(each["claims"] for each in metadata["samples"])):
        for value in owner["metric_values"]:
            if value["metric"] == "distance":
                value["tolerance"] = 1e-14


def test_sound_submission_passes(judge_folders: Runner, tiny: Path) -> None:
    run = judge_folders(tiny)
    assert run.code == 0, run.output
    report = run.report()
    assert (report["verdict"], report["complete"], report["exit_code"]) == ("pass", True, 0)
    assert not run.verdicts()
    assert "tiny: PASS" in run.output
    assert str(run.reports / "tiny" / "report.html") in run.output


def test_every_form_of_the_report_is_written(judged: Run) -> None:
    run = judged
    validator("report").validate(run.report())
    folder = run.reports / "tiny"
    assert "<!doctype html" in (folder / "report.html").read_text(encoding="utf-8")[:40].lower()
    assert "tiny" in (folder / "report.md").read_text(encoding="utf-8")
    cases = ET.parse(folder / "junit.xml").findall(".//testcase")
    assert len(cases) == run.report()["summary"]["planned"]


def test_nothing_is_written_into_the_submission(judge_folders: Runner, tiny: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*")}
    judge_folders(tiny)
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob("*")} == before


def test_same_submission_gives_the_same_report(judge_folders: Runner, tiny: Path) -> None:
    def normative(options: list[str]) -> str:
        report = judge_folders(tiny, options=options).report()
        del report["environment"], report["timing"]
        return json.dumps(report)

    assert normative(["--no-cache"]) == normative(["--no-cache", "-n", "2"]) == normative([])


def test_metric_outside_its_tolerance_fails(judge_folders: Runner, tiny: Path) -> None:
    run = judge_folders(edit(tiny, strict_tolerance))
    assert run.code == 1
    assert run.verdicts() == FAILED
    assert "test_delta_within_tolerance[tiny/half/distance]" in run.output
    assert "fix" in run.output


def test_samples_carry_what_was_measured(judged: Run) -> None:
    half = judged.report()["samples"][0]
    original, compressed = half["original_size"], half["compressed_size"]
    assert half["compression_factor"] == pytest.approx(original / compressed)
    used = judged.report()["models"][0]["used_parameter_bytes"]
    assert 0 < half["parameter_factor"] == used / compressed < half["compression_factor"]
    assert half["compressed_percent"] == pytest.approx(compressed / original * 100)
    top1 = half["metrics"][0]
    assert (top1["metric"], top1["reference"], top1["value"]) == ("top1", 0.9, 0.9)
    assert top1["interval"]["low"] < 0 < top1["interval"]["high"]
    assert top1["items"] == tiny_submission.ITEMS


@pytest.mark.parametrize(
    ("claim", "meaning"),
    [
        ("compression_factor", "original size / compressed size"),
        ("compressed_percent", "compressed size / original size * 100"),
    ],
)
def test_wrong_ratio_is_explained(
    judge_folders: Runner, tiny: Path, claim: str, meaning: str
) -> None:
    folder = edit(tiny, lambda metadata: metadata["samples"][0]["claims"].update({claim: 12345}))
    findings = judge_folders(folder).report()["findings"]
    (finding,) = [finding for finding in findings if finding["verdict"] == "fail"]
    assert finding["check"] == "SAMPLE-SIZE-001"
    assert meaning in finding["fix"]


def test_stopping_at_the_first_failure_says_so(judge_folders: Runner, tiny: Path) -> None:
    run = judge_folders(edit(tiny, strict_tolerance), options=["-x"])
    assert run.code == 1
    assert run.report()["complete"] is False
    assert "partial" in run.output
    assert list(run.verdicts().values()).count("fail") == 1


def test_distributed_run_finds_the_same(judge_folders: Runner, tiny: Path) -> None:
    alone = judge_folders(edit(tiny, strict_tolerance))
    spread = judge_folders(tiny, options=["-n", "2"])
    assert spread.code == alone.code == 1
    assert spread.verdicts() == alone.verdicts()


def test_several_submissions_are_judged_apart(
    judge_folders: Runner, tiny: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    tiny_submission.write(other)
    edit(other, lambda metadata: metadata.update(id="other"))
    edit(other, strict_tolerance)
    run = judge_folders(tiny, other)
    assert run.code == 1
    assert run.report("tiny")["verdict"] == "pass"
    assert run.report("other")["verdict"] == "fail"


def test_submissions_with_one_id_are_named_by_folder_and_waived_by_id(
    judge_folders: Runner, tiny: Path, tmp_path: Path
) -> None:
    alone = judge_folders(edit(tiny, strict_tolerance)).report()
    values = {f"{f['check']} {f['subject']}": f["evidence"].get("value") for f in alone["findings"]}
    twin = tmp_path / "twin"
    tiny_submission.write(twin)
    waivers = [
        {
            "check": "METRIC-DELTA-001",
            "subject": f"tiny/{sample}/distance",
            "value": value,
            "reason": "agreed at the meeting",
            "link": "https://example.org/minutes",
        }
        for sample, value in [
            ("half", values["METRIC-DELTA-001 tiny/half/distance"]),
            ("half-onnx", values["METRIC-DELTA-001 tiny/half-onnx/distance"]),
            ("misspelt", 0.5),
        ]
    ]
    (tmp_path / "waivers.json").write_text(json.dumps(waivers), encoding="utf-8")
    options = ["--waivers", str(tmp_path / "waivers.json")]
    run = judge_folders(tiny, twin, options=options)
    assert run.code == 0, run.output
    assert set(run.verdicts("tiny").values()) == {"waived"}
    assert len(run.report("tiny")["waivers"]) == 2
    assert "tiny/misspelt/distance matches no finding" in run.output
    for more in ([], ["-n", "2"]):
        run = judge_folders(tiny, twin, options=more)
        assert run.code == 1, run.output
        assert run.report("tiny")["findings"] == alone["findings"]
        assert run.verdicts("tiny") == FAILED
        assert run.verdicts("twin") == {}
        assert run.report("twin")["selected"] is None
        subjects = {finding["subject"] for finding in run.report("twin")["findings"]}
        assert subjects == {finding["subject"] for finding in alone["findings"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "submission.json"), ('{"id": ', "JSON"), ("[]", "object")],
    ids=["missing", "cut-off", "no-object"],
)
def test_unreadable_metadata_exit_with_2(
    judge_folders: Runner, tiny: Path, text: str | None, said: str
) -> None:
    (tiny / "submission.json").unlink()
    if text is not None:
        (tiny / "submission.json").write_text(text, encoding="utf-8")
    run = judge_folders(tiny)
    assert run.code in (1, 2)
    assert run.report()["verdict"] == "fail"
    assert said in run.output
    assert "Traceback" not in run.output


def test_one_unreadable_submission_does_not_stop_the_others(
    judge_folders: Runner, tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    run = judge_folders(tmp_path / "empty", tiny)
    assert run.code == 2
    assert run.report("tiny")["verdict"] == "pass"
    assert run.report("empty")["exit_code"] == 2


def test_folder_that_is_not_there_is_a_slip(judge_folders: Runner, tmp_path: Path) -> None:
    run = judge_folders(tmp_path / "nowhere")
    assert run.code == 2
    assert "there is no submission folder" in run.output
    assert "Traceback" not in run.output
    assert not run.reports.exists()


def test_no_submission_is_no_pass(judge_folders: Runner) -> None:
    run = judge_folders()
    assert run.code == 2
    assert "--submission=DIR" in run.output


def test_schema_violation_leaves_the_rest_undone(judge_folders: Runner, tiny: Path) -> None:
    run = judge_folders(edit(tiny, lambda metadata: metadata.pop("license")))
    assert run.code == 1
    verdicts = run.verdicts()
    assert verdicts.pop("SUBMISSION-SCHEMA-001 tiny") == "fail"
    assert set(verdicts.values()) == {"not-run"}


def test_unusable_waivers_are_a_slip(judge_folders: Runner, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "waivers.json").write_text("{}", encoding="utf-8")
    run = judge_folders(tiny, options=["--waivers", str(tmp_path / "waivers.json")])
    assert run.code == 2
    assert "waivers.json" in run.output


def test_case_past_its_time_is_a_timeout(judge_folders: Runner, tiny: Path) -> None:
    run = judge_folders(tiny, options=["--no-cache", "--case-timeout", "0.0001"])
    assert run.code == 1
    assert run.verdicts()["MODEL-OPEN-001 tiny/linear"] == "timeout"


def test_worker_without_memory_is_an_error(judge_folders: Runner, tiny: Path) -> None:
    run = judge_folders(tiny, options=["--no-cache", "--memory-limit", "64"])
    assert run.code == 1
    assert run.verdicts()["MODEL-OPEN-001 tiny/linear"] == "error"


def test_damaged_evidence_is_computed_again(
    judge_folders: Runner, tiny: Path, evidence_folder: Path
) -> None:
    assert judge_folders(tiny).code == 0
    for path in evidence_folder.glob("??/*/evidence.json"):
        path.write_text("{}", encoding="utf-8")
    assert judge_folders(tiny).code == 0


def test_warm_run_starts_no_evaluation(judge_folders: Runner, tiny: Path) -> None:
    judge_folders(tiny)
    assert judge_folders(tiny).report()["timing"]["cases"] == {}
    assert judge_folders(tiny, options=["--no-cache"]).report()["timing"]["cases"]


def test_figures_of_compressed_inference_are_timing_and_no_finding(
    judge_folders: Runner, tiny: Path
) -> None:
    report = judge_folders(tiny, options=["--no-cache"]).report()
    (row,) = report["timing"]["compressed_inference"]
    assert (row["sample"], row["vectors"]) == ("half-onnx", "test")
    assert 1 <= row["rounds"] <= 7
    for form in ("original", "compressed"):
        assert row[form].keys() == {"seconds", "peak_bytes"}
        assert row[form]["seconds"].keys() == {"median", "low", "high"}
    (finding,) = (f for f in report["findings"] if f["check"] == "INFERENCE-COMPRESSED-001")
    assert (finding["subject"], finding["verdict"]) == ("tiny/half-onnx@test", "pass")
    assert finding["evidence"] == {"ran_on": tiny_submission.ITEMS}
    assert f"{tiny_submission.ITEMS} items" in finding["message"]


def test_a_report_of_stored_evidence_tells_the_figures_again(
    judge_folders: Runner, tiny: Path
) -> None:
    rows = [judge_folders(tiny).report()["timing"]["compressed_inference"] for _ in range(2)]
    assert rows[0] == rows[1]


def test_step_summary_is_written(judge_folders: Runner, tiny: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    judge_folders(tiny, GITHUB_STEP_SUMMARY=str(summary))
    assert "tiny" in summary.read_text(encoding="utf-8")


def test_killed_run_leaves_a_partial_report_and_resumes(
    judge_folders: Runner, tiny: Path, tmp_path: Path, evidence_folder: Path
) -> None:
    reports = tmp_path / "reports" / "tiny"
    reports.mkdir(parents=True)
    (reports / "report.html").write_text("an old pass", encoding="utf-8")
    options = [f"--submission={tiny}", f"--report={reports.parent}", "--no-cache"]
    arguments = [sys.executable, "-m", "pytest", SUITES, "-p", "no:cacheprovider", *options]
    arguments.append(f"--evidence={evidence_folder}")
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, cwd=tmp_path) as process:
        deadline = time.monotonic() + 600
        while not (reports / "report.json").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    partial = json.loads((reports / "report.json").read_text(encoding="utf-8"))
    validator("report").validate(partial)
    assert partial["complete"] is False
    assert partial["verdict"] == "incomplete"
    assert not (reports / "report.html").exists() or "partial" in (
        reports / "report.html"
    ).read_text(encoding="utf-8")
    assert judge_folders(tiny).code == 0


def test_outputs_and_values_of_other_settings_name_the_setting(
    judge_folders: Runner, tiny: Path
) -> None:
    def move(metadata: dict) -> None:
        metadata["vectors"][0]["output_tolerance"] = {"atol": 0.0, "rtol": 0.0}
        for value in metadata["samples"][0]["claims"]["metric_values"]:
            value["value"] += 5
        for value in metadata["models"][0]["metric_values"]:
            value["value"] += 5

    findings = judge_folders(edit(tiny, move)).report()["findings"]
    failed = {f["check"]: f["fix"] for f in findings if f["verdict"] == "fail"}
    assert {"METRIC-CLAIM-001", "MODEL-METRIC-001"} <= failed.keys()
    for fix in failed.values():
        assert "ORT_ENABLE_BASIC" in fix
        assert "session.disable_quant_qdq" in fix


def test_many_undeclared_features_are_one_finding(judge_folders: Runner, tiny: Path) -> None:
    def swap(metadata: dict) -> None:
        metadata["samples"][0]["features"] = ["int8", "zstd"]

    findings = judge_folders(edit(tiny, swap)).report()["findings"]
    (finding,) = [finding for finding in findings if finding["verdict"] == "fail"]
    assert finding["message"] == (
        "features 'int8', 'zstd' are declared but not in the sample; "
        "features 'float16', 'format:safetensors' are not declared but in the sample"
    )
    assert finding["fix"].startswith("remove 'int8', 'zstd' and add 'float16', 'format:safe")


def test_sample_without_any_digest_is_told_once(judge_folders: Runner, tiny: Path) -> None:
    def forget(metadata: dict) -> None:
        metadata["samples"][0]["claims"]["tensor_digests"] = {}

    findings = judge_folders(edit(tiny, forget)).report()["findings"]
    (finding,) = [finding for finding in findings if finding["verdict"] == "fail"]
    assert finding["check"] == "SAMPLE-DIGEST-001"
    assert finding["message"] == "no digest of any tensor is claimed"
    assert finding["where"]["pointer"] == "/samples/0/claims/tensor_digests"
    assert (finding["expected"][:11], finding["found"]) == ("the digests", "none")
    assert "`nnr-conformance measure DIR half`" in finding["fix"]


def test_tensor_without_a_digest_is_named(judge_folders: Runner, tiny: Path) -> None:
    names: list[str] = []

    def forget_one(metadata: dict) -> None:
        digests = metadata["samples"][0]["claims"]["tensor_digests"]
        names.append(digests.popitem()[0])

    findings = judge_folders(edit(tiny, forget_one)).report()["findings"]
    (finding,) = [finding for finding in findings if finding["verdict"] == "fail"]
    assert finding["message"] == f"no digest is claimed for tensor {names[0]!r}"
