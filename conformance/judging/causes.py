"""One finding for one cause: what is wrong with many tensors in the same way is said once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from conformance.plan.results import TensorProblem
from conformance.verdicts import Json, Location, Problem

SHOWN = 8
"""How many names a message lists; all stand in the evidence."""
FEWEST = 2
"""From how many names with one prefix on that prefix is taken for the cause."""
MISSING = "the sample holds no tensor for the parameter {}"
UNKNOWN = "the sample holds a tensor {} that is not a parameter of the network"


@dataclass(frozen=True, slots=True)
class Cause:
    """What is wrong with one tensor, or, with ``names`` of several, with all of them."""

    names: tuple[str, ...]
    problem: Problem

    @property
    def evidence(self) -> dict[str, Json]:
        """All names, where there are several."""
        return {"tensors": list(self.names)} if len(self.names) > 1 else {}

    @property
    def kind(self) -> tuple[str, str | None]:
        """What problems of one cause have in common: the message but for the name, and the file."""
        where = self.problem.where
        message = self.problem.message.replace(repr(self.names[0]), "{}")
        return message, where.file if where else None


def by_cause(found: Iterable[Cause]) -> Iterator[Cause]:
    """Yield one cause for all of a kind, in the order of the first of each."""
    kinds: dict[tuple[str, str | None], list[Cause]] = {}
    for each in found:
        kinds.setdefault(each.kind, []).append(each)
    yield from map(_together, _without_prefixes(kinds))


def cause_of(entry: TensorProblem) -> Cause:
    """Return what is wrong with a tensor, at its place."""
    problem = Problem(
        message=entry.message,
        expected=entry.expected,
        found=entry.found,
        where=Location(entry.file, element=entry.tensor),
        fix=entry.fix,
    )
    return Cause((entry.tensor,), problem)


def _together(same: Sequence[Cause]) -> Cause:
    if len(same) == 1:
        return same[0]
    names = tuple(name for cause in same for name in cause.names)
    problems = [cause.problem for cause in same]
    first = problems[0]
    problem = replace(
        first,
        message=f"{first.message}, and so it is with {len(names) - 1} more: {_some(names[1:])}",
        expected=_shared([each.expected for each in problems], names),
        found=_shared([each.found for each in problems], names),
        fix=first.fix if all(p.fix == first.fix for p in problems) else f"{first.fix} (and so on)",
    )
    return Cause(names, problem)


def _without_prefixes(
    kinds: dict[tuple[str, str | None], list[Cause]],
) -> Iterator[Sequence[Cause]]:
    """Join what is missing with what is unknown where the names differ by one prefix alone."""
    taken: dict[str, Cause] = {}
    for (template, file), missing in kinds.items():
        unknown = kinds.get((UNKNOWN, file), [])
        if template == MISSING and len(missing) >= FEWEST:
            found = _prefix([p.names[0] for p in missing], [p.names[0] for p in unknown])
            if found is not None:
                cause = _renamed(missing, unknown, *found)
                taken |= dict.fromkeys((p.names[0] for p in (*missing, *unknown)), cause)
    told = set()
    for (template, _), same in kinds.items():
        causes = [taken.get(p.names[0]) for p in same] if template in (MISSING, UNKNOWN) else []
        if causes and causes[0] is not None:
            if causes[0].names not in told:
                told.add(causes[0].names)
                yield [causes[0]]
        else:
            yield same


def _prefix(missing: Sequence[str], unknown: Sequence[str]) -> tuple[str, bool] | None:
    """Return the prefix by which all names differ, and whether the sample has it."""
    for short, long, of_sample in ((missing, unknown, True), (unknown, missing, False)):
        first = min(short, default="")
        ends = (name[: -len(first)] for name in long if first and name.endswith(first))
        for prefix in sorted(filter(None, ends), key=len):
            mates = {prefix + name for name in short}
            # What the sample brings beyond the parameters has the prefix as well.
            rest = set(long) - mates if mates <= set(long) else {""}
            if not rest or (of_sample and all(name.startswith(prefix) for name in rest)):
                return prefix, of_sample
    return None


def _renamed(
    missing: Sequence[Cause], unknown: Sequence[Cause], prefix: str, of_sample: bool
) -> Cause:
    names = tuple(cause.names[0] for cause in missing)
    given = prefix + names[0] if of_sample else names[0].removeprefix(prefix)
    entry = json.dumps({"sample": given, "model": names[0]}, ensure_ascii=False)
    sides = ("sample's tensors", "network's parameters")
    having, lacking = sides if of_sample else sides[::-1]
    wrapper = (
        " (of torch.nn.DataParallel and DistributedDataParallel, save model.module.state_dict())"
        if prefix == "module."
        else ""
    )
    without = "without" if of_sample else "with"
    problem = Problem(
        message=f"the names of the {having} begin with {prefix!r}, those of the {lacking} do not",
        expected=f"tensors named {_some(names)}",
        found=f"tensors named {_some([cause.names[0] for cause in unknown])}",
        where=missing[0].problem.where,
        fix=f"write the tensors {without} the prefix {prefix!r}{wrapper}; or add to name_map an "
        f"entry such as {entry} for each",
    )
    return Cause(names, problem)


def _shared(texts: Sequence[str], names: Sequence[str]) -> str:
    """Return a text that all have, or the first texts with the names they are about."""
    if len(set(texts)) == 1:
        return texts[0]
    each = [f"{name}: {text}" for name, text in zip(names, texts, strict=False)]
    return _some(each, "; ")


def _some(names: Sequence[str], comma: str = ", ") -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return comma.join(names[:SHOWN]) + more
