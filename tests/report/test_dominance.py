from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conformance.report.dominance import LISTED, Point, dominated_by, front, transparent


def point(name: str, size: int, value: float, layer: str | None = None) -> Point:
    return Point(name, layer, "f", size, 1000 / size, value, 0.9 - value)


POINTS = st.lists(
    st.tuples(st.integers(1, 6), st.integers(0, 6)).map(
        lambda pair: point(f"{pair[0]}-{pair[1]}", pair[0], pair[1] / 10)
    ),
    max_size=12,
)


def test_dominance_by_hand() -> None:
    #        size  value
    a = point("a", 10, 0.5)  # the smallest
    b = point("b", 20, 0.7)
    c = point("c", 20, 0.6)  # as large as b, worse
    d = point("d", 30, 0.7)  # as good as b, larger
    e = point("e", 40, 0.8)  # the best
    f = point("f", 50, 0.4)  # worse than all and larger
    assert dominated_by([a, b, c, d, e, f]) == [
        [],
        [],
        ["b"],
        ["b"],
        [],
        ["a", "b", "c", "d", "e"],
    ]
    assert [p.sample for p in front([f, e, d, c, b, a])] == ["a", "b", "e"]


def test_equal_points_do_not_dominate_each_other() -> None:
    twins = [point("a", 10, 0.5), point("b", 10, 0.5)]
    assert dominated_by(twins) == [[], []]
    assert [p.sample for p in front(twins)] == ["a"]


def test_layers_are_named_with_their_sample() -> None:
    small, large = point("s", 10, 0.5, "base"), point("s", 20, 0.4, "fine")
    assert dominated_by([small, large]) == [[], ["s/base"]]


def test_no_more_than_ten_are_named() -> None:
    points = [point(f"p{i:02}", 10 + i, 0.5) for i in range(30)]
    named = dominated_by(points)[-1]
    assert named == [f"p{i:02}" for i in range(LISTED)]


@given(POINTS)
def test_what_is_on_the_front_is_what_nothing_dominates(points: list[Point]) -> None:
    def beaten(one: Point) -> bool:
        return any(
            o.size <= one.size
            and o.value >= one.value
            and (o.size < one.size or o.value > one.value)
            for o in points
        )

    assert [bool(labels) for labels in dominated_by(points)] == [beaten(p) for p in points]
    best = front(points)
    assert {(p.size, p.value) for p in best} == {(p.size, p.value) for p in points if not beaten(p)}
    assert [p.size for p in best] == sorted({p.size for p in best})


def test_transparent_point_loses_no_more_than_noise() -> None:
    points = [point("small", 10, 0.85), point("middle", 20, 0.89), point("large", 40, 0.9)]
    assert transparent(points, None) == points[2]
    assert transparent(points, 0.01) == points[1]
    assert transparent(points, 0.05) == points[0]
    assert transparent(points[:2], None) is None
    assert transparent([], 1.0) is None


def test_an_improvement_is_transparent() -> None:
    assert transparent([point("better", 10, 0.95)], None) is not None


def test_of_equal_factors_the_better_is_transparent() -> None:
    points = [point("a", 10, 0.9), point("b", 10, 0.92)]
    found = transparent(points, None)
    assert found is not None
    assert found.sample == "b"
