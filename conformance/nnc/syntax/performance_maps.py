"""The performance maps of parameter sets: what a model achieves at other compression settings.

They carry no tensor data. The count of a map is one more than its entries as NNCodec reads it;
``map_count_excess`` is 1 then, and 0 when a caller chose ``map_entries`` to be the plain count.
"""

from __future__ import annotations

from conformance.nnc.syntax.items import Constraint, Field, Group, constraint, field, group


def sparsification_performance_map(when: str, rules: str) -> tuple[Field, Group]:
    """Return the count and the entries of the map."""
    return (
        _count("spm_count_thresholds", when),
        group(
            "sparsification_performance_map",
            (
                field("sparsification_threshold", "flt(32)", "Weights below it are set to zero."),
                field("non_zero_ratio", "flt(32)", "The share of weights that are not zero."),
                field("spm_nn_accuracy", "flt(32)", "The accuracy of the model at this entry."),
                *_class_accuracies("spm", rules),
            ),
            "Accuracy by sparsification threshold.",
            when=when,
            count="max(spm_count_thresholds - map_count_excess, 0)",
        ),
    )


def pruning_performance_map(when: str, rules: str) -> tuple[Field, Group]:
    """Return the count and the entries of the map."""
    return (
        _count("ppm_count_pruning_ratios", when),
        group(
            "pruning_performance_map",
            (
                field("pruning_ratio", "flt(32)", "The share of weights pruned."),
                field("ppm_nn_accuracy", "flt(32)", "The accuracy of the model at this entry."),
                *_class_accuracies("ppm", rules),
            ),
            "Accuracy by pruning ratio.",
            when=when,
            count="max(ppm_count_pruning_ratios - map_count_excess, 0)",
        ),
    )


def unification_performance_map(when: str, rules: str) -> tuple[Field, Group]:
    """Return the count and the entries of the map."""
    return (
        _count("upm_count_thresholds", when),
        group(
            "unification_performance_map",
            (
                *_dimensions("reshaped_tensor", "ue(1)", "ue(7)"),
                field("upm_align", "align", "Up to the next byte boundary."),
                *_dimensions("super_block", "u(8)", "u(8)"),
                *_dimensions("block", "u(8)", "u(8)"),
                field("unification_threshold", "flt(32)", "The threshold of unification."),
                field("upm_nn_accuracy", "flt(32)", "The accuracy of the model at this entry."),
                *_class_accuracies("upm", rules),
            ),
            "Accuracy by unification threshold.",
            when=when,
            count="max(upm_count_thresholds - map_count_excess, 0)",
        ),
    )


def decomposition_performance_map(when: str) -> tuple[Field, Group]:
    """Return the count and the entries of the map."""
    return (
        _count("dpm_count_thresholds", when),
        group(
            "decomposition_performance_map",
            (
                field("mse_threshold", "flt(32)", "The mean square error of decomposition."),
                field("dpm_nn_accuracy", "flt(32)", "The accuracy of the model at this entry."),
                field("nn_reduction_ratio", "flt(32)", "The share of weights that is left."),
                field("dpm_count_classes", "u(16)", "The number of class accuracies."),
                _accuracies("dpm"),
            ),
            "Accuracy by error of decomposition.",
            when=when,
            count="max(dpm_count_thresholds - map_count_excess, 0)",
        ),
    )


def _count(name: str, when: str) -> Field:
    return field(name, "u(8)", "The number of entries, or one more.", when=when)


def _dimensions(name: str, count_code: str, code: str) -> tuple[Field, Field]:
    count = f"count_{name}_dimensions"
    return (
        field(count, count_code, "The number of dimensions; the last is not written."),
        field(
            f"{name}_dimensions", code, "All dimensions but the last.", count=f"max({count} - 1, 0)"
        ),
    )


def _class_accuracies(prefix: str, rules: str) -> tuple[Field, Field, Field]:
    return (
        field(f"{prefix}_count_classes", "u(8)", "The number of class accuracies."),
        field(
            f"{prefix}_class_bitmask",
            "ue(7)",
            "The classes that the accuracies are of, one bit each.",
            constraints=(_bitmask(prefix, rules),),
        ),
        _accuracies(prefix),
    )


def _accuracies(prefix: str) -> Field:
    return field(
        f"{prefix}_nn_class_accuracy",
        "flt(32)",
        "The accuracy in one class.",
        count=f"{prefix}_count_classes",
    )


def _bitmask(prefix: str, rules: str) -> Constraint:
    return constraint(
        f"{rules}-{prefix.upper()}",
        f"{prefix}_class_bitmask has as many bits set as {prefix}_count_classes says",
        f"bit_count(value) == {prefix}_count_classes",
        "set one bit for each class whose accuracy follows",
        "warning",
    )
