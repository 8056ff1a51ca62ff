"""One finding for one cause, whatever the number of tensors it shows in."""

from __future__ import annotations

import pytest

from conformance.judging.causes import MISSING, UNKNOWN, Problem, by_cause
from conformance.verdicts import Location

NAMES = ("conv1.bias", "conv1.weight", "conv2.bias", "conv2.weight")


def missing(name: str, file: str = "s.npz") -> Problem:
    where = Location(file, element=name)
    return Problem((name,), MISSING.format(repr(name)), f"{name} there", "none", "put it", where)


def unknown(name: str) -> Problem:
    where = Location("s.npz", element=name)
    return Problem((name,), UNKNOWN.format(repr(name)), "parameters", name, "drop it", where)


def test_a_problem_alone_is_as_it_was() -> None:
    assert list(by_cause([missing("w")])) == [missing("w")]


def test_problems_of_a_kind_are_one_that_names_all() -> None:
    (one,) = by_cause(map(missing, NAMES))
    assert one.message.startswith("the sample holds no tensor for the parameter 'conv1.bias', and")
    assert "3 more: conv1.weight, conv2.bias, conv2.weight" in one.message
    assert one.evidence == {"tensors": list(NAMES)}
    assert (one.found, one.fix) == ("none", "put it")
    assert "conv2.weight: conv2.weight there" in one.expected


def test_problems_of_two_files_or_two_kinds_stay_apart() -> None:
    assert len(list(by_cause([missing("a"), missing("b", "t.npz"), unknown("c")]))) == 3


@pytest.mark.parametrize("prefix", ["module.", "net/", "model."])
@pytest.mark.parametrize("of_sample", [True, False])
def test_a_prefix_is_named_once_with_its_entry(prefix: str, of_sample: bool) -> None:
    model = NAMES if of_sample else [prefix + name for name in NAMES]
    sample = [prefix + name for name in NAMES] if of_sample else NAMES
    (one,) = by_cause([*map(missing, model), *map(unknown, sample)])
    side = "sample's tensors" if of_sample else "network's parameters"
    assert one.message.startswith(f"the names of the {side} begin with {prefix!r}")
    entry = f'{{"sample": "{sample[0]}", "model": "{model[0]}"}}'
    assert f"add to name_map an entry such as {entry} for each" in one.fix
    assert ("model.module.state_dict()" in one.fix) == (prefix == "module.")
    assert one.evidence == {"tensors": list(model)}


def test_what_the_sample_brings_beyond_the_parameters_may_have_the_prefix() -> None:
    given = [*(f"module.{name}" for name in NAMES), "module.position_ids"]
    (one,) = by_cause([*map(missing, NAMES), *map(unknown, given)])
    assert "begin with 'module.'" in one.message


def test_no_prefix_is_made_up() -> None:
    found = list(by_cause([missing("a.w"), missing("b.w"), unknown("x.a.w"), unknown("y.b.w")]))
    assert len(found) == 2
    real = [*map(missing, ["module.w", "module.b", "lost"]), unknown("w"), unknown("b")]
    assert len(list(by_cause(real))) == 2
    assert not any("begin with" in problem.message for problem in [*found, *by_cause(real)])
