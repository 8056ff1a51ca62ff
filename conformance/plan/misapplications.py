"""Which misapplied updates of an update chain are tried: each should be noticed by the bitstreams.

An update is dropped, exchanged with the next, applied twice, applied to another parent, or replaced
by one of another branch. A chain that is long costs as much for each step as a short one: no wrong
turn applies more than a few bitstreams to a state that is there already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.plan.jobs import Step, last_step
from conformance.submission.update_graph import rounds
from conformance.submission.values import Sample, Submission


@dataclass(frozen=True, slots=True)
class Misapplication:
    """One misapplied update: ``steps`` on the state ``start``, which is compared with a true one.

    ``start`` of None is the original. ``told`` says what was done, for people.
    """

    kind: str
    sample: str
    part: int
    start: Step | None
    steps: tuple[Step, ...]
    instead_of: Step
    told: str


def misapplications(submission: Submission) -> Iterator[Misapplication]:
    """Yield every misapplied update that the chains of ``submission`` allow, update by update."""
    tree = _Tree(submission)
    for sample in submission.samples:
        if sample.update_of is not None:
            for part in range(len(sample.parts)):
                yield from _of_step((sample.id, part), tree)


def _of_step(step: Step, tree: _Tree) -> Iterator[Misapplication]:
    start, following = tree.parent(step), tree.following(step)
    last = following or step
    then = (following,) if following else ()
    name = _name(step)
    yield _misapplication("dropped", step, start, then, last, f"{name} left out" + _then(following))
    if following:
        turned = (following, step)
        told = f"{_name(following)} applied before {name}"
        yield _misapplication("swapped", step, start, turned, last, told)
    yield _misapplication("repeated", step, step, (step,), step, f"{name} applied twice")
    wrong = tree.wrong_parent(step)
    if wrong is not None:
        told = f"{name} applied to {_name(wrong) if wrong else 'the original'}"
        yield _misapplication("wrong-parent", step, wrong or None, (step,), step, told)
    other = tree.other(step)
    if other is not None:
        told = f"{_name(other)} in the place of {name}" + _then(following)
        yield _misapplication("other-chain", step, start, (other, *then), last, told)


def _misapplication(
    kind: str, of: Step, start: Step | None, steps: tuple[Step, ...], instead: Step, told: str
) -> Misapplication:
    return Misapplication(kind, of[0], of[1], start, steps, instead, told)


def _name(step: Step) -> str:
    return step[0] if step[1] == 0 else f"{step[0]} (file {step[1] + 1})"


def _then(following: Step | None) -> str:
    return f", then {_name(following)} applied" if following else ""


_ORIGINAL: tuple[()] = ()
"""Stands for the original among the parents that are tried."""


class _Tree:
    """The update tree of a submission: what follows a step, and what is beside it."""

    def __init__(self, submission: Submission) -> None:
        self._submission = submission
        self._by_id = {sample.id: sample for sample in submission.samples}
        self._rounds = rounds(submission)
        self._children: dict[Step | None, list[Sample]] = defaultdict(list)
        for sample in submission.samples:
            if sample.update_of is not None:
                self._children[self.parent((sample.id, 0))].append(sample)
        self._heirs = {step: self._heir(updates) for step, updates in self._children.items()}
        self._chains = self._numbered_chains()
        self._choices: dict[tuple[str, str, int | None], _Choice] = defaultdict(_Choice)
        for sample in submission.samples:
            if sample.update_of is not None:
                for number in (self._rounds[sample.id], None):
                    choice = self._choices[sample.model, sample.codec, number]
                    choice.add(sample.id, self._chains[sample.id], self.parent((sample.id, 0)))

    def parent(self, step: Step) -> Step | None:
        """Return the state that a step is applied to."""
        name, part = step
        if part:
            return name, part - 1
        update = self._by_id[name].update_of
        if update is None or update.sample is None:
            return None
        return last_step(self._by_id[update.sample])

    def following(self, step: Step) -> Step | None:
        """Return the next step: of the same sample, or the first of the update that goes on."""
        name, part = step
        if part + 1 < len(self._by_id[name].parts):
            return name, part + 1
        heir = self._heirs.get(step)
        return (heir, 0) if heir is not None else None

    def wrong_parent(self, step: Step) -> Step | tuple[()] | None:
        """Return a state that the step was not made for; None if there is none.

        It is that of another update of the same parent, the parent's own parent, or the original,
        in this order; none for the only update of the original.
        """
        own = self._by_id[step[0]]
        parent = self.parent(step)
        siblings = self._children.get(parent, ()) if step[1] == 0 else ()
        for sibling in siblings:
            if sibling.id != own.id and sibling.model == own.model:
                return last_step(sibling)
        if parent is not None and self._is_update(parent):
            return self.parent(parent) or _ORIGINAL
        return _ORIGINAL if parent is not None else None

    def other(self, step: Step) -> Step | None:
        """Return an update of another branch, with another parent: of the same round if possible.

        Branches part where a state has several updates.
        """
        own, parent = self._by_id[step[0]], self.parent(step)
        chain, number = self._chains[own.id], self._rounds[own.id]
        for key in ((own.model, own.codec, number), (own.model, own.codec, None)):
            found = self._choices[key].first_apart(chain, parent)
            if found is not None:
                return found, 0
        return None

    def _heir(self, updates: Sequence[Sample]) -> str:
        """Return which of the updates of one state goes on with the chain.

        It is the first that has updates itself, else the first.
        """
        continued = (each.id for each in updates if self._children.get(last_step(each)))
        return next(continued, updates[0].id)

    def _is_update(self, step: Step) -> bool:
        return bool(step[1]) or self._by_id[step[0]].update_of is not None

    def _numbered_chains(self) -> Mapping[str, int]:
        """Return a number for each update: that of its parent if it goes on with that chain."""
        numbers: dict[str, int] = {}
        depth = {step: self._rounds[step[0]] if step else -1 for step in self._children}
        for step in sorted(self._children, key=lambda each: depth[each]):
            for sample in self._children[step]:
                goes_on = step is not None and self._heirs[step] == sample.id
                inherited = numbers.get(step[0]) if step is not None and goes_on else None
                numbers[sample.id] = len(numbers) if inherited is None else inherited
        return numbers


class _Choice:
    """The few updates of a list among which is the first of another chain with another parent.

    However many updates are added, no more are kept than can ever be that first one.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[str, int, Step | None]] = []

    def add(self, name: str, chain: int, parent: Step | None) -> None:
        """Add the next update of the list, unless one of those before it always comes first."""
        chains = {_NO_CHAIN, *(each[1] for each in self._kept)} - {chain}
        parents = {_NOWHERE, *(each[2] for each in self._kept)} - {parent}
        if any(self.first_apart(c, p) is None for c in chains for p in parents):
            self._kept.append((name, chain, parent))

    def first_apart(self, chain: int, parent: Step | None) -> str | None:
        """Return the first update that is neither of this chain nor of this parent."""
        apart = (name for name, c, p in self._kept if c != chain and p != parent)
        return next(apart, None)


_NO_CHAIN = -1
_NOWHERE: Step = ("", -1)
