"""Whether the layers of scalable samples can be told apart, and are the whole sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

from conformance.registry import CODECS
from conformance.submission.derivation import problem
from conformance.submission.positions import Pointer
from conformance.submission.problems import Problem
from conformance.submission.sections import entries
from conformance.submission.wording import listing, shown
from conformance.verdicts import Json


def find_layer_problems(data: Json) -> Iterator[Problem]:
    """Yield what is wrong with the layers of samples; what the schema refuses is passed over."""
    for at, entry in entries(data, "samples"):
        layers = [((*at, *inner), layer) for inner, layer in entries(entry, "layers")]
        if layers:
            yield from _ids(layers)
            yield from _modes(layers)
            yield from _contents(at, entry, layers)


Layers = list[tuple[Pointer, dict[str, Json]]]


def _ids(layers: Layers) -> Iterator[Problem]:
    seen: set[Json] = set()
    for at, layer in layers:
        name = layer.get("id")
        if isinstance(name, str) and name in seen:
            yield problem(
                (*at, "id"),
                f"two layers have the id {shown(name)}",
                expected="an id that no other layer of the sample has",
                found=shown(name),
                fix="Give one of them another id.",
            )
        seen.add(name if isinstance(name, str) else None)


def _modes(layers: Layers) -> Iterator[Problem]:
    for place, (at, layer) in enumerate(layers):
        if place == 0 and "mode" in layer:
            yield problem(
                (*at, "mode"),
                "the first layer has a mode",
                expected="none: it is a network by itself",
                found=shown(layer["mode"]),
                fix="Remove the key.",
            )
        if place and "mode" not in layer:
            yield problem(
                at,
                "a layer after the first lacks the key 'mode'",
                expected="'add' or 'replace'",
                found=listing(layer),
                fix="Say what becomes of the tensors: they are added to those so far, or "
                "replace them.",
            )


def _contents(at: Pointer, entry: Mapping[str, Json], layers: Layers) -> Iterator[Problem]:
    for pointer, layer in layers:
        if ("files" in layer) == ("units" in layer):
            yield problem(
                pointer,
                "a layer consists of files or of units",
                expected="one of the keys files and units",
                found=listing(layer),
                fix="Name the files of the layer, or the units of the only bitstream.",
            )
    if any("units" in layer for _, layer in layers):
        yield from _unit_problems(at, entry, layers)
    else:
        yield from _file_problems(at, entry, layers)


def _file_problems(at: Pointer, entry: Mapping[str, Json], layers: Layers) -> Iterator[Problem]:
    own = [each.get("rel_filepath") for _, each in entries(entry, "files")]
    used: Counter[str] = Counter()
    for pointer, layer in layers:
        names = layer.get("files")
        for place, name in enumerate(names if isinstance(names, list) else ()):
            if not isinstance(name, str):
                continue
            used[name] += 1
            if name not in own or used[name] > 1:
                yield problem(
                    (*pointer, "files", place),
                    f"{shown(name)} is no file of the sample"
                    if name not in own
                    else f"{shown(name)} belongs to two layers",
                    expected=f"files of the sample, each in one layer: {listing(map(str, own))}",
                    found=shown(name),
                    fix="Correct the name, or list the file under files of the sample.",
                )
    for name in own:
        if isinstance(name, str) and name not in used:
            yield problem(
                (*at, "layers"),
                f"{shown(name)} belongs to no layer",
                expected="every file of the sample in one layer",
                found="layers without it",
                fix="Add it to a layer, or remove it from the sample.",
            )


def _unit_problems(at: Pointer, entry: Mapping[str, Json], layers: Layers) -> Iterator[Problem]:
    codec = entry.get("codec")
    name = codec.get("id") if isinstance(codec, dict) else None
    files = list(entries(entry, "files"))
    if not isinstance(name, str) or CODECS.kind(name) != "bitstream" or len(files) != 1:
        yield problem(
            (*at, "layers"),
            "layers of units need one bitstream of NNR units",
            expected="a codec of bitstreams, such as nnc, and one file",
            found=f"codec {shown(name)} and {len(files)} files",
            fix="Name the files of each layer instead.",
        )
    for pointer, layer in layers:
        if "files" in layer:
            yield problem(
                (*pointer, "files"),
                "some layers consist of files and some of units",
                expected="units in every layer of this sample",
                found="files",
                fix="Name the units of each layer, or files in each.",
            )
    yield from _overlaps(layers)


def _overlaps(layers: Layers) -> Iterator[Problem]:
    ranges = [
        (int(each["first"]), int(each["last"]), (*at, *inner))
        for at, layer in layers
        for inner, each in entries(layer, "units")
        if _is_whole(each.get("first")) and _is_whole(each.get("last"))
    ]
    for first, last, pointer in ranges:
        if last < first:
            yield problem(
                pointer,
                "a range of units ends before it begins",
                expected=f"last: {first} or more",
                found=str(last),
                fix="Exchange the two.",
            )
    for before, after in pairwise(sorted(ranges)):
        if after[0] <= before[1]:
            yield problem(
                after[2],
                f"unit {after[0]} belongs to two layers",
                expected="each unit in one layer",
                found=f"units {after[0]} to {after[1]}, beside {before[0]} to {before[1]}",
                fix="Correct the ranges; `nnr-conformance nnc inspect FILE` lists the units.",
            )


def _is_whole(value: Json) -> bool:
    """Say whether the schema takes ``value`` for a whole number: it may be written as 4.0."""
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
