from __future__ import annotations

import pytest

from conformance.judging.ports import port_differences
from conformance.submission.values import Port

DECLARED = (Port("x", "float32", ("N", 1, 8)),)


def found(name: str = "x", dtype: str = "float32", shape: tuple = ("batch", 1, 8)) -> list[Port]:
    return [Port(name, dtype, shape)]


def test_dynamic_axes_may_have_any_name() -> None:
    assert not list(port_differences(DECLARED, found()))
    assert not list(port_differences(DECLARED, found(shape=(None, 1, 8))))


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (found(dtype="float16"), "x: float16[batch, 1, 8]"),
        (found(shape=("N", 1, 9)), "x: float32[N, 1, 9]"),
        (found(shape=(1, 1, 8)), "x: float32[1, 1, 8]"),
        (found(shape=("N", 1)), "x: float32[N, 1]"),
        (found(shape=("N", None, 8)), "x: float32[N, ?, 8]"),
    ],
    ids=["dtype", "size", "fixed-batch", "rank", "free"],
)
def test_difference_shows_both(measured: list[Port], said: str) -> None:
    (difference,) = port_differences(DECLARED, measured)
    assert difference.declared == "x: float32[N, 1, 8]"
    assert difference.measured == said


def test_missing_and_unexpected_ports_are_named() -> None:
    messages = [d.message for d in port_differences(DECLARED, found(name="y"))]
    assert messages == [
        "'x' is declared but not in the network",
        "'y' is not declared but in the network",
    ]


def test_scalar_port_reads_well() -> None:
    assert str(Port("loss", "float32", ())) == "loss: float32[]"
