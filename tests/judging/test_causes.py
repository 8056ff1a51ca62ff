"""One finding for one cause, whatever the number of tensors it shows in."""

from __future__ import annotations

import pytest

from conformance.judging.causes import MISSING, UNKNOWN, Cause, by_cause
from conformance.verdicts import Location, Problem

NAMES = ("conv1.bias", "conv1.weight", "conv2.bias", "conv2.weight")


def cause(name: str, message: str, file: str = "s.npz", **words: str) -> Cause:
    where = Location(file, element=name)
    problem = Problem(message=message.format(repr(name)), where=where, **words)
    return Cause((name,), problem)


def missing(name: str, file: str = "s.npz") -> Cause:
    return cause(name, MISSING, file, expected=f"{name} there", found="none", fix="put it")


def unknown(name: str) -> Cause:
    return cause(name, UNKNOWN, expected="parameters", found=name, fix="drop it")


def test_a_problem_alone_is_as_it_was() -> None:
    assert list(by_cause([missing("w")])) == [missing("w")]


def test_problems_of_a_kind_are_one_that_names_all() -> None:
    (one,) = by_cause(map(missing, NAMES))
    assert one.problem.message.startswith(
        "the sample holds no tensor for the parameter 'conv1.bias', and"
    )
    assert "3 more: conv1.weight, conv2.bias, conv2.weight" in one.problem.message
    assert one.evidence == {"tensors": list(NAMES)}
    assert (one.problem.found, one.problem.fix) == ("none", "put it")
    assert "conv2.weight: conv2.weight there" in one.problem.expected


def test_problems_of_two_files_or_two_kinds_stay_apart() -> None:
    assert len(list(by_cause([missing("a"), missing("b", "t.npz"), unknown("c")]))) == 3


@pytest.mark.parametrize("prefix", ["module.", "net/", "model."])
@pytest.mark.parametrize("of_sample", [True, False])
def test_a_prefix_is_named_once_with_its_entry(prefix: str, of_sample: bool) -> None:
    model = NAMES if of_sample else [prefix + name for name in NAMES]
    sample = [prefix + name for name in NAMES] if of_sample else NAMES
    (one,) = by_cause([*map(missing, model), *map(unknown, sample)])
    side = "sample's tensors" if of_sample else "network's parameters"
    assert one.problem.message.startswith(f"the names of the {side} begin with {prefix!r}")
    entry = f'{{"sample": "{sample[0]}", "model": "{model[0]}"}}'
    assert f"add to name_map an entry such as {entry} for each" in one.problem.fix
    assert ("model.module.state_dict()" in one.problem.fix) == (prefix == "module.")
    assert one.evidence == {"tensors": list(model)}


def test_what_the_sample_brings_beyond_the_parameters_may_have_the_prefix() -> None:
    given = [*(f"module.{name}" for name in NAMES), "module.position_ids"]
    (one,) = by_cause([*map(missing, NAMES), *map(unknown, given)])
    assert "begin with 'module.'" in one.problem.message


def test_no_prefix_is_made_up() -> None:
    found = list(by_cause([missing("a.w"), missing("b.w"), unknown("x.a.w"), unknown("y.b.w")]))
    assert len(found) == 2
    real = [*map(missing, ["module.w", "module.b", "lost"]), unknown("w"), unknown("b")]
    assert len(list(by_cause(real))) == 2
    assert not any("begin with" in each.problem.message for each in [*found, *by_cause(real)])
