"""The suite of originals: each check on evidence just inside and just outside what it accepts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.plan.subjects import (
    AgreementSubject,
    DeclaredValueSubject,
    MeasureSubject,
    ModelSubject,
    Subject,
    VectorsSubject,
)
from conformance.submission.values import (
    File,
    Metric,
    MetricValue,
    OutputTolerance,
    Port,
    Shard,
    Tolerance,
    VectorSet,
)
from conformance.verdicts import ConformanceError, Location, UnsupportedError, Verdict
from tests.judged import assert_found, case, concluded, judge_of, only
from tests.judging.found import model, model_subject

JSON = "submission.json"
NET = replace(
    model("m"),
    files=(File("net.onnx", 5000, ""), File("net.data", 3000, "")),
    inputs=(Port("x", "float32", ("N", 6)),),
    outputs=(Port("y", "float32", ("N", 3)),),
    parameter_count=21,
)
MODEL = model_subject(NET)
PLACE = Location("net.onnx")
ROOM = 1 << 18
UNREAD = {"bytes": 0, "count": 0, "largest": []}
OPENED = {
    "format": "onnx",
    "versions": {"onnxruntime": "1"},
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["N", 6]}],
    "outputs": [{"name": "y", "dtype": "float32", "shape": ["N", 3]}],
    "counts": {"parameters": 21, "scalars": 2, "topology": 4, "unused": 0},
    "parameter_bytes": 84,
    "topology_bytes": 16,
    "used_parameter_bytes": 84,
    "unused_parameters": [],
    "unused_files": [],
    "unread": UNREAD,
    "foreign_classes": [],
    "unreplaceable": None,
}


def opened(**facts: Any) -> dict[str, Any]:
    return {"model": {**OPENED, **facts}}


def names(count: int) -> list[str]:
    return [f"w{number}" for number in range(1, count + 1)]


def of_size(size: int) -> ModelSubject:
    files = (File("net.onnx", size - 1, ""), File("net.data", 1, ""))
    return replace(MODEL, model=replace(NET, files=files))


def counted(declared: int) -> ModelSubject:
    return replace(MODEL, model=replace(NET, parameter_count=declared))


def unread(total: int, pieces: int = 2, more: int = 0) -> dict[str, Any]:
    """Return evidence of bytes that nothing reads, with those of a parameter: 1 % is 99 bytes."""
    largest = [
        {"file": f"net.{n}", "piece": f"gap {n}", "bytes": 9 - n, "fix": "close it" if n else ""}
        for n in range(pieces)
    ]
    unread = {"bytes": total, "count": pieces + more, "largest": largest}
    return opened(unread=unread, used_parameter_bytes=9_950)


TO_WRITE = "remove them from the network"


@pytest.mark.parametrize(
    ("check", "subject", "found", "verdict", "fields"),
    [
        case(
            "opens",
            "MODEL-OPEN-001",
            MODEL,
            opened(),
            message="onnx",
            found="21 parameters",
            evidence={"versions": {"onnxruntime": "1"}, "used_parameter_bytes": 84},
        ),
        case("all-used", "MODEL-FILES-001", MODEL, opened(), evidence={"unread_bytes": 0}),
        case(
            "unused-file",
            "MODEL-FILES-001",
            MODEL,
            opened(unused_files=["net.data"]),
            "fail",
            where=Location(JSON, "/models/0/files", element="net.data"),
        ),
        case(
            "unused-parameters",
            "MODEL-FILES-001",
            MODEL,
            opened(unused_parameters=names(2)),
            "fail",
            found="w1, w2",
            where=replace(PLACE, element="w1"),
            fix=TO_WRITE,
        ),
        case(
            "eight-unused-parameters",
            "MODEL-FILES-001",
            MODEL,
            opened(unused_parameters=names(8)),
            "fail",
            found="w1, w2, w3, w4, w5, w6, w7, w8",
        ),
        case(
            "nine-unused-parameters",
            "MODEL-FILES-001",
            MODEL,
            opened(unused_parameters=names(9), unused_fix="save it so"),
            "fail",
            found="w1, w2, w3, w4, w5, w6, w7, w8, and 1 more",
            fix="save it so",
        ),
        case("filled", "MODEL-FILES-001", of_size(2 * 84 + 16 + ROOM), opened()),
        case(
            "one-byte-too-many",
            "MODEL-FILES-001",
            of_size(2 * 84 + 16 + ROOM + 1),
            opened(),
            "fail",
            expected=f"at most {2 * 84 + 16 + ROOM} bytes for 84 bytes of parameters that the "
            "network uses, and 16 bytes of masks and index tables",
            found=f"{2 * 84 + 16 + ROOM + 1} bytes",
            where=PLACE,
        ),
        case("read-but-for-little", "MODEL-FILES-001", MODEL, unread(4096 + 99)),
        case(
            "one-unread-byte-too-many",
            "MODEL-FILES-001",
            MODEL,
            unread(4096 + 100),
            "fail",
            expected="at most 4195 such bytes: 4096, and 1 % of the 9950 bytes of parameters that "
            "the network uses",
            found="4196 bytes; 9 bytes in net.0 (gap 0); 8 bytes in net.1 (gap 1)",
            where=Location("net.0", element="gap 0"),
            fix="as the size of the original; close it",
        ),
        case(
            "unread-in-many-pieces",
            "MODEL-FILES-001",
            MODEL,
            unread(4096 + 100, pieces=1, more=2),
            "fail",
            found="4196 bytes; 9 bytes in net.0 (gap 0); and 2 more",
        ),
        case("no-classes", "MODEL-LOADING-001", MODEL, opened()),
        case(
            "nine-classes",
            "MODEL-LOADING-001",
            MODEL,
            opened(foreign_classes=names(9)),
            "fail",
            found="w1, w2, w3, w4, w5, w6, w7, w8",
            where=PLACE,
        ),
        case("ports", "MODEL-PORTS-001", MODEL, opened()),
        case(
            "another-input",
            "MODEL-PORTS-001",
            MODEL,
            opened(inputs=[{"name": "x", "dtype": "float32", "shape": ["N", 7]}]),
            "fail",
            expected="x: float32[N, 6]",
            found="x: float32[N, 7]",
            where=Location(JSON, "/models/0/inputs"),
        ),
        case(
            "another-output",
            "MODEL-PORTS-001",
            MODEL,
            opened(outputs=[]),
            "fail",
            where=Location(JSON, "/models/0/outputs"),
        ),
        case(
            "parameters-alone",
            "MODEL-PARAMETERS-001",
            counted(21),
            opened(),
            evidence={
                "parameter_bytes": 84,
                "model_bytes": 8000,
                "counts": {"parameters": 21, "scalars": 2, "topology": 4, "unused": 0},
            },
        ),
        case("all-that-is-stored", "MODEL-PARAMETERS-001", counted(27), opened()),
        case(
            "one-parameter-too-few",
            "MODEL-PARAMETERS-001",
            counted(20),
            opened(),
            "fail",
            expected="20 parameters, as declared",
            where=Location(JSON, "/models/0/parameter_count"),
            fix="parameter_count to 21 (up to 27, all stored elements, is accepted), or",
        ),
        case("one-too-many", "MODEL-PARAMETERS-001", counted(28), opened(), "fail"),
        case(
            "nothing-but-parameters",
            "MODEL-PARAMETERS-001",
            counted(20),
            opened(counts={"parameters": 21, "scalars": 0, "topology": 0}),
            "fail",
            fix="parameter_count to 21, or",
        ),
        case("replaceable", "MODEL-REPLACE-001", MODEL, opened(), message="21"),
        case(
            "unreplaceable",
            "MODEL-REPLACE-001",
            MODEL,
            opened(unreplaceable=UnsupportedError("a table").to_json()),
            "unsupported",
            message="a table",
        ),
    ],
)
def test_what_a_network_file_holds(
    check: str, subject: Subject, found: Any, verdict: str, fields: dict[str, Any]
) -> None:
    assert_found(only(check, subject, found), verdict, fields)


TOP1 = Metric("top1", "top-k-accuracy", "", "higher", Tolerance("absolute", 0.125))
VECTORS = VectorSet(
    "test", "m", "d", True, (Shard(40, (), (), ()),), OutputTolerance(0.1, 0.25), None
)
RUN = MODEL.narrowed(VectorsSubject, id="s/m@test", pointer="/vectors/0", vectors=VECTORS)
COMPARED = {
    "file": "y.npz",
    "worst": "[3, 1]",
    "values": 120,
    "violations": 0,
    "max_abs": 0.5,
    "scale": 1.0,
}
EFFECT = {"items": 4, "runs": 5, "bytes": 84, "tried_bytes": 80, "without_effect": []}
ROW = {"value": 0.5, "better": "higher", "counted": {"items": 40}, "least": {}, "details": {}}
RAN = {
    "items": 40,
    "distinct_items": 40,
    "batch_size": 8,
    "settings": {"execution_provider": "CPU"},
    "second_opinion": None,
    "outputs": {"y": COMPARED},
    "widest_atol": {"y": 0.1},
    "undeclared": {},
    "effect": EFFECT,
    "metrics": {"top1": ROW},
}


def ran(**facts: Any) -> dict[str, Any]:
    return {"original": {**RAN, **facts}}


def tolerating(atol: float) -> VectorsSubject:
    return replace(RUN, vectors=replace(VECTORS, output_tolerance=OutputTolerance(atol, 0.25)))


def row(**facts: Any) -> dict[str, Any]:
    return ran(metrics={"top1": {**ROW, **facts}})


def without_effect(count: int) -> dict[str, Any]:
    tensors = [{"name": name, "bytes": 4} for name in names(count)]
    return ran(effect={**EFFECT, "without_effect": tensors})


def violated(count: int) -> dict[str, Any]:
    return {"y": {**COMPARED, "violations": count}}


def undeclared(count: int) -> dict[str, Any]:
    return {name: ["top1", "mse"] if name == "w1" else [] for name in names(count)}


EIGHT = "w1 (read by top1, mse)" + "".join(
    f", {name} (parameters change it)" for name in names(8)[1:]
)
OTHER = replace(RUN, id="s/n@test")
IN_TWO = RUN.narrowed(AgreementSubject, other=OTHER)
METRIC = RUN.narrowed(
    MeasureSubject,
    id="s/m@test/top1",
    pointer="/metrics/0",
    metric=TOP1,
    tolerances=(TOP1.tolerance,),
)
NAN = {"value": "nan", "counted": {"items": 40, "classes": 1}}


FAILED = {"error": ConformanceError("it stops", where=Location("net.onnx")).to_json()}


def controlled(
    zeros: Any, shuffled: Any = 0.0, original: Any = 0.5
) -> tuple[Subject, dict[str, Any]]:
    """Return a subject with one tolerance, and evidence: a value of each control, or an error."""
    cells = [each if isinstance(each, dict) else {"value": each} for each in (zeros, shuffled)]
    control = {"items": 40, "metrics": {"top1": {"zeros": cells[0], "shuffled": [cells[1]]}}}
    return METRIC, {**row(value=original), "control": control}


@pytest.mark.parametrize(
    ("check", "subject", "found", "verdict", "fields"),
    [
        case(
            "all-items",
            "MODEL-RUN-001",
            RUN,
            ran(),
            found="batches of 8, provider CPU",
            evidence={
                "conditions": {"batch_size": 8, "provider": "CPU"},
                "second_opinion": None,
            },
        ),
        case(
            "one-item-less",
            "MODEL-RUN-001",
            RUN,
            ran(items=39),
            "fail",
            found="39 items",
            where=Location(JSON, "/vectors/0/shards"),
        ),
        case("all-have-an-effect", "MODEL-EFFECT-001", RUN, ran(), evidence={"effect": EFFECT}),
        case(
            "two-without-effect",
            "MODEL-EFFECT-001",
            RUN,
            without_effect(2),
            "fail",
            found="w1 (4 bytes), w2 (4 bytes); in all 8 of 84 bytes of parameters; "
            "tried on 4 items",
            where=replace(PLACE, element="w1"),
        ),
        case(
            "eight-without-effect",
            "MODEL-EFFECT-001",
            RUN,
            without_effect(8),
            "fail",
            found=", ".join(f"{n} (4 bytes)" for n in names(8))
            + "; in all 32 of 84 bytes of parameters; tried on 4 items",
        ),
        case(
            "nine-without-effect",
            "MODEL-EFFECT-001",
            RUN,
            without_effect(9),
            "fail",
            found=", ".join(f"{n} (4 bytes)" for n in names(8))
            + ", and 1 more; in all 36 of 84 bytes of parameters; tried on 4 items",
        ),
        case("reproduced", "MODEL-OUTPUT-001", RUN, ran(), evidence={"outputs": {"y": COMPARED}}),
        case(
            "one-value-differs",
            "MODEL-OUTPUT-001",
            RUN,
            ran(outputs=violated(1)),
            "fail",
            expected="|measured - declared| <= 0.1 + 0.25·|declared|",
            found="1 of 120 values differ by more, the largest difference is 0.5",
            where=Location("y.npz", element="y[3, 1]"),
            fix="ORT_ENABLE_BASIC",
        ),
        case(
            "widest-as-a-message-writes-it",
            "MODEL-OUTPUT-001",
            tolerating(1 + 1e-9),
            ran(widest_atol={"y": 1.0}),
        ),
        case(
            "wider-than-a-message-writes-it",
            "MODEL-OUTPUT-001",
            tolerating(1 + 1.1e-9),
            ran(widest_atol={"y": 1.0}),
            "fail",
        ),
        case(
            "wider-than-the-widest",
            "MODEL-OUTPUT-001",
            RUN,
            ran(widest_atol={"y": 0.05}),
            "fail",
            found="0.1",
            where=Location(JSON, "/vectors/0/output_tolerance/atol"),
            fix="0.05 or less",
        ),
        case("compared-by-equality", "MODEL-OUTPUT-001", RUN, ran(widest_atol={"y": None})),
        case(
            "two-undeclared",
            "MODEL-OUTPUT-001",
            RUN,
            ran(undeclared=undeclared(2)),
            "fail",
            message=": w1, w2",
            found="not declared: w1 (read by top1, mse), w2 (parameters change it)",
            where=Location(JSON, "/vectors/0/shards"),
        ),
        case(
            "eight-undeclared",
            "MODEL-OUTPUT-001",
            RUN,
            ran(undeclared=undeclared(8)),
            "fail",
            found=f"not declared: {EIGHT}",
        ),
        case(
            "nine-undeclared",
            "MODEL-OUTPUT-001",
            RUN,
            ran(undeclared=undeclared(9), outputs={}),
            "fail",
            message=": w1, w2, w3, w4, w5, w6, w7, w8, and 1 more",
            found=f"not declared: {EIGHT}, and 1 more",
        ),
        case("none-declared", "MODEL-OUTPUT-001", RUN, ran(outputs={}), "fail", found="none"),
        case(
            "the-same-in-both",
            "MODEL-AGREEMENT-001",
            IN_TWO,
            {"agreement": {"outputs": violated(0)}},
            message="0.5",
        ),
        case(
            "one-value-differs-there",
            "MODEL-AGREEMENT-001",
            IN_TWO,
            {"agreement": {"outputs": violated(1)}},
            "fail",
            message="s/n@test",
            found="1 of 120 values differ by more, the largest difference is 0.5",
            where=Location(JSON, "/vectors/0", element="y[3, 1]"),
        ),
        case(
            "nothing-to-compare",
            "MODEL-AGREEMENT-001",
            IN_TWO,
            {"agreement": {"outputs": {}}},
            "fail",
            where=Location(JSON, "/vectors/0"),
        ),
        case("one-item", "MODEL-ITEMS-001", RUN, ran(items=1, distinct_items=1)),
        case("two-items", "MODEL-ITEMS-001", RUN, ran(items=2, distinct_items=2)),
        case(
            "one-item-twice",
            "MODEL-ITEMS-001",
            RUN,
            ran(items=2, distinct_items=1),
            "fail",
            found="one item, 2 times",
            where=Location(JSON, "/vectors/0"),
        ),
        case(
            "finite",
            "METRIC-MEASURE-001",
            METRIC,
            row(),
            message="0.5",
            found="items: 40",
            evidence={"details": {}, "counted": {"items": 40}},
        ),
        case(
            "finite-of-little",
            "METRIC-MEASURE-001",
            METRIC,
            row(counted={"classes": 1}, least={"classes": 2}),
        ),
        case(
            "other-direction",
            "METRIC-MEASURE-001",
            METRIC,
            row(better="lower"),
            "fail",
            found="higher, as declared",
            where=Location(JSON, "/metrics/0/direction"),
        ),
        case(
            "not-finite",
            "METRIC-MEASURE-001",
            METRIC,
            row(**NAN),
            "fail",
            found="nan",
            where=Location(JSON, "/metrics/0"),
        ),
        case(
            "not-finite-of-little",
            "METRIC-MEASURE-001",
            METRIC,
            row(**NAN, least={"classes": 2}),
            "undecided",
            expected="at least 2 classes",
            found="items: 40, classes: 1",
            where=Location(JSON, "/metrics/0"),
        ),
        case("half-of-a-control", "METRIC-CONTROL-001", *controlled(0.25), message="top1"),
        case(
            "more-than-half-of-a-control",
            "METRIC-CONTROL-001",
            *controlled(0.2501),
            "fail",
            message="'top1'",
            where=Location(JSON, "/metrics/0"),
        ),
        case(
            "one-control-failed",
            "METRIC-CONTROL-001",
            *controlled(0.25, FAILED),
            "undecided",
            found="it stops",
            where=PLACE,
        ),
        case(
            "one-control-failed-one-is-accepted",
            "METRIC-CONTROL-001",
            *controlled(0.5, FAILED),
            "fail",
        ),
        case(
            "no-control-is-finite",
            "METRIC-CONTROL-001",
            *controlled("nan", "nan"),
            "undecided",
            where=Location(JSON, "/metrics/0"),
        ),
        case(
            "original-is-not-finite",
            "METRIC-CONTROL-001",
            *controlled(0.25, original="inf"),
            "not-run",
            found="inf",
        ),
    ],
)
def test_what_a_network_gives(
    check: str, subject: Subject, found: Any, verdict: str, fields: dict[str, Any]
) -> None:
    assert_found(only(check, subject, found, TOP1), verdict, fields)


def test_both_wrong_outputs_and_their_tolerance_are_findings() -> None:
    """An output that is compared by equality does not end the check of those after it."""
    outputs = {name: {**COMPARED, "violations": 1} for name in ("z", "a")}
    found = ran(outputs=outputs, widest_atol={"a": None, "z": 0.05})
    findings = concluded(judge_of("MODEL-OUTPUT-001", RUN, found))
    assert [each.where.element or each.where.pointer for each in findings if each.where] == [
        "a[3, 1]",
        "z[3, 1]",
        "/vectors/0/output_tolerance/atol",
    ]


@pytest.mark.parametrize(("value", "verdict"), [(0.51, "pass"), (0.511, "fail")])
def test_a_declared_value_holds_within_its_tolerance(value: float, verdict: str) -> None:
    said = MetricValue("top1", "test", 0.5, 0.01)
    declared = RUN.narrowed(DeclaredValueSubject, metric=TOP1, declared=said)
    finding = only("MODEL-METRIC-001", declared, row(value=value), TOP1)
    assert finding.verdict is Verdict(verdict)
