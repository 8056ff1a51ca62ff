import pytest

from conformance.report import words
from conformance.verdicts import Verdict

BOUNDS = {"type": "absolute", "bound": 0.01, "inclusive": True}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (0, "0"),
        (38282, "38,282"),
        (0.9722222, "0.97222"),
        (-0.0028, "-0.0028"),
        (1e-9, "1e-09"),
        ("nan", "nan"),
        ("-inf", "-inf"),
    ],
)
def test_number(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "+0.5"), (-0.5, "-0.5"), (0.0, "0"), ("inf", "+inf"), ("nan", "nan"), (None, "—")],
)
def test_signed(value, text):
    assert words.signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (154_321, "150.7 KiB"),
        (1024**2 - 1, "1,024.0 KiB"),
        (1024**2, "1.00 MiB"),
        (400 * 1024**3, "400.0 GiB"),
        (5 * 1024**5, "5,120.0 TiB"),
    ],
)
def test_size(value, text):
    assert words.size(value) == text


def test_exact_size():
    assert words.exact_size(154_321) == "154,321 bytes"
    assert words.exact_size(None) == "—"


@pytest.mark.parametrize(
    ("value", "text"),
    [(7.9167, "7.92"), (1234.5, "1,234.50"), (None, "—"), ("inf", "inf"), (1, "1.00")],
)
def test_factor(value, text):
    assert words.factor(value) == text


def test_percent():
    assert words.percent(12.4442) == "12.44 %"
    assert words.percent(0.00123456) == "0.001235 %"
    assert words.percent(None) == "—"


@pytest.mark.parametrize(
    ("changes", "direction", "text"),
    [
        ({}, "higher", "drop ≤ 0.01 absolute"),
        ({}, "lower", "rise ≤ 0.01 absolute"),
        ({"inclusive": False}, "higher", "drop < 0.01 absolute"),
        ({"type": "relative"}, "higher", "drop ≤ 1 % of the original's"),
        ({"upper_bound": 0.05}, "higher", "drop ≤ 0.01 absolute, rise ≤ 0.05 absolute"),
        ({"upper_bound": 0.05}, "lower", "rise ≤ 0.01 absolute, drop ≤ 0.05 absolute"),
        ({"confidence": 0.95}, "higher", "drop ≤ 0.01 absolute, at 95 % confidence"),
        ({"upper_bound": None, "confidence": None}, "higher", "drop ≤ 0.01 absolute"),
    ],
)
def test_tolerance(changes, direction, text):
    assert words.tolerance({**BOUNDS, **changes}, direction) == text


def test_interval():
    bounds = {"level": 0.95, "low": -0.011, "high": 0.006, "method": "any"}
    assert words.interval(bounds) == "[-0.011, +0.006]"
    assert words.level(bounds) == "95 %"
    assert words.interval(None) == "—"


def test_place():
    assert words.place({"file": "a.npz", "byte_offset": 12, "element": "w"}) == "a.npz byte 12 (w)"
    assert words.place(None) == ""


def test_count():
    assert words.count(1, "check") == "1 check"
    assert words.count(2000, "check") == "2,000 checks"


def test_every_verdict_has_a_label_and_every_one_but_pass_a_meaning():
    assert set(words.LABELS) == set(Verdict)
    assert set(words.MEANINGS) == set(Verdict) - {Verdict.PASS}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        ("nan", "nan"),
        (0, "0 µs"),
        (4.2e-7, "0.42 µs"),
        (0.0123, "12.3 ms"),
        (1.0, "1 s"),
        (125.4, "125 s"),
    ],
)
def test_seconds(value, text):
    assert words.seconds(value) == text


def test_ratio():
    assert words.ratio(1, 3) == "0.333"
    assert words.ratio(1, 0) == "—"
    assert words.ratio("inf", 2) == "inf"


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (None, ""),
        ({"parameters": 13, "scalars": 0}, ""),
        ({"parameters": 12}, "12 parameters"),
        (
            {"parameters": 13, "scalars": 1, "topology": 4},
            "13 parameters, 1 scalar, 4 topology elements",
        ),
        ({"parameters": 0}, "nothing stored"),
    ],
)
def test_classes_of_tensors_are_shown_where_they_say_more_than_the_number(
    classes: dict[str, int] | None, said: str
) -> None:
    assert words.counts(classes, 13) == said
