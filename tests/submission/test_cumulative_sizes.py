from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from conformance.submission.update_graph import builds_on, cumulative_sizes
from conformance.submission.values import File, Sample
from tests.judging.found import merge, sample, submission, update


def test_each_file_counts_once_where_branches_meet() -> None:
    samples = [
        sample("base", 1000),
        update("a", "base", 1),
        update("b", "base", 10),
        merge("m", "a", "b"),
        update("c", "m", 100),
    ]
    sizes = cumulative_sizes(submission(*samples))
    assert sizes == {"base": 1000, "a": 1001, "b": 1010, "m": 1011, "c": 1111}


def test_what_contexts_are_taken_from_is_needed_as_well() -> None:
    samples = [
        sample("base", 1000),
        update("a", "base", 1),
        update("b", "base", 10, contexts_of="a"),
    ]
    assert cumulative_sizes(submission(*samples))["b"] == 1011


@st.composite
def trees(draw: st.DrawFn) -> list[Sample]:
    samples = [sample("s0", draw(st.integers(1, 9)))]
    for number in range(1, draw(st.integers(1, 12))):
        names = [each.id for each in samples]
        size = draw(st.integers(1, 9))
        if number > 2 and draw(st.booleans()):
            chosen = draw(st.lists(st.sampled_from(names), min_size=2, unique=True))
            samples.append(merge(f"s{number}", *chosen))
        else:
            parent = draw(st.sampled_from([None, *names]))
            contexts = draw(st.sampled_from([None, *names]))
            samples.append(update(f"s{number}", parent, size, contexts_of=contexts))
    return draw(st.permutations(samples))


@given(trees())
def test_each_sample_that_is_needed_counts_once(samples: list[Sample]) -> None:
    by_id = {each.id: each for each in samples}

    def needed(name: str) -> set[str]:
        return {name}.union(*(needed(each) for each in builds_on(by_id[name])))

    for name, size in cumulative_sizes(submission(*samples)).items():
        assert size == sum(by_id[each].size for each in needed(name))


def test_a_changed_file_changes_every_later_step() -> None:
    chain = [update(f"s{i}", f"s{i - 1}" if i else None, 1) for i in range(3)]
    chain[1] = dataclasses.replace(chain[1], files=(File("x", 5, ""),))
    assert list(cumulative_sizes(submission(*chain)).values()) == [1, 6, 7]
