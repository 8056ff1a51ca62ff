"""Building the values that say how tensors and arrays correspond."""

from __future__ import annotations

from conformance.submission.values import (
    Combination,
    Counterpart,
    Equivalence,
    GatePermutation,
    NameMapping,
    Padding,
    Slice,
)
from conformance.verdicts import Json


def name_mapping(data: Json) -> NameMapping:
    """Return the entry of a ``name_map`` that ``data``, accepted by the schema, describes."""
    names = data["sample"] if isinstance(data["sample"], list) else [data["sample"]]
    cut, gates, pad = data.get("slice"), data.get("permute_gates"), data.get("pad")
    combine = data.get("combine")
    return NameMapping(
        sample=tuple(names),
        model=data["model"],
        slice=Slice(*_integers(cut, "axis", "begin", "end")) if cut else None,
        permute_gates=GatePermutation(int(gates["axis"]), gates["from"], gates["to"])
        if gates
        else None,
        transpose=_sizes(data, "transpose"),
        reshape=_sizes(data, "reshape"),
        combine=Combination(combine["how"], int(combine.get("axis", 0))) if combine else None,
        pad=Padding(*_integers(pad, "axis", "before", "after")) if pad else None,
    )


def equivalence(data: Json | None) -> Equivalence | None:
    """Return the ``equivalent_to`` of a vector set, or None if it has none."""
    if data is None:
        return None
    sides = (
        tuple(
            Counterpart(each["name"], each["of"], _sizes(each, "transpose"))
            for each in data.get(side, [])
        )
        for side in ("inputs", "outputs")
    )
    return Equivalence(data["vectors"], *sides)


def _sizes(data: Json, key: str) -> tuple[int, ...] | None:
    return tuple(map(int, data[key])) if key in data else None


def _integers(data: Json, *keys: str) -> tuple[int, int, int]:
    first, second, third = (int(data[key]) for key in keys)
    return first, second, third
