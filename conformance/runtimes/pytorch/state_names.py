"""Which tensor of a state dict is which parameter of the ONNX graph next to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import product

from conformance.runtimes._protocol import Array
from conformance.runtimes.fitting import Slot
from conformance.verdicts import ConformanceError, Location

PREFIXES = ("", "module.", "model.", "_orig_mod.")
"""What wrappers put before every name: none, DataParallel, a field of a class, torch.compile."""

_MOST_SHOWN = 10


def match_names(tensors: Collection[str], slots: Collection[str]) -> Mapping[str, str]:
    """Return the name in the state dict for each parameter of the graph that has one.

    Names are equal, or they are once one prefix is taken from every name of one side, or of both.
    The first rule that serves every parameter of the graph is taken; if none does, equality.
    """
    for one, other in product(PREFIXES, PREFIXES):
        if not (_all_begin(tensors, one) and _all_begin(slots, other)):
            continue
        bare = {name.removeprefix(one): name for name in tensors}
        found = {slot: bare.get(slot.removeprefix(other)) for slot in slots}
        if None not in found.values():
            return {slot: name for slot, name in found.items() if name is not None}
    return {slot: slot for slot in slots if slot in tensors}


def check_fit(
    names: Mapping[str, str],
    tensors: Mapping[str, Array],
    optional: Collection[str],
    slots: Sequence[Slot],
    files: tuple[str, str],
    inputs: Sequence[Slot] = (),
) -> None:
    """Raise ConformanceError unless graph and state dict hold the same parameters.

    ``optional`` are names that the graph need not have; ``files`` are the state dict and the
    graph, as displayed. ``inputs`` are those of the graph with a fixed shape: under another name
    one of them may be a parameter.
    """
    weights, graph = files
    problems: list[tuple[str, str, str]] = []
    for slot in slots:
        wanted = f"{slot.name} of {graph}: {slot.dtype.name} {list(slot.shape)}"
        if slot.name not in names:
            problems.append((slot.name, wanted, f"no tensor {slot.name!r} in {weights}"))
            continue
        name = names[slot.name]
        array = tensors[name]
        if array.shape != slot.shape or array.dtype.name != slot.dtype.name:
            found = f"{name} of {weights}: {array.dtype.name} {list(array.shape)}"
            problems.append((name, wanted, found))
    used = set(names.values())
    for name in tensors:
        if name not in used and name not in optional:
            wanted = f"a parameter {name!r} of {graph}"
            problems.append(
                (name, wanted, f"{name} in {weights}, which nothing of the graph reads")
            )
    if problems:
        free = {n: a for n, a in tensors.items() if n not in used}
        open_slots = [slot for slot in (*slots, *inputs) if slot.name not in names]
        turned = [
            f"{names[s.name]} transposed fits {s.name}"
            for s in slots
            if s.name in names and _is_turned(tensors[names[s.name]], s)
        ]
        raise _refusal(problems, weights, [*turned, *_mapping(free, open_slots)])


def _is_turned(array: Array, slot: Slot) -> bool:
    return array.shape != slot.shape and array.shape == slot.shape[::-1]


def _mapping(free: Mapping[str, Array], slots: Sequence[Slot]) -> list[str]:
    """Return which tensor would fit which parameter, where type and shape leave no choice."""

    def kind(each: Array | Slot) -> tuple[str, tuple[int, ...]]:
        return each.dtype.name, tuple(each.shape)

    found: list[str] = []
    for slot in slots:
        fitting = [name for name, array in free.items() if kind(array) == kind(slot)]
        rivals = [other for other in slots if kind(other) == kind(slot)]
        if len(fitting) == len(rivals) == 1:
            found.append(f"{fitting[0]} fits {slot.name}")
    return found


def _all_begin(names: Collection[str], prefix: str) -> bool:
    return all(name.startswith(prefix) for name in names)


def _refusal(
    problems: Sequence[tuple[str, str, str]], file: str, mapping: Sequence[str]
) -> ConformanceError:
    element, expected, _ = problems[0]
    more = [f"and {len(problems) - _MOST_SHOWN} more"] if len(problems) > _MOST_SHOWN else []
    hint = f"By type and shape, {', '.join(mapping[:_MOST_SHOWN])}. " if mapping else ""
    return ConformanceError(
        "the state dict does not fit the graph",
        where=Location(file, element=element),
        expected=expected,
        found="; ".join([*(found for _, _, found in problems[:_MOST_SHOWN]), *more]),
        fix=(
            f"{hint}Export graph and state dict from the same model; let the exporter fold nothing "
            "(do_constant_folding=False, optimize=False), so that parameters keep their names."
        ),
    )
