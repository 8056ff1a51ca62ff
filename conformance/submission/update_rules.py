"""The demands of SUBMISSION-UPDATE-001: samples that build on others, and layers, make sense.

Updates lead back to a whole network or the original, merges join updates with one root, and none
of them is two kinds of sample at once. Ids that do not exist are reported by the references.
Layers can be distinguished, and are the whole sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import TypeAlias

from conformance.registry import CODECS
from conformance.submission.defects import Defect
from conformance.submission.positions import Pointer
from conformance.submission.sections import entries
from conformance.submission.text import listing, shown
from conformance.verdicts import Json

CHECK = "SUBMISSION-UPDATE-001"
_KINDS = ("update_of", "merge_of", "layers")
_RATIOS = ("compression_factor", "compressed_percent")
_OF_A_BITSTREAM = ("codec", "files", "name_map")
_MOST_CYCLES = 20
"""Cycles that are reported: each sample of a cycle may name several of its others."""

Entry: TypeAlias = tuple[Pointer, dict[str, Json]]
"""An object of the metadata, and its pointer."""

Layers: TypeAlias = list[Entry]


def find_update_problems(data: Json) -> Iterator[Defect]:
    """Yield what is wrong with updates, merges, claims of equality and layers."""
    yield from _find_derivation_problems(data)
    yield from _find_layer_problems(data)


def _find_derivation_problems(data: Json) -> Iterator[Defect]:
    samples: dict[str, Entry] = {}
    for at, entry in entries(data, "samples"):
        if isinstance(entry.get("id"), str):
            samples.setdefault(entry["id"], (at, entry))
    for at, entry in samples.values():
        yield from _kind_problems(at, entry)
        yield from _claim_problems(at, entry)
        yield from _update_problems(at, entry)
        yield from _foreign_models(at, entry, samples)
    cycles = list(islice(_cycles(samples), _MOST_CYCLES))
    yield from cycles
    if not cycles:
        roots = _roots(samples)
        for at, entry in samples.values():
            yield from _merge_problems(at, entry, samples, roots)


def needed_samples(at: Pointer, entry: Mapping[str, Json]) -> Iterator[tuple[Pointer, str]]:
    """Yield the samples that one is decoded with, each with the place that names it."""
    update = entry.get("update_of")
    for key in ("sample", "contexts_of"):
        if isinstance(update, dict) and isinstance(update.get(key), str):
            yield (*at, "update_of", key), update[key]
    for inner, branch in entries(entry, "merge_of"):
        if isinstance(branch.get("sample"), str):
            yield (*at, *inner, "sample"), branch["sample"]


def _kind_problems(at: Pointer, entry: Mapping[str, Json]) -> Iterator[Defect]:
    kinds = [kind for kind in _KINDS if kind in entry]
    if len(kinds) > 1:
        yield _defect(
            (*at, kinds[1]),
            f"a sample cannot have both {kinds[0]} and {kinds[1]}",
            expected=f"at most one of {', '.join(_KINDS)}",
            found=", ".join(kinds),
            fix="Make them separate samples.",
        )
    for key in _OF_A_BITSTREAM:
        if "merge_of" in entry and key in entry:
            yield _defect(
                (*at, key),
                f"a merge has no {key}",
                expected="no bitstream: the parameters are those of the branches, by weight",
                found=shown(entry[key]),
                fix=f"Remove {key}, or make it an update of the merge.",
            )


def _claim_problems(at: Pointer, entry: Mapping[str, Json]) -> Iterator[Defect]:
    if entry.get("same_tensors_as") == entry["id"]:
        yield _defect(
            (*at, "same_tensors_as"),
            "the sample is said to equal itself",
            expected="another sample",
            found=shown(entry["id"]),
            fix="Name the sample that was coded in another way.",
        )
    claims = entry.get("claims")
    derived = "update_of" in entry or "merge_of" in entry
    if not derived or not isinstance(claims, dict):
        return
    for key in _RATIOS:
        if key in claims:
            yield _defect(
                (*at, "claims", key),
                f"an update or merge claims a {key}",
                expected="ratios of whole networks only: an update alone is not a network",
                found=shown(claims[key]),
                fix="Remove it; the bytes of the step and cumulative_size say what it costs.",
            )
    if "cumulative_size" not in claims:
        yield _defect(
            (*at, "claims"),
            "the claims of an update or merge lack the key 'cumulative_size'",
            expected="the bytes of all files that lead here from the root",
            found=listing(claims),
            fix="Add it; `nnr-conformance measure DIR SAMPLE` prints it.",
        )


def _update_problems(at: Pointer, entry: Mapping[str, Json]) -> Iterator[Defect]:
    update = entry.get("update_of")
    if not isinstance(update, dict):
        return
    if ("sample" in update) == ("model" in update):
        yield _defect(
            (*at, "update_of"),
            "an update has one parent",
            expected="one of the keys sample and model",
            found=listing(update) or "neither",
            fix="Name the sample that is updated, or the model if the original is.",
        )
    if "model" in update and update["model"] != entry.get("model"):
        yield _defect(
            (*at, "update_of", "model"),
            "an update of the original names a different model than its own",
            expected=shown(entry.get("model")),
            found=shown(update["model"]),
            fix="Name the model of the sample.",
        )


def _foreign_models(
    at: Pointer, entry: Mapping[str, Json], samples: Mapping[str, Entry]
) -> Iterator[Defect]:
    for pointer, name in _named(at, entry):
        if name in samples and samples[name][1].get("model") != entry.get("model"):
            yield _defect(
                pointer,
                f"sample {shown(name)} belongs to a different model",
                expected=f"a sample of {shown(entry.get('model'))}",
                found=f"one of {shown(samples[name][1].get('model'))}",
                fix="Name a sample of the same model: their parameters are compared or added.",
            )


def _named(at: Pointer, entry: Mapping[str, Json]) -> Iterator[tuple[Pointer, str]]:
    yield from needed_samples(at, entry)
    same = entry.get("same_tensors_as")
    if isinstance(same, str):
        yield (*at, "same_tensors_as"), same


def _cycles(samples: Mapping[str, Entry]) -> Iterator[Defect]:
    """Yield each cycle of samples that build on one another, once."""
    done: set[str] = set()
    for start in samples:
        path: dict[str, None] = {}
        waiting: list[tuple[str, Pointer | None]] = [(start, None)]
        while waiting:
            name, pointer = waiting.pop()
            if pointer == ():
                done.add(path.popitem()[0])
            elif name in path and pointer is not None:
                cycle = list(path)
                yield _cycle(cycle[cycle.index(name) :], pointer)
            elif name in samples and name not in done:
                path[name] = None
                waiting.append((name, ()))
                waiting += [(needed, at) for at, needed in needed_samples(*samples[name])]


def _cycle(cycle: Sequence[str], pointer: Pointer) -> Defect:
    return _defect(
        pointer,
        f"sample {shown(cycle[-1])} is an update of itself"
        if len(cycle) == 1
        else f"{len(cycle)} samples are updates of one another in a cycle",
        expected="a chain that begins with a whole network or the original",
        found=" -> ".join([*cycle[:20], cycle[0]]),
        fix="Name the true parent of one of them.",
    )


def _merge_problems(
    at: Pointer, entry: Mapping[str, Json], samples: Mapping[str, Entry], roots: Mapping[str, str]
) -> Iterator[Defect]:
    seen: dict[str, str] = {}
    for inner, branch in entries(entry, "merge_of"):
        name, pointer = branch.get("sample"), (*at, *inner, "sample")
        if not isinstance(name, str) or name not in samples:
            continue
        if not {"update_of", "merge_of"} & samples[name][1].keys():
            yield _defect(
                pointer,
                f"the branch {shown(name)} is not an update",
                expected="samples with update_of or merge_of",
                found="a whole network",
                fix="Merge updates of one network.",
            )
            continue
        if name in seen:
            yield _defect(
                pointer,
                f"the branch {shown(name)} is there twice",
                expected="each branch once, with its weight",
                found="another entry for it",
                fix="Add the two weights.",
            )
        seen[name] = roots[name]
        first = next(iter(seen.values()))
        if roots[name] != first:
            yield _defect(
                pointer,
                f"the branch {shown(name)} has a different root than those before it",
                expected=f"updates that lead back to {first}",
                found=f"one that leads back to {roots[name]}",
                fix="Merge updates of one network.",
            )


def _roots(samples: Mapping[str, Entry]) -> dict[str, str]:
    """Return in words what each chain begins with; of a merge, the root of its first branch."""
    roots: dict[str, str] = {}
    for start in samples:
        path: list[str] = []
        name: str | None = start
        root = ""
        while name is not None and name in samples and name not in roots:
            path.append(name)
            root = "the original" if "update_of" in samples[name][1] else shown(name)
            parents = (to for at, to in needed_samples(*samples[name]) if at[-1] != "contexts_of")
            # A wrong id may be empty: no name but None stands for the end.
            name = next(parents, None)
        roots |= dict.fromkeys(path, root if name is None else roots.get(name, root))
    return roots


def _find_layer_problems(data: Json) -> Iterator[Defect]:
    """Yield what is wrong with the layers of samples; what the schema refuses is skipped."""
    for at, entry in entries(data, "samples"):
        layers = [((*at, *inner), layer) for inner, layer in entries(entry, "layers")]
        if layers:
            yield from _layer_ids(layers)
            yield from _layer_modes(layers)
            yield from _layer_contents(at, entry, layers)


def _layer_ids(layers: Layers) -> Iterator[Defect]:
    seen: set[Json] = set()
    for at, layer in layers:
        name = layer.get("id")
        if isinstance(name, str) and name in seen:
            yield _defect(
                (*at, "id"),
                f"two layers have the id {shown(name)}",
                expected="an id that no other layer of the sample has",
                found=shown(name),
                fix="Give one of them another id.",
            )
        seen.add(name if isinstance(name, str) else None)


def _layer_modes(layers: Layers) -> Iterator[Defect]:
    for place, (at, layer) in enumerate(layers):
        if place == 0 and "mode" in layer:
            yield _defect(
                (*at, "mode"),
                "the first layer has a mode",
                expected="none: it is a network by itself",
                found=shown(layer["mode"]),
                fix="Remove the key.",
            )
        if place and "mode" not in layer:
            yield _defect(
                at,
                "a layer after the first lacks the key 'mode'",
                expected="'add' or 'replace'",
                found=listing(layer),
                fix="Say what becomes of the tensors: they are added to those so far, or "
                "replace them.",
            )


def _layer_contents(at: Pointer, entry: Mapping[str, Json], layers: Layers) -> Iterator[Defect]:
    for pointer, layer in layers:
        if ("files" in layer) == ("units" in layer):
            yield _defect(
                pointer,
                "a layer consists of files or of units",
                expected="one of the keys files and units",
                found=listing(layer),
                fix="Name the files of the layer, or the units of the only bitstream.",
            )
    if any("units" in layer for _, layer in layers):
        yield from _layer_unit_problems(at, entry, layers)
    else:
        yield from _layer_file_problems(at, entry, layers)


def _layer_file_problems(
    at: Pointer, entry: Mapping[str, Json], layers: Layers
) -> Iterator[Defect]:
    own = [each.get("rel_filepath") for _, each in entries(entry, "files")]
    used: Counter[str] = Counter()
    for pointer, layer in layers:
        names = layer.get("files")
        for place, name in enumerate(names if isinstance(names, list) else ()):
            if not isinstance(name, str):
                continue
            used[name] += 1
            if name not in own or used[name] > 1:
                yield _defect(
                    (*pointer, "files", place),
                    f"{shown(name)} is not a file of the sample"
                    if name not in own
                    else f"{shown(name)} belongs to two layers",
                    expected=f"files of the sample, each in one layer: {listing(map(str, own))}",
                    found=shown(name),
                    fix="Correct the name, or list the file under files of the sample.",
                )
    for name in own:
        if isinstance(name, str) and name not in used:
            yield _defect(
                (*at, "layers"),
                f"{shown(name)} belongs to no layer",
                expected="every file of the sample in one layer",
                found="layers without it",
                fix="Add it to a layer, or remove it from the sample.",
            )


def _layer_unit_problems(
    at: Pointer, entry: Mapping[str, Json], layers: Layers
) -> Iterator[Defect]:
    codec = entry.get("codec")
    name = codec.get("id") if isinstance(codec, dict) else None
    files = list(entries(entry, "files"))
    if not isinstance(name, str) or CODECS.kind(name) != "bitstream" or len(files) != 1:
        yield _defect(
            (*at, "layers"),
            "layers of units need one bitstream of NNR units",
            expected="a codec of bitstreams, such as nnc, and one file",
            found=f"codec {shown(name)} and {len(files)} files",
            fix="Name the files of each layer instead.",
        )
    for pointer, layer in layers:
        if "files" in layer:
            yield _defect(
                (*pointer, "files"),
                "some layers consist of files and some of units",
                expected="units in every layer of this sample",
                found="files",
                fix="Name the units of each layer, or files in each.",
            )
    yield from _unit_overlaps(layers)


def _unit_overlaps(layers: Layers) -> Iterator[Defect]:
    ranges = [
        (int(each["first"]), int(each["last"]), (*at, *inner))
        for at, layer in layers
        for inner, each in entries(layer, "units")
        if _is_integer(each.get("first")) and _is_integer(each.get("last"))
    ]
    for first, last, pointer in ranges:
        if last < first:
            yield _defect(
                pointer,
                "a range of units ends before it begins",
                expected=f"last: {first} or more",
                found=str(last),
                fix="Exchange the two.",
            )
    for before, after in pairwise(sorted(ranges)):
        if after[0] <= before[1]:
            yield _defect(
                after[2],
                f"unit {after[0]} belongs to two layers",
                expected="each unit in one layer",
                found=f"units {after[0]} to {after[1]}, next to {before[0]} to {before[1]}",
                fix="Correct the ranges; `nnr-conformance nnc inspect FILE` lists the units.",
            )


def _is_integer(value: Json) -> bool:
    """Return whether the schema takes ``value`` for an integer: it may be written as 4.0."""
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _defect(pointer: Pointer, message: str, *, expected: str, found: str, fix: str) -> Defect:
    """Return a problem with what samples build on, or with their layers."""
    return Defect(
        check=CHECK, message=message, expected=expected, found=found, fix=fix, pointer=pointer
    )
