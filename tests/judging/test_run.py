from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from conformance.checks import CHECKS
from conformance.judging.loading import load_targets
from conformance.judging.run import Target
from conformance.judging.waivers import Waiver
from conformance.plan.subjects import SampleSubject
from conformance.report.blocks import forget_old_reports, report_of
from conformance.verdicts import Finding, Verdict
from tests.judging.found import Known
from tests.tiny_chain import TinyChain, difference

BUNDLED = Path(__file__).parents[2] / "vectors" / "submissions" / "digits-cnn"


def target_of(folder: Path) -> Target:
    (target,) = load_targets([folder], {})
    return target


def report(target: Target, *waivers: Waiver, complete: bool = True) -> dict:
    return report_of(target, results=Known({}), waivers=waivers, environment={}, complete=complete)


def pass_all(target: Target) -> None:
    for planned in target.planned:
        finding = Finding(planned.check.id, planned.subject.id, Verdict.PASS)
        target.record(planned.test, [finding])


def test_plan_covers_every_check_of_the_catalogue() -> None:
    planned = {p.check.id for p in target_of(BUNDLED).planned}
    several_formats = {"MODEL-AGREEMENT-001", "METRIC-NOISE-001"}
    chains = {check.id for check in CHECKS if check.id.startswith(("UPDATE-", "LAYER-"))}
    special = {"ACCESS-RANDOM-001", *(check.id for check in CHECKS if check.over == "advised")}
    assert planned == {check.id for check in CHECKS} - several_formats - chains - special


def test_rules_of_bitstreams_are_checked_for_bitstreams_alone(tiny: Path) -> None:
    planned = [p for p in target_of(BUNDLED).planned if p.check.over == "stream"]
    codecs = {
        each.subject.sample.codec for each in planned if isinstance(each.subject, SampleSubject)
    }
    assert (len(planned), codecs) == (6, {"nnc"})
    assert "stream" not in {p.check.over for p in target_of(tiny).planned}


def test_test_names_are_stable_and_readable(tiny: Path) -> None:
    names = [planned.test for planned in target_of(tiny).planned]
    assert "test_metrics.py::test_delta_within_tolerance[tiny/half/top1]" in names
    assert len(set(names)) == len(names)


def test_nothing_run_is_incomplete(tiny: Path) -> None:
    made = report(target_of(tiny))
    assert made["verdict"] == "incomplete"
    assert made["summary"]["not-run"] == made["summary"]["planned"] == len(made["findings"])


@pytest.mark.parametrize(
    ("check", "subject", "about"),
    [
        ("SUBMISSION-SCHEMA-001", "tiny", {}),
        ("MODEL-OPEN-001", "tiny/linear", {"model": "linear"}),
        ("MODEL-RUN-001", "tiny/linear@test", {"model": "linear", "vectors": "test"}),
        ("SAMPLE-DECODE-001", "tiny/half", {"model": "linear", "sample": "half"}),
        (
            "METRIC-DELTA-001",
            "tiny/half/top1",
            {"model": "linear", "sample": "half", "vectors": "test", "metric": "top1"},
        ),
    ],
)
def test_findings_have_the_ids_of_what_they_are_about(
    tiny: Path, check: str, subject: str, about: dict
) -> None:
    found = report(target_of(tiny))["findings"]
    assert [f["about"] for f in found if (f["check"], f["subject"]) == (check, subject)] == [about]


def test_findings_on_chains_and_layers_say_which_part(tmp_path: Path) -> None:
    chain = TinyChain(tmp_path / "tiny")
    chain.whole()
    chain.update("a", "base", difference(1), difference(2))
    chain.layered("s", chain.original, {"fc.bias": chain.original["fc.bias"]})
    found = report(target_of(chain.save()))["findings"]
    about = {(each["check"], each["subject"]): each["about"] for each in found}
    assert about["UPDATE-STEP-001", "tiny/a/file-2"] == {
        "model": "linear",
        "sample": "a",
        "part": 1,
    }
    assert about["UPDATE-MUTATION-001", "tiny/a/dropped-1"] == {
        "model": "linear",
        "sample": "a",
        "part": 0,
        "misapplication": "dropped",
    }
    assert about["LAYER-DECODE-001", "tiny/s/l1"] == {
        "model": "linear",
        "sample": "s",
        "layer": "l1",
        "part": 1,
    }


def test_all_passed_is_a_pass_only_if_the_run_ended(tiny: Path) -> None:
    target = target_of(tiny)
    pass_all(target)
    assert report(target)["verdict"] == "pass"
    assert report(target, complete=False)["verdict"] == "incomplete"


def test_one_missing_check_is_no_pass(tiny: Path) -> None:
    target = target_of(tiny)
    pass_all(target)
    del target.findings[target.planned[-1].test]
    assert report(target)["verdict"] == "incomplete"


def test_check_that_was_left_out_cannot_be_waived(tiny: Path) -> None:
    target = target_of(tiny)
    pass_all(target)
    left_out = target.planned[-1]
    del target.findings[left_out.test]
    waiver = Waiver(left_out.check.id, left_out.subject.id, 1.0, "because", "https://example.org")
    made = report(target, waiver)
    assert made["verdict"] == "incomplete"
    assert made["waivers"] == []


def test_unreadable_folder_has_a_report_with_exit_code_2(tmp_path: Path) -> None:
    made = report(target_of(tmp_path))
    assert made["exit_code"] == 2
    assert made["submission"]["metadata_sha256"] is None


def test_submissions_of_one_id_are_named_by_their_folders(tiny: Path, tmp_path: Path) -> None:
    folders = [tiny, tmp_path / "a", tmp_path / "b" / "a"]
    for folder in folders[1:]:
        shutil.copytree(tiny, folder)
    assert [t.name for t in load_targets(folders, {})] == ["tiny", "a", "a-2"]


def test_identity_is_that_of_the_metadata(tiny: Path) -> None:
    block = report(target_of(tiny))["submission"]
    assert (block["id"], block["license"], block["mdms_number"]) == ("tiny", "BSD-3-Clause", None)
    assert len(block["metadata_sha256"]) == 64


def test_declared_facts_are_reported_before_anything_ran(tiny: Path) -> None:
    made = report(target_of(tiny))
    half = made["samples"][0]
    assert half["tensors"] is None
    assert half["features"] == {"declared": ["float16", "format:safetensors"], "derived": None}
    assert half["metrics"] == []
    assert made["models"][0]["metrics"] == []


def test_old_reports_are_forgotten_and_nothing_else(tmp_path: Path) -> None:
    for name in ("report.json", "report.html", "notes.txt"):
        (tmp_path / name).touch()
    forget_old_reports(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_known_digests_are_not_measured_again(tiny: Path) -> None:
    first = target_of(tiny).loaded
    known = {
        name: dataclasses.replace(facts, sha256="0" * 64) for name, facts in first.files.items()
    }
    (second,) = load_targets([tiny], {str(tiny.resolve()): known})
    assert {problem.check for problem in second.loaded.problems} == {"SUBMISSION-FILE-003"}
