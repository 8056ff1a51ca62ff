from __future__ import annotations

import time
from dataclasses import replace

from conformance.judging.grouped import Grouped
from conformance.judging.waivers import Waiver, apply_waivers
from conformance.report.measurements import Measurements
from conformance.report.update_trees import updates_block
from conformance.verdicts import Verdict
from tests.judging.found import Known, about, merge, sample, submission, update, values

BASE = sample("base", 1000)
A, B = update("a", "base", 100), update("b", "base", 200)
BOTH = merge("both", "a", "b")
NEXT = update("next", "both", 50)


def block(*samples, found=(), known=()) -> list[dict]:
    made = submission(*samples)
    return updates_block(made, Measurements(made, Known(dict(known))), Grouped(found))


def test_a_tree_has_its_steps_by_round() -> None:
    (tree,) = block(NEXT, BOTH, A, B, BASE, sample("other"))
    assert (tree["model"], tree["root"]) == ("m", "base")
    steps = [
        (s["sample"], s["kind"], s["round"], s["parents"], s["size"], s["cumulative_size"])
        for s in tree["steps"]
    ]
    assert steps == [
        ("base", "base", 0, [], 1000, 1000),
        ("both", "merge", 1, ["a", "b"], 0, 1300),
        ("a", "update", 1, ["base"], 100, 1100),
        ("b", "update", 1, ["base"], 200, 1200),
        ("next", "update", 2, ["both"], 50, 1350),
    ]


def test_the_original_as_root_costs_nothing() -> None:
    (tree,) = block(update("a", None, 100), update("b", "a", 50))
    assert tree["root"] is None
    assert [s["cumulative_size"] for s in tree["steps"]] == [100, 150]
    assert tree["steps"][0]["parents"] == []
    assert tree["steps"][0]["round"] == 1


def test_each_root_has_a_tree() -> None:
    trees = block(BASE, sample("second"), A, update("c", "second"), update("d", None))
    assert [tree["root"] for tree in trees] == ["base", "second", None]


def test_samples_that_nothing_updates_are_no_trees() -> None:
    assert block(BASE, sample("other")) == []


def test_a_step_has_its_metrics_and_the_gravest_verdict() -> None:
    found = [
        about("SAMPLE-DECODE-001", A),
        about("UPDATE-SIZE-001", A, verdict="fail"),
        about("UPDATE-MUTATION-001", A, verdict="error", required=False),
    ]
    (tree,) = block(BASE, A, found=found, known=values(A, 0.8))
    verdicts = {step["sample"]: step["verdict"] for step in tree["steps"]}
    assert verdicts == {"base": "not-run", "a": "fail"}
    assert tree["steps"][1]["metrics"] == [
        {
            "metric": "top1",
            "vectors": "test",
            "direction": "higher",
            "reference": 0.9,
            "value": 0.8,
        }
    ]


def test_misapplications_are_counted_by_what_became_of_them() -> None:
    verdicts = ["pass", "pass", "fail", "not-run", "error"]
    found = [about("UPDATE-MUTATION-001", A, verdict=verdict) for verdict in verdicts]
    elsewhere = about("UPDATE-MUTATION-001", update("x", None), verdict="fail")
    (tree,) = block(BASE, A, found=[*found, elsewhere])
    assert tree["misapplications"] == {"planned": 5, "detected": 2, "undetected": 1}


def test_a_thousand_steps_take_no_more_time_each_than_a_hundred() -> None:
    def seconds(length: int) -> float:
        chain = [update(f"s{i}", f"s{i - 1}" if i else None) for i in range(length)]
        known = dict(pair for each in chain for pair in values(each, 0.8).items())
        started = time.process_time()
        (tree,) = block(*chain, known=known)
        assert tree["steps"][-1]["cumulative_size"] == 100 * length
        return time.process_time() - started

    short, long = (min(seconds(length) for _ in range(3)) for length in (250, 2000))
    assert long < 24 * max(short, 0.002)


def test_a_misapplication_that_was_missed_stays_so_when_it_is_waived() -> None:
    node, missed = about("UPDATE-MUTATION-001", A, verdict="fail")
    missed = replace(missed, found="the wrong network")
    waiver = Waiver(missed.check, missed.subject, missed.found, "agreed", "https://example.org")
    (waived,) = apply_waivers([missed], [waiver])
    assert waived.verdict is Verdict.WAIVED
    (tree,) = block(BASE, A, found=[(node, waived)])
    assert tree["misapplications"] == {"planned": 1, "detected": 0, "undetected": 1}
