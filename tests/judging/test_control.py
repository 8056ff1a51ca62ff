"""The rule of blind tolerances: what is noticed of a control, and what bound would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.judging.control import Control, Controls, controls_of
from conformance.judging.waivers import Waiver, apply_waivers
from conformance.metrics.tolerance import EQUAL
from conformance.plan.results import ControlRow
from conformance.plan.subjects import MeasureSubject, subjects
from conformance.submission import load
from conformance.submission.values import Tolerance
from conformance.verdicts import MalformedError, Problem, Verdict
from tests import tiny_submission
from tests.judged import only
from tests.results import row

FAILED = {"error": MalformedError("division by 0", fix="Export it again.").to_json()}

OTHERWISE = {"error": MalformedError("out of range").to_json()}


def cell(value: float | str) -> dict:
    return {"value": value}


def row_of(zeros: dict, shuffled: list[dict]) -> ControlRow:
    return row(ControlRow, {"zeros": zeros, "shuffled": shuffled})


def controls(
    zeros: float | str, *shuffled: float | str, reference: float = 0.9, direction: str = "higher"
) -> Controls:
    cells = row_of(cell(zeros), [cell(value) for value in shuffled])
    return controls_of(reference, direction, 40, cells)  # type: ignore[arg-type]


def blind(made: Controls, *tolerances: Tolerance) -> list[Problem]:
    return list(made.blind("top1", tolerances))


def absolute(bound: float, **more: object) -> Tolerance:
    return Tolerance("absolute", bound, **more)  # type: ignore[arg-type]


def test_a_bound_of_half_of_what_the_weaker_control_loses_is_the_widest() -> None:
    found = controls(0.1, 0.5, 0.5, 0.5)
    assert blind(found, absolute(0.2)) == []
    (wide,) = blind(found, absolute(0.21))
    assert wide.message == (
        "metric 'top1' allows more than half of what a network of shuffled parameters loses"
    )
    assert wide.expected.startswith("a bound of at most 0.2: half of 0.4")
    assert wide.found == (
        "original 0.9; zeros 0.1 (loss 0.8); shuffled 0.5 (loss 0.4, median of 3); on 40 items; "
        "bound 0.21"
    )
    assert 'declare "bound": 0.2 or less' in wide.fix


@pytest.mark.parametrize("bound", [0.4, 0.5, 1000.0])
def test_a_tolerance_that_accepts_a_control_says_so(bound: float) -> None:
    (found,) = blind(controls(0.5, 0.1, 0.1, 0.1), absolute(bound))
    assert found.message == "metric 'top1' accepts a network of zeros as well"


@pytest.mark.parametrize(
    "more",
    [
        {"confidence": 0.95},
        {"confidence": 0.999999},
        {"inclusive": False},
        {"upper_bound": 0.01},
    ],
    ids=str,
)
@pytest.mark.parametrize("value", [0.9, 0.89, 0.95], ids=["no loss", "a loss", "an improvement"])
def test_nothing_but_the_bound_counts(more: dict, value: float) -> None:
    """Neither chance, nor an edge, nor a bound on improvements keeps a control out."""
    assert len(blind(controls(value, 0.1, 0.1, 0.1), absolute(0.1, **more))) == 1
    assert blind(controls(0.1, 0.1, 0.1, 0.1), absolute(0.1, **more)) == []


@pytest.mark.parametrize(
    ("reference", "loss", "loses"),
    [
        (0.0, 2 * EQUAL, False),
        (0.0, 2.1 * EQUAL, True),
        (0.25, 2 * EQUAL, False),
        (-0.25, 2.1 * EQUAL, True),
        (-1024.0, 2 * EQUAL * 1024, False),
        (1024.0, 2.1 * EQUAL * 1024, True),
        (0.9, -0.5, False),
    ],
)
def test_what_rounding_explains_is_no_loss(reference: float, loss: float, loses: bool) -> None:
    assert Control("zeros", reference - loss, loss, reference).loses is loses


def test_no_loss_has_no_sign() -> None:
    assert controls(0.0, reference=-0.0).said.startswith("original -0; zeros 0 (loss 0); ")


@pytest.mark.parametrize(
    ("shuffled", "items", "said"),
    [
        ((0.5,), 1, "shuffled 0.5 (loss 0.4); on 1 item"),
        ((0.5, 0.25), 1, "shuffled 0.25 (loss 0.65, median of 2); on 1 item"),
        ((0.5, 0.5, 0.25), 2, "shuffled 0.5 (loss 0.4, median of 3); on 2 items"),
        ((), 2, "shuffled not applicable: no permutation matters; on 2 items"),
    ],
)
def test_what_was_measured_is_told(shuffled: tuple[float, ...], items: int, said: str) -> None:
    cells = row_of(cell(0.1), [cell(value) for value in shuffled])
    told = controls_of(0.9, "higher", items, cells).said
    assert told == f"original 0.9; zeros 0.1 (loss 0.8); {said}"


@pytest.mark.parametrize(
    ("loss", "bound"),
    [(0.4, "0.2"), (0.0399, "0.019"), (2468.0, "1.2e+03"), (20.0, "10"), (1.0, "0.5")],
)
def test_the_bound_that_is_advised_has_two_digits_and_is_narrow_enough(
    loss: float, bound: str
) -> None:
    made = controls(0.0, reference=loss)
    (found,) = blind(made, absolute(loss))
    assert f'declare "bound": {bound} or less' in found.fix
    assert blind(made, absolute(float(bound))) == []


@pytest.mark.parametrize("bound", [0.0, 1e-300])
def test_no_bound_is_narrow_enough_for_a_control_that_loses_nothing(bound: float) -> None:
    (found,) = blind(controls(0.1, 0.9, 0.9, 0.9), absolute(bound, inclusive=False))
    assert found.expected == "a metric that a network of shuffled parameters makes worse"
    assert found.fix.startswith("no bound would do")


@pytest.mark.parametrize(
    ("shuffled", "weaker"),
    [
        ((0.9, 0.1, 0.1), 0.1),
        ((0.1, 0.9, 0.9), 0.9),
        (("nan", 0.9, 0.2), 0.2),
        (("nan", "nan", 0.9), float("nan")),
        ((0.1, 0.2, 0.3, 0.4, 0.5), 0.3),
    ],
    ids=str,
)
def test_the_median_of_the_losses_counts(shuffled: tuple, weaker: float) -> None:
    """A value that is no number is the greatest loss."""
    (_, median) = controls(0.0, *shuffled).measured
    assert median.value == pytest.approx(weaker, nan_ok=True)


@pytest.mark.parametrize("value", ["nan", "-inf"])
def test_a_value_that_is_no_number_loses_everything(value: str) -> None:
    assert blind(controls(value, value, value, value), absolute(1e300)) == []


@pytest.mark.parametrize(
    ("zeros", "shuffled", "decides"),
    [
        ("nan", ["nan"] * 3, False),
        ("nan", ["-inf"] * 3, False),
        ("nan", [], False),
        ("nan", [0.2] * 3, True),
        (0.2, ["nan"] * 3, True),
        (0.2, [], True),
    ],
)
def test_infinite_losses_alone_are_no_evidence(zeros, shuffled, decides) -> None:
    """A network may be built to give no numbers where its parameters are not its own."""
    cells = row_of(cell(zeros), [cell(each) for each in shuffled])
    assert (controls_of(0.9, "higher", 1, cells).failure is None) is decides


def test_a_value_that_is_infinitely_good_loses_nothing() -> None:
    assert len(blind(controls("inf", 0.1, 0.1, 0.1), absolute(0.01))) == 1
    assert len(blind(controls("-inf", 9, 9, 9, direction="lower"), absolute(0.01))) == 1


def test_a_relative_bound_counts_in_the_units_of_the_metric() -> None:
    """A PSNR over an absurd range: the same losses, and a bound ten times as wide."""
    honest = controls(2.0, 1.0, 1.0, 1.0, reference=30.0)
    absurd = controls(272.0, 271.0, 271.0, 271.0, reference=300.0)
    assert blind(honest, Tolerance("relative", 0.1)) == []
    (found,) = blind(absurd, Tolerance("relative", 0.1))
    assert found.found.endswith("bound 30 (0.1 of the original)")
    assert 'declare "bound": 0.046 or less' in found.fix


def test_less_is_better_in_the_other_direction() -> None:
    assert blind(controls(5.0, 6.0, 6.0, 6.0, direction="lower"), absolute(2.0)) == []
    assert len(blind(controls(5.0, 6.0, 6.0, 6.0, direction="lower"), absolute(2.1))) == 1
    assert len(blind(controls(5.0, 6.0, 6.0, 6.0, direction="higher"), absolute(2.0))) == 1


def test_each_blind_tolerance_is_a_finding() -> None:
    found = blind(controls(0.1, 0.1, 0.1, 0.1), absolute(0.01), absolute(5.0), absolute(6.0))
    assert [each.found[-7:] for each in found] == ["bound 5", "bound 6"]


def test_without_shuffled_networks_zeros_decide() -> None:
    made = controls(0.1)
    assert blind(made, absolute(0.4)) == []
    assert len(blind(made, absolute(0.41))) == 1
    assert "shuffled not applicable" in made.said
    assert made.failure is None


@pytest.mark.parametrize(
    ("zeros", "shuffled"),
    [
        (FAILED, [cell(0.1)] * 3),
        (cell(0.1), [cell(0.1), cell(0.1), FAILED]),
        (FAILED, [FAILED] * 3),
        (cell(0.1), [FAILED, OTHERWISE, OTHERWISE]),
        (FAILED, [OTHERWISE] * 3),
    ],
)
def test_a_control_without_a_value_is_no_evidence(zeros: dict, shuffled: list) -> None:
    made = controls_of(0.9, "higher", 1, row_of(zeros, shuffled))
    assert blind(made, absolute(0.01)) == []
    assert made.failure is not None
    assert made.failure.message == "division by 0"


def test_a_control_without_a_value_is_undecided_and_can_be_waived(tmp_path: Path) -> None:
    tiny_submission.write(tmp_path)
    subject = subjects("tiny", load(tmp_path).submission)["controlled"][0]
    assert isinstance(subject, MeasureSubject)
    rows = {
        "original": {"value": 0.9, "better": "higher"},
        "control": {"zeros": FAILED, "shuffled": [cell(0.1)] * 3},
    }
    found = {kind: {"metrics": {subject.metric.id: each}} for kind, each in rows.items()}
    finding = only("METRIC-CONTROL-001", subject, found)
    assert (finding.verdict, finding.found) == (Verdict.UNDECIDED, "division by 0")
    assert "waive" in finding.fix
    waiver = Waiver(finding.check, finding.subject, finding.found, "agreed", "https://example.org")
    assert [each.verdict for each in apply_waivers([finding], [waiver])] == [Verdict.WAIVED]


def test_a_control_with_a_value_counts_though_the_other_has_none() -> None:
    made = controls_of(0.9, "higher", 1, row_of(FAILED, [cell(0.9)] * 3))
    assert len(blind(made, absolute(0.01))) == 1
