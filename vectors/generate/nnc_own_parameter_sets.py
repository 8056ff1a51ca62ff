"""Recipes of parameter sets that NNCodec does not write: layer sets, performance maps, claims."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnc_build import Coding, Member, StreamBuilder
from nnc_cases import FIRST, SECOND, Place
from nnc_own_cases import OwnRecipe
from nnc_own_parts import LEVELS, MORE, one_tensor

from conformance.nnc.quantization import Codebook

ENTRY_COUNT_NOTE = "NNCodec reads one entry fewer than the count says; the entries carry no tensor."


def parameter_set_recipes() -> Iterator[OwnRecipe]:
    """Yield the recipes."""
    yield from _layer_parameter_sets()
    yield from _layers_without_change()
    yield from _performance_maps()
    yield from _claims()
    yield from _parameters()


def _layer_parameter_sets() -> Iterator[OwnRecipe]:
    for edition in (FIRST, SECOND):
        builder = StreamBuilder(profile=int(edition == SECOND)).begin()
        builder.add_tensor(Member("a", LEVELS, qp=-20))
        builder.add_layer_parameter_set(3, -40)
        builder.add_tensor(Member("b", MORE, qp=-43))
        builder.add_tensor(Member("c", LEVELS, qp=-41), Coding(dependent=True))
        builder.add_layer_parameter_set(0, 2)
        builder.add_tensor(Member("d", MORE, qp=-3))
        yield OwnRecipe(
            Place(edition, "layer-parameter-set", "density"),
            "Two layer parameter sets change density and parameter for the units after them",
            [builder],
        )
    mixed = StreamBuilder().begin()
    mixed.add_layer_parameter_set(4, 10)
    mixed.add_tensor(Member("i", MORE))
    book = Codebook((-4, -3, -2, -1, 0, 1, 2, 3, 5), 4)
    mixed.add_tensor(Member("c", LEVELS, qp=-50, codebook=book))
    members = [Member("b", LEVELS[:, 0].copy(), qp=-90), Member("w", MORE, qp=-70)]
    mixed.add_block(members, 8, ("w", "b"), MORE.shape, Coding(scan_order=1))
    yield OwnRecipe(
        Place(SECOND, "layer-parameter-set", "integer-codebook-block"),
        "A layer parameter set before integers, a codebook and a block",
        [mixed],
    )


def _layers_without_change() -> Iterator[OwnRecipe]:
    kept = StreamBuilder(parameter=-7).begin()
    kept.add_unit("LPS", lps_self_contained_flag=1)
    kept.add_tensor(Member("a", LEVELS, qp=-20))
    yield OwnRecipe(
        Place(SECOND, "layer-parameter-set", "no-quantization"),
        "A layer parameter set without quantisation leaves the model's in force",
        [kept],
    )
    mapped = StreamBuilder().begin()
    map_values = {"lps_pruning_flag": 1, **_pruning(2)}
    mapped.add_layer_parameter_set(1, 5, **map_values)
    mapped.add_tensor(Member("a", LEVELS, qp=-6))
    yield OwnRecipe(
        Place(SECOND, "layer-parameter-set", "performance-map"),
        "A layer parameter set with a performance map",
        [mapped],
        note=f"{ENTRY_COUNT_NOTE} It cannot read layer parameter sets.",
    )


def _performance_maps() -> Iterator[OwnRecipe]:
    maps = (
        ("sparsification", "mps_sparsification_flag", _sparsification),
        ("pruning", "mps_pruning_flag", _pruning),
        ("unification", "mps_unification_flag", _unification),
        ("decomposition", "mps_decomposition_performance_map_flag", _decomposition),
    )
    for name, flag, values in maps:
        yield OwnRecipe(
            Place(SECOND, "performance-map", name),
            f"A {name} performance map of two entries",
            [one_tensor(**{flag: 1}, **values(3))],
            note=ENTRY_COUNT_NOTE,
            peer=True,
        )
    everything = {flag: 1 for _, flag, _ in maps}
    for _, _, values in maps:
        everything.update(values(2))
    yield OwnRecipe(
        Place(FIRST, "performance-map", "all"),
        "All performance maps",
        [one_tensor(FIRST, **everything)],
        note=ENTRY_COUNT_NOTE,
        peer=True,
    )
    yield OwnRecipe(
        Place(SECOND, "performance-map", "no-entries"),
        "A performance map with the count 0",
        [one_tensor(mps_pruning_flag=1, **_pruning(0))],
        note="NNCodec 2.1.3 fails.",
    )


def _claims() -> Iterator[OwnRecipe]:
    claims = {
        "base_model_id_present_flag": 1,
        "base_model_id": "digits-cnn größe",
        "validation_set_performance_present_flag": 1,
        "performance_metric_type": "top-1",
        "validation_set_performance": 0.975,
    }
    yield OwnRecipe(
        Place(SECOND, "model-parameter-set", "claims"),
        "The id of a base model, and a performance on a validation set",
        [one_tensor(**claims)],
        peer=True,
    )
    metric = {
        "metric_type_performance_map_valid_flag": 1,
        "performance_metric_type": "mse",
        "mps_sparsification_flag": 1,
    }
    yield OwnRecipe(
        Place(SECOND, "model-parameter-set", "metric-type"),
        "The metric of a performance map",
        [one_tensor(**metric, **_sparsification(2))],
        note=ENTRY_COUNT_NOTE,
        peer=True,
    )


def _parameters() -> Iterator[OwnRecipe]:
    for edition in (FIRST, SECOND):
        builder = StreamBuilder(profile=int(edition == SECOND), parameter=-35).begin()
        builder.add_tensor(Member("a", LEVELS, qp=-20))
        builder.add_tensor(Member("b", MORE, qp=-60))
        yield OwnRecipe(
            Place(edition, "model-parameter-set", "quantization-parameter"),
            "mps_quantization_parameter is -35: data units code the difference",
            [builder],
            peer=True,
        )
    large = StreamBuilder(parameter=-700).begin()
    large.add_tensor(Member("a", LEVELS, qp=-701))
    yield OwnRecipe(
        Place(SECOND, "model-parameter-set", "quantization-parameter-far"),
        "A step that is a float64 but 0 as a float32",
        [large],
        peer=True,
    )
    integers = StreamBuilder()
    integers.add_unit("MPS")
    integers.add_tensor(Member("counter", MORE))
    yield OwnRecipe(
        Place(SECOND, "model-parameter-set", "no-quantization"),
        "No quantisation method: integers only",
        [integers],
    )


def _sparsification(count: int) -> dict[str, Any]:
    entry = {
        "sparsification_threshold": 0.5,
        "non_zero_ratio": 0.25,
        "spm_nn_accuracy": 0.75,
        "spm_count_classes": 2,
        "spm_class_bitmask": 3,
        "spm_nn_class_accuracy": (0.5, 1.0),
    }
    return {"spm_count_thresholds": count, "sparsification_performance_map": _entries(entry, count)}


def _pruning(count: int) -> dict[str, Any]:
    entry = {"pruning_ratio": 0.125, "ppm_nn_accuracy": 0.875}
    return {"ppm_count_pruning_ratios": count, "pruning_performance_map": _entries(entry, count)}


def _unification(count: int) -> dict[str, Any]:
    entry = {
        "count_reshaped_tensor_dimensions": 3,
        "reshaped_tensor_dimensions": (12, 5),
        "count_super_block_dimensions": 2,
        "super_block_dimensions": (4,),
        "count_block_dimensions": 1,
        "unification_threshold": 0.25,
        "upm_nn_accuracy": 0.5,
    }
    return {"upm_count_thresholds": count, "unification_performance_map": _entries(entry, count)}


def _decomposition(count: int) -> dict[str, Any]:
    entry = {
        "mse_threshold": 0.0625,
        "dpm_nn_accuracy": 0.5,
        "nn_reduction_ratio": 0.75,
        "dpm_count_classes": 1,
        "dpm_nn_class_accuracy": (0.25,),
    }
    return {"dpm_count_thresholds": count, "decomposition_performance_map": _entries(entry, count)}


def _entries(entry: dict[str, Any], count: int) -> tuple[dict[str, Any], ...]:
    return (entry,) * max(count - 1, 0)
