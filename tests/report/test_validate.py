import copy
import json

import pytest
from jsonschema import Draft202012Validator

from conformance.jsonschemas import load_schema
from conformance.report import InvalidReportError, json_text, read_report, validate_report
from conformance.verdicts import Verdict
from tests.report import example, hostile


def subschemas(schema, path=""):
    yield path, schema
    for keyword in ("properties", "$defs"):
        for name, inner in schema.get(keyword, {}).items():
            yield from subschemas(inner, f"{path}/{keyword}/{name}")
    for inner in schema.get("anyOf", []):
        yield from subschemas(inner, f"{path}/anyOf")
    if "items" in schema:
        yield from subschemas(schema["items"], f"{path}/items")


def test_schema_follows_the_meta_schema():
    schema = load_schema("report")
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == "urn:nnr-conformance:schema:report:1.1"


def test_every_property_is_described():
    bare = [
        path
        for path, schema in subschemas(load_schema("report"))
        if "/properties/" in path.removesuffix("/items").removesuffix("/anyOf")
        and path.split("/")[-2] == "properties"
        and not schema.get("description")
    ]
    assert bare == []


def test_closed_objects_require_all_that_every_report_has():
    schema = load_schema("report")
    assert set(schema["required"]) == set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_schema_knows_every_verdict_and_no_other():
    schema = load_schema("report")
    assert set(schema["$defs"]["verdict"]["enum"]) == set(Verdict)
    assert set(schema["properties"]["summary"]["properties"]) == {"planned", *Verdict}


def test_example_is_valid():
    validate_report(example.build())


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("verdict", list(Verdict))
def test_report_of_every_verdict_is_valid(verdict, complete):
    report = example.build(
        findings=[example.finding("SAMPLE-SIZE-001", "m/a", verdict)],
        samples=[example.sample("a", [example.sample_metric(verdict, None)])],
        complete=complete,
    )
    validate_report(report)


def test_report_about_an_unreadable_submission_is_valid():
    validate_report(example.build(submission_block={}, models=[], samples=[], timing={}))


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_report_of_hostile_texts_is_valid(name):
    validate_report(hostile.build(hostile.TEXTS[name]))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_valid(value):
    metric = example.sample_metric("fail", value, loss=value, reference=value)
    validate_report(example.build(samples=[example.sample("a", [metric])]))


def change(report, path, value):
    *parents, last = path
    for part in parents:
        report = report[part]
    if value is None:
        del report[last]
    else:
        report[last] = value


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        (["verdict"], "passed", "/verdict"),
        (["exit_code"], 5, "/exit_code"),
        (["verdict"], None, ""),
        (["surprise"], 1, ""),
        (["findings", 3, "verdict"], "ok", "/findings/3/verdict"),
        (["findings", 0, "where"], {"file": "a", "line": 0}, "/findings/0/where/line"),
        (["samples", 0, "metrics", 0, "value"], "0.97", "/samples/0/metrics/0/value"),
        (["samples", 0, "original_size"], -1, "/samples/0/original_size"),
        (["summary", "fail"], None, "/summary"),
        (["models", 0, "metrics", 0, "declared"], "NaN", "/models/0/metrics/0/declared"),
        (["timing", "started"], "yesterday", "/timing/started"),
    ],
    ids=lambda value: "/".join(map(str, value)) if isinstance(value, list) else None,
)
def test_what_breaks_the_schema_is_named_by_its_pointer(path, value, pointer):
    report = copy.deepcopy(example.build())
    change(report, path, value)
    with pytest.raises(InvalidReportError) as caught:
        validate_report(report)
    assert caught.value.pointer == pointer
    assert "the report is not valid" in str(caught.value)
    assert pointer in str(caught.value)


def test_pointer_is_escaped():
    report = example.build(timing={"cases": 1})
    report["samples"][0]["features"]["a/b~c"] = 1
    report["timing"] = {}
    with pytest.raises(InvalidReportError) as caught:
        validate_report(report)
    assert caught.value.pointer == "/samples/0/features"


def test_message_is_short_and_harmless_however_long_the_value():
    report = {**example.build(), "verdict": "\x1b[31m" + "A" * 1_000_000}
    with pytest.raises(InvalidReportError) as caught:
        validate_report(report)
    assert len(str(caught.value)) < 400
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("report", [None, [], "report", 1])
def test_what_is_no_object_is_refused(report):
    with pytest.raises(InvalidReportError):
        validate_report(report)


def test_report_is_read_back_as_it_was_written(tmp_path):
    report = example.build(environment={"loss": float("nan"), "name": "Ångström"})
    path = tmp_path / "report.json"
    path.write_text(json_text(report))
    assert read_report(path) == report


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"[]", b"{}"],
    ids=["empty", "cut", "no text", "NaN", "deep", "array", "empty object"],
)
def test_file_that_is_no_report_is_refused(tmp_path, content):
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(InvalidReportError):
        read_report(path)


def test_report_nested_too_deeply_is_cut_before_it_is_used(tmp_path):
    report = example.build()
    text = json.dumps(report).replace('"isolation": "rlimits"', f'"deep": {"[" * 50}{"]" * 50}')
    path = tmp_path / "report.json"
    path.write_text(text)
    assert "…" in str(read_report(path)["environment"]["deep"])


def test_report_nested_beyond_all_reports_is_refused(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("[" * 500 + "]" * 500)
    with pytest.raises(InvalidReportError, match="nested deeper than 64 levels"):
        read_report(path)


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_report(tmp_path / "report.json")
