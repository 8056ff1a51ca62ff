from collections import Counter
from xml.etree import ElementTree as ET

import pytest

from conformance.report import render_junit
from conformance.verdicts import Verdict
from tests.report import example, hostile


def parse(report):
    return ET.fromstring(render_junit(report).encode())


def outcome(case):
    return case[0].tag if len(case) else "passed"


def one(verdict, **fields):
    report = example.build(findings=[example.finding("SAMPLE-SIZE-001", "m/a", verdict, **fields)])
    (case,) = parse(report).iter("testcase")
    return case


def test_one_test_case_per_finding():
    report = example.build()
    cases = list(parse(report).iter("testcase"))
    assert len(cases) == len(report["findings"])
    assert Counter(map(outcome, cases)) == {"passed": 53, "failure": 2, "skipped": 7}


def test_totals_are_counted():
    root = parse(example.build())
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("62", "2", "7")


def test_class_is_the_module_of_the_test_and_name_the_subject_and_check():
    case = one("pass")
    assert case.get("classname") == "conformance.test_decoding"
    assert case.get("name") == "m/a [SAMPLE-SIZE-001]"


@pytest.mark.parametrize(
    ("verdict", "tag"),
    [
        (Verdict.PASS, "passed"),
        (Verdict.FAIL, "failure"),
        (Verdict.MALFORMED, "failure"),
        (Verdict.ERROR, "error"),
        (Verdict.TIMEOUT, "error"),
        (Verdict.UNDECIDED, "skipped"),
        (Verdict.UNSUPPORTED, "skipped"),
        (Verdict.NOT_RUN, "skipped"),
        (Verdict.WAIVED, "skipped"),
    ],
)
def test_each_verdict_has_its_outcome(verdict, tag):
    assert outcome(one(verdict)) == tag


def test_finding_that_is_not_required_never_fails_a_build():
    case = one("fail", message="advisory")
    assert outcome(case) == "skipped"
    assert case[0].get("message") == "Fail (advisory): advisory"


def test_failure_carries_the_whole_finding():
    report = example.build()
    failures = [case[0] for case in parse(report).iter("testcase") if outcome(case) == "failure"]
    text = next(failure.text for failure in failures if failure.get("type") == "malformed")
    for part in (
        "SAMPLE-DECODE-001 malformed: digits-cnn/codebook: The codebook index points past",
        "where     samples/codebook.npz byte 10312 (conv2.weight)",
        "expected  indices below 16",
        "found     index 203 of tensor conv2.weight",
        "fix       Write the indices again",
        "basis     MPEG Call for Test Data",
    ):
        assert part in text


def test_skipped_case_says_why():
    case = one("not-run", message="The sample could not be decoded.")
    assert case[0].get("message") == "Not run: The sample could not be decoded."


def test_waived_case_gives_the_reason_of_the_waiver():
    waiver = example.WAIVER
    finding = example.finding(
        "SAMPLE-SIZE-001", "m/a", "waived", message="Sizes differ.", evidence={"waiver": waiver}
    )
    (case,) = parse(example.build(findings=[finding], waivers=[waiver])).iter("testcase")
    assert case[0].get("message") == "Waived: agreed"
    assert "Sizes differ." in case[0].text


def test_no_two_cases_share_a_name():
    findings = [
        example.finding("SAMPLE-SIZE-001", "m/a", verdict, message=str(number))
        for number, verdict in enumerate(["pass", "fail", "fail"])
    ]
    cases = list(parse(example.build(findings=findings)).iter("testcase"))
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == 3


def test_report_without_findings_is_well_formed():
    assert parse(example.build(findings=[])).tag == "testsuites"


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_hostile_text_leaves_the_document_well_formed(name):
    harmless = [element.tag for element in parse(hostile.build("harmless")).iter()]
    assert [element.tag for element in parse(hostile.build(hostile.TEXTS[name])).iter()] == harmless


def test_a_megabyte_of_text_is_kept_in_the_body_and_clipped_in_names():
    long = "<A|" * 400_000
    finding = example.finding("SAMPLE-SIZE-001", long, "fail", found=long)
    (case,) = parse(example.build(findings=[finding])).iter("testcase")
    assert len(case.get("name")) < 400
    assert f"found     {long}\n" in case[0].text


def test_run_is_described_by_properties():
    suite = parse(example.build(complete=False)).find("testsuite")
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties == {"profile": "call-2018", "verdict": "fail", "complete": "false"}
