"""NNR_MPS and NNR_LPS, the parameter sets of the model and of layers, and their performance maps.

Performance maps say what a model achieves at other compression settings; they carry no tensor data.
The count of a map is one more than its entries as NNCodec reads it; ``map_count_excess`` is 1 then,
and 0 when a caller chose ``map_entries`` to be the plain count.
"""

from __future__ import annotations

from conformance.nnc.syntax.common import FLAG, align, zero
from conformance.nnc.syntax.items import (
    Constraint,
    Field,
    Group,
    UnitSyntax,
    constraint,
    field,
    group,
)


def _sparsification_performance_map(when: str, rules: str) -> tuple[Field, Group]:
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


def _pruning_performance_map(when: str, rules: str) -> tuple[Field, Group]:
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


def _unification_performance_map(when: str, rules: str) -> tuple[Field, Group]:
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


def _decomposition_performance_map(when: str) -> tuple[Field, Group]:
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


_SECOND = "general_profile_idc == 1"
_PERFORMANCE_MAP_FLAG = "Whether the parameter set has a performance map of"
_METHODS = {
    0: "none",
    1: "NNR_QSU, uniform or dependent",
    2: "NNR_QCB, codebook",
    3: "NNR_QSU and NNR_QCB",
}


def _method_flags(prefix: str) -> Field:
    return field(
        f"{prefix}_quantization_method_flags",
        "u(3)",
        "The quantization methods in use: 1 for uniform, 2 for codebook, or their sum.",
        values=_METHODS,
        constraints=(
            constraint(
                f"NNC-{prefix.upper()}-001",
                "Only the bits for uniform and codebook quantization are known",
                "value <= 3",
                f"clear bit 2 of {prefix}_quantization_method_flags",
            ),
        ),
    )


def _quantization(prefix: str) -> tuple[Field, Field]:
    when = f"{prefix}_quantization_method_flags & 3 != 0"
    return (
        field(
            f"{prefix}_qp_density",
            "u(3)",
            "d: every 2^d steps of the quantization parameter double the step size.",
            when=when,
        ),
        field(
            f"{prefix}_quantization_parameter",
            "i(13)",
            "Added to the qp of every tensor that is quantized.",
            when=when,
        ),
    )


_SECOND_EDITION_FIELDS = (
    field(
        "base_model_id_present_flag",
        "u(1)",
        "Whether base_model_id follows.",
        when=_SECOND,
        inferred="0",
        values=FLAG,
    ),
    field(
        "validation_set_performance_present_flag",
        "u(1)",
        "Whether validation_set_performance follows.",
        when=_SECOND,
        inferred="0",
        values=FLAG,
    ),
    field(
        "metric_type_performance_map_valid_flag",
        "u(1)",
        "Whether performance_metric_type applies to the performance maps.",
        when=_SECOND,
        inferred="0",
        values=FLAG,
    ),
    field(
        "mps_parent_signalling_enabled_flag",
        "u(1)",
        "Whether data units may refer to a parent node of a parameter update tree.",
        when=_SECOND,
        inferred="0",
        values=FLAG,
    ),
    field(
        "nnr_pre_flag",
        "u(1)",
        "Whether updates are meant for a model that was pretrained; has no effect on decoding.",
        when=f"{_SECOND} and mps_parent_signalling_enabled_flag == 1",
        inferred="0",
        values=FLAG,
    ),
    field(
        "mps_reserved_zero_bit",
        "u(1)",
        "Reserved, in the place of nnr_pre_flag.",
        when=f"{_SECOND} and mps_parent_signalling_enabled_flag == 0",
        constraints=zero("NNC-MPS-002", "mps_reserved_zero_bit"),
    ),
    field(
        "mps_reserved_zero_2bits",
        "u(2)",
        "Reserved.",
        when=_SECOND,
        constraints=zero("NNC-MPS-003", "mps_reserved_zero_2bits"),
    ),
    field(
        "base_model_id",
        "st(v)",
        "The model that updates are relative to.",
        when="base_model_id_present_flag == 1",
    ),
    field(
        "performance_metric_type",
        "st(v)",
        "The metric of validation_set_performance and of the performance maps.",
        when="validation_set_performance_present_flag == 1 "
        "or metric_type_performance_map_valid_flag == 1",
    ),
)

