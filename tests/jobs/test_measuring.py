"""Metrics get the right arrays, and one metric's trouble stays its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from conformance.jobs import measuring as measuring_module
from conformance.jobs.measuring import Measured, Measuring, statistics_in
from conformance.metrics import Measurement, Roles, metric
from conformance.plan.requests import MetricSpec
from conformance.plan.results import MetricRow
from conformance.verdicts import ConformanceError, UnsupportedError
from tests.jobs.bench import LIMITS
from tests.jobs.in_process import Evaluation

LOGITS = np.array([[2.0, 1.0, 0.0], [0.0, 5.0, 1.0], [0.0, 1.0, 2.0], [9.0, 1.0, 0.0]])
LABEL = np.array([0, 1, 0, 0])
OTHER = LOGITS[:, ::-1].copy()


def declared(kind: str = "top-k-accuracy", **more: Any) -> MetricSpec:
    args = {"k": 1} if kind == "top-k-accuracy" else {}
    return MetricSpec(**{"args": args, "bindings": {}, "against": "targets", **more}, kind=kind)


def measure(
    outputs=None, targets=None, original=None, **metrics: MetricSpec
) -> dict[str, Measured | ConformanceError]:
    measuring = Measuring(metrics)
    measuring.add(
        {"logits": LOGITS} if outputs is None else outputs,
        {"label": LABEL} if targets is None else targets,
        {"logits": LOGITS} if original is None else original,
    )
    return dict(measuring.results())


def value(metric: MetricSpec, **arrays: Any) -> float:
    outcome = measure(m=metric, **arrays)["m"]
    assert isinstance(outcome, Measured), outcome
    return outcome.measurement.value


def error(metric: MetricSpec, **arrays: Any) -> ConformanceError:
    outcome = measure(m=metric, **arrays)["m"]
    assert isinstance(outcome, ConformanceError), outcome
    return outcome


def test_only_candidate_needs_no_binding() -> None:
    assert value(declared()) == 0.75


def test_array_of_the_roles_name_needs_no_binding() -> None:
    outputs = {"prediction": LOGITS, "other": OTHER}
    targets = {"target": LABEL, "weight": LABEL}
    assert value(declared(), outputs=outputs, targets=targets) == 0.75


def test_binding_chooses_among_several() -> None:
    bindings = {"prediction": "other", "target": "second"}
    arrays = {
        "outputs": {"logits": LOGITS, "other": OTHER},
        "targets": {"first": LABEL, "second": OTHER.argmax(axis=1)},
    }
    assert value(declared(bindings=bindings), **arrays) == 1.0


def test_binding_goes_before_the_roles_name() -> None:
    outputs = {"prediction": OTHER, "logits": LOGITS}
    assert value(declared(bindings={"prediction": "logits"}), outputs=outputs) == 0.75


def test_several_candidates_without_a_binding_are_refused() -> None:
    found = error(declared(), outputs={"logits": LOGITS, "other": OTHER})
    assert "role 'prediction'" in found.message
    assert found.expected == "'prediction' among the outputs of the network"
    assert found.found == "logits, other"
    assert '"bindings": {"prediction": ' in found.fix


def test_binding_to_nothing_is_refused_even_with_one_candidate() -> None:
    found = error(declared(bindings={"target": "labels"}))
    assert (found.expected, found.found) == ("'labels' among the targets of the vectors", "label")


def test_vectors_without_targets_are_refused_with_both_ways_out() -> None:
    found = error(declared(), targets={})
    assert found.found == "none"
    assert found.fix.startswith("store targets in the shards")
    assert '"against": "original"' in found.fix
    named = error(declared(bindings={"target": "classes"}))
    assert (named.expected, named.found) == ("'classes' among the targets of the vectors", "label")
    assert '"bindings": {"target": ' in named.fix
    assert '"against": "original"' in named.fix


def test_metric_against_the_original_takes_its_outputs() -> None:
    metric = declared(kind="mae", against="original")
    outputs = {"logits": LOGITS + 2}
    assert value(metric, outputs=outputs, targets={}) == 2.0


def test_counterpart_of_an_output_is_the_originals_of_the_same_name() -> None:
    metric = declared(kind="mae", against="original", bindings={"prediction": "b"})
    outputs, original = {"a": LOGITS, "b": OTHER}, {"a": OTHER + 7, "b": OTHER + 1}
    assert value(metric, outputs=outputs, original=original) == 1.0


def test_metric_with_many_roles_gets_an_array_for_each() -> None:
    pytest.importorskip("pycocotools")
    boxes = {
        "boxes": np.array([[[0.0, 0, 2, 2]]]),
        "scores": np.array([[0.9]]),
        "labels": np.array([[1]]),
    }
    targets = {"target_boxes": boxes["boxes"], "target_labels": boxes["labels"]}
    metric = declared(kind="mean-average-precision")
    assert value(metric, outputs=boxes, targets=targets) == pytest.approx(1.0)


def test_metric_with_more_predictions_than_targets_compares_with_the_original() -> None:
    pytest.importorskip("pycocotools")
    boxes = {"boxes": np.array([[[0.0, 0, 2, 2]]]), "labels": np.array([[1]])}
    outputs = {**boxes, "scores": np.array([[0.9]])}
    bindings = {"target_boxes": "boxes", "target_labels": "labels"}
    metric = declared(kind="mean-average-precision", against="original", bindings=bindings)
    assert value(metric, outputs=outputs, original=outputs) == pytest.approx(1.0)


# --- Statistics, by which intervals are computed


SHARDS = [slice(0, 2), slice(2, 5), slice(5, 6)]
VALUES = np.array([[1.0], [2.0], [4.0], [8.0], [16.0], [32.0]])


def statistics(metric: MetricSpec, **more: Any) -> list[Any] | None:
    measuring = Measuring({"m": metric}, **more)
    for rows in SHARDS:
        measuring.add({"y": VALUES[rows]}, {"t": np.zeros_like(VALUES[rows])}, {})
    ((_, outcome),) = measuring.results()
    assert isinstance(outcome, Measured), outcome
    assert (outcome.measurement.value, outcome.measurement.items) == (10.5, 6)
    return None if outcome.statistics is None else outcome.statistics.tolist()


def test_each_item_has_its_statistics() -> None:
    assert statistics(declared(kind="mae")) == [[each, 1.0] for each in VALUES[:, 0]]


def test_a_shard_that_is_not_batched_is_one_item_of_the_statistics() -> None:
    found = statistics(declared(kind="mae"), batched=False)
    assert found == [[3.0, 2.0], [28.0, 3.0], [32.0, 1.0]]


@pytest.mark.parametrize("rows", [None, 2], ids=["none", "not one for each item"])
def test_other_statistics_of_a_metric_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch, rows: int | None
) -> None:
    made = None if rows is None else np.arange(2.0 * rows).reshape(rows, 2)
    plug_in = SimpleNamespace(
        roles=Roles(("prediction",), ("target",)),
        update=lambda _: None,
        result=lambda: Measurement(10.5, 6, statistics=made),
    )
    monkeypatch.setattr(measuring_module, "metric_kind", lambda *_: plug_in)
    found = statistics(declared(), batched=False)
    assert found == (None if made is None else made.tolist())


def test_statistics_are_kept_for_each_metric(tiny: Path) -> None:
    tables = statistics_in(Evaluation(tiny).evidence("measure").folder, LIMITS)
    assert [table.shape for table in tables.values()] == [(40, 2)] * 2


# --- Which outputs are read


def test_outputs_are_listed_with_the_metrics_that_read_them() -> None:
    """Against the original an output may be a target as well."""
    bound = {"prediction": "a", "target": "b"}
    measuring = Measuring(
        {
            "label": declared(bindings={"prediction": "a"}),
            "far": declared("mae", against="original", bindings={"prediction": "a"}),
            "across": declared("mae", against="original", bindings=bound),
            "unread": declared("mae", bindings={"prediction": "missing"}),
        }
    )
    outputs = {"a": LOGITS, "b": OTHER, "c": OTHER}
    measuring.add(outputs, {"label": LABEL, "b": LABEL}, outputs)
    assert measuring.readers() == {"a": ("label", "far", "across"), "b": ("across",)}


def test_shards_are_measured_together() -> None:
    measuring = Measuring({"m": declared()})
    for rows in (slice(0, 1), slice(1, 4)):
        measuring.add({"y": LOGITS[rows]}, {"t": LABEL[rows]}, {})
    ((_, outcome),) = measuring.results()
    assert isinstance(outcome, Measured)
    assert (outcome.measurement.value, outcome.measurement.items) == (0.75, 4)


def test_unknown_kind_is_the_trouble_of_that_metric_alone() -> None:
    outcomes = measure(odd=declared("nobody-has-it"), top1=declared())
    assert isinstance(outcomes["odd"], UnsupportedError)
    assert "nobody-has-it" in outcomes["odd"].message
    assert isinstance(outcomes["top1"], Measured)


def test_wrong_argument_is_the_trouble_of_that_metric_alone() -> None:
    outcomes = measure(odd=declared(args={"k": "one"}), top1=declared())
    assert isinstance(outcomes["odd"], ConformanceError)
    assert "'k'" in outcomes["odd"].message
    assert isinstance(outcomes["top1"], Measured)


def test_arrays_that_do_not_fit_are_the_trouble_of_that_metric_alone() -> None:
    outcomes = measure(odd=declared("mae"), top1=declared())
    assert isinstance(outcomes["odd"], ConformanceError)
    assert "same shape" in outcomes["odd"].message
    assert isinstance(outcomes["top1"], Measured)


def test_first_trouble_is_the_one_that_is_told() -> None:
    measuring = Measuring({"m": declared()})
    measuring.add({}, {"label": LABEL}, {})
    measuring.add({"logits": LOGITS}, {}, {})
    ((_, outcome),) = measuring.results()
    assert isinstance(outcome, ConformanceError)
    assert "'prediction'" in outcome.message


def test_metric_over_nothing_has_no_value() -> None:
    ((_, outcome),) = Measuring({"m": declared()}).results()
    assert isinstance(outcome, ConformanceError)
    assert outcome.found == "0 items"


def test_a_row_has_the_value_and_what_was_counted() -> None:
    found = Measurement(0.5, 2, details={"a": 1}, counted={"classes": 1})
    row = MetricRow(*Measured(metric("top-k-accuracy", {}), found).row_fields)
    assert row == MetricRow(
        value=0.5,
        items=2,
        details={"a": 1},
        counted={"items": 2, "classes": 1},
        least={"classes": 2},
    )


@pytest.mark.parametrize(
    ("number", "text"), [(float("nan"), "nan"), (float("inf"), "inf"), (-float("inf"), "-inf")]
)
def test_value_that_is_not_finite_is_written_as_text(number: float, text: str) -> None:
    found = Measured(metric("top-k-accuracy", {}), Measurement(number, 1))
    assert MetricRow(*found.row_fields).value == text