MODEL_PARAMETER_SET = UnitSyntax(
    unit_type=1,
    name="MPS",
    title="NNR_MPS, model parameter set",
    meaning="What holds for the whole model. Once in a stream, before the first data unit.",
    header=(),
    payload=(
        field(
            "topology_carriage_flag",
            "u(1)",
            "Whether the topology is in the stream; has no effect on decoding.",
            values=FLAG,
        ),
        field(
            "mps_sparsification_flag",
            "u(1)",
            f"{_PERFORMANCE_MAP_FLAG} sparsification.",
            values=FLAG,
        ),
        field("mps_pruning_flag", "u(1)", f"{_PERFORMANCE_MAP_FLAG} pruning.", values=FLAG),
        field("mps_unification_flag", "u(1)", f"{_PERFORMANCE_MAP_FLAG} unification.", values=FLAG),
        field(
            "mps_decomposition_performance_map_flag",
            "u(1)",
            f"{_PERFORMANCE_MAP_FLAG} decomposition.",
            values=FLAG,
        ),
        _method_flags("mps"),
        field(
            "mps_topology_indexed_reference_flag",
            "u(1)",
            "Whether data units name their tensors by an index into the list of a topology unit.",
            values=FLAG,
        ),
        *_SECOND_EDITION_FIELDS,
        field(
            "mps_reserved_zero_7bits",
            "u(7)",
            "Reserved, in the first edition.",
            when="general_profile_idc != 1",
            constraints=zero("NNC-MPS-004", "mps_reserved_zero_7bits"),
        ),
        *_quantization("mps"),
        *_sparsification_performance_map("mps_sparsification_flag == 1", "NNC-MPS"),
        *_pruning_performance_map("mps_pruning_flag == 1", "NNC-MPS"),
        *_unification_performance_map("mps_unification_flag == 1", "NNC-MPS"),
        *_decomposition_performance_map("mps_decomposition_performance_map_flag == 1"),
        field(
            "validation_set_performance",
            "flt(32)",
            "The performance of the model on its validation set, by performance_metric_type.",
            when="validation_set_performance_present_flag == 1",
        ),
        field(
            "align",
            "align",
            "Up to the next byte boundary.",
            constraints=align("NNC-MPS-005"),
        ),
    ),
    exports=("mps_topology_indexed_reference_flag", "mps_parent_signalling_enabled_flag"),
)

LAYER_PARAMETER_SET = UnitSyntax(
    unit_type=2,
    name="LPS",
    title="NNR_LPS, layer parameter set",
    meaning="Replaces the qp density and quantization parameter for the data units that follow.",
    header=(
        field(
            "lps_self_contained_flag",
            "u(1)",
            "Whether the layers that refer to it need no other parameter set.",
            values=FLAG,
        ),
        field(
            "lps_header_reserved_zero_7bits",
            "u(7)",
            "Reserved.",
            constraints=zero("NNC-LPS-002", "lps_header_reserved_zero_7bits"),
        ),
    ),
    payload=(
        field(
            "lps_reserved_zero_bit",
            "u(1)",
            "Reserved.",
            constraints=zero("NNC-LPS-003", "lps_reserved_zero_bit"),
        ),
        field(
            "lps_sparsification_flag",
            "u(1)",
            f"{_PERFORMANCE_MAP_FLAG} sparsification.",
            values=FLAG,
        ),
        field("lps_pruning_flag", "u(1)", f"{_PERFORMANCE_MAP_FLAG} pruning.", values=FLAG),
        field("lps_unification_flag", "u(1)", f"{_PERFORMANCE_MAP_FLAG} unification.", values=FLAG),
        _method_flags("lps"),
        field(
            "lps_trailing_reserved_zero_bit",
            "u(1)",
            "Reserved.",
            constraints=zero("NNC-LPS-004", "lps_trailing_reserved_zero_bit"),
        ),
        *_quantization("lps"),
        *_sparsification_performance_map("lps_sparsification_flag == 1", "NNC-LPS"),
        *_pruning_performance_map("lps_pruning_flag == 1", "NNC-LPS"),
        *_unification_performance_map("lps_unification_flag == 1", "NNC-LPS"),
        field(
            "align",
            "align",
            "Up to the next byte boundary.",
            constraints=align("NNC-LPS-005"),
        ),
    ),
)
