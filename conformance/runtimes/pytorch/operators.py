"""Which operators of PyTorch a network may use, and which of them compute the same every time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

_INTERNAL = frozenset(
    word
    for line in (
        "_adaptive_avg_pool2d _adaptive_avg_pool3d _add_relu _add_relu_ _aminmax _assert_async",
        "_assert_scalar _assert_tensor_metadata _batch_norm_impl_index _batch_norm_no_update",
        "_cast_Byte _cast_Char _cast_Double _cast_Float _cast_Half _cast_Int _cast_Long",
        "_cast_Short _cdist_forward _conj _conj_physical _convolution _convolution_mode",
        "_dim_arange _embedding_bag _embedding_bag_forward_only _euclidean_dist",
        "_fake_quantize_learnable_per_channel_affine _fake_quantize_learnable_per_tensor_affine",
        "_fft_c2c _fft_c2r _fft_r2c _functional_assert_async _functional_assert_scalar",
        "_fused_rms_norm _get_tracing_state _infer_size _is_all_true _is_any_true",
        "_linalg_check_errors _linalg_det _linalg_eigh _linalg_eigvals _linalg_slogdet",
        "_linalg_solve_ex _linalg_svd _list_to_tensor _local_scalar_dense _log_softmax",
        "_logcumsumexp _masked_softmax _nested_tensor_from_mask",
        "_nested_tensor_from_mask_left_aligned _native_batch_norm_legit",
        "_native_batch_norm_legit_no_training _native_multi_head_attention _neg_view",
        "_pack_padded_sequence _pad_circular _pad_enum _pad_packed_sequence _pdist_forward",
        "_prelu_kernel _reshape_alias _safe_softmax _scaled_dot_product_attention_math",
        "_scaled_dot_product_flash_attention_for_cpu _set_item _shape_as_tensor",
        "_size_if_not_equal _softmax _stack _tensor_to_list _thnn_fused_gru_cell",
        "_thnn_fused_lstm_cell _to_copy _transform_bias_rescale_qkv",
        "_transformer_encoder_layer_fwd _trilinear _unique _unique2 _unsafe_index",
        "_unsafe_index_put _unsafe_masked_index _unsafe_view _unwrap_optional",
        "_upsample_bicubic2d_aa _upsample_bilinear2d_aa _upsample_lanczos2d_aa",
        "_upsample_nearest_exact1d",
        "_upsample_nearest_exact2d _upsample_nearest_exact3d _weight_norm _weight_norm_interface",
    )
    for word in line.split()
)
"""Operators whose names begin with an underscore are PyTorch's own affair; these are used."""

_FORBIDDEN: Mapping[str, str] = {
    **dict.fromkeys(("from_file", "save"), "it reads or writes files"),
    **dict.fromkeys(("data", "set_data"), "it hides what is written to a tensor"),
    **dict.fromkeys(
        ("batch_norm_update_stats", "batch_norm_gather_stats"),
        "it hides what is written to a tensor",
    ),
    "batch_norm_gather_stats_with_counts": "it hides what is written to a tensor",
    **dict.fromkeys(("wait", "record_stream", "set_"), "it is not a computation of a network"),
    **dict.fromkeys(
        ("manual_seed", "seed", "initial_seed"),
        "it draws random numbers",
    ),
    **dict.fromkeys(("_no_grad_normal_", "_no_grad_uniform_"), "it draws random numbers"),
}

HIDING = frozenset({"unsafe_split", "unsafe_chunk", "unsafe_split_with_sizes"})
"""Operators whose results share memory with their argument, but not its count of writes.

They are run only where nothing writes to a tensor.
"""

UNKNOWN: Final = object()
"""An argument that is computed when the network runs."""

_INFERENCE: Mapping[str, tuple[str, object]] = {
    **dict.fromkeys(("dropout", "dropout_", "native_dropout"), ("train", False)),
    **dict.fromkeys(("alpha_dropout", "alpha_dropout_"), ("train", False)),
    **dict.fromkeys(("feature_dropout", "feature_dropout_"), ("train", False)),
    **dict.fromkeys(("feature_alpha_dropout", "feature_alpha_dropout_"), ("train", False)),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), ("train", False)),
    **dict.fromkeys(("rrelu", "rrelu_"), ("training", False)),
    **dict.fromkeys(("rrelu_with_noise", "rrelu_with_noise_"), ("training", False)),
    **dict.fromkeys(("batch_norm", "native_batch_norm", "cudnn_batch_norm"), ("training", False)),
    **dict.fromkeys(("_native_batch_norm_legit", "_batch_norm_impl_index"), ("training", False)),
    "scaled_dot_product_attention": ("dropout_p", 0.0),
    "_scaled_dot_product_attention_math": ("dropout_p", 0.0),
    "_scaled_dot_product_flash_attention_for_cpu": ("dropout_p", 0.0),
}
"""Operators that draw random numbers, or remember what they saw, unless an argument is this."""

_DRAWS_NEVER = frozenset({"_nested_tensor_softmax_with_shape", "_fused_sdp_choice"})


def refusal(torch: Any, name: str) -> str | None:
    """Return why the operator ``aten::name`` is refused, or None; see :func:`trains` as well."""
    if name in _FORBIDDEN:
        return _FORBIDDEN[name]
    if name.startswith("_") and not name.startswith("__") and name not in _INTERNAL:
        return "it is one of PyTorch's own, which no exported network needs"
    if name not in _INFERENCE and _draws(torch, name):
        return "it draws random numbers"
    return None


def trains(name: str, argument: Callable[[str], object]) -> str | None:
    """Return the argument that makes the operator ``aten::name`` train, or None.

    ``argument`` returns an argument by its name, or :data:`UNKNOWN`. A batch normalisation without
    running statistics (an instance normalisation, mostly) remembers nothing, and may use its input.
    """
    if name == "instance_norm" and argument("running_mean") is not None:
        wanted: tuple[str, object] | None = ("use_input_stats", False)
    else:
        wanted = _INFERENCE.get(name)
    if wanted is None or argument(wanted[0]) == wanted[1]:
        return None
    if name.endswith("batch_norm") and argument("running_mean") is None:
        return None
    return wanted[0]


def packet_of(torch: Any, name: str) -> Any:
    """Return all overloads of the operator ``aten::name``, or None if there is no such operator."""
    found = getattr(torch.ops.aten, name, None)
    return found if isinstance(found, torch._ops.OpOverloadPacket) else None


def is_random(reason: str) -> bool:
    """Return whether an operator was refused because no run of it repeats another."""
    return "random" in reason


@cache
def _draws(torch: Any, name: str) -> bool:
    """Return whether any overload of an operator is marked as random, or takes a generator."""
    packet = packet_of(torch, name)
    if packet is None or name in _DRAWS_NEVER:
        return False
    seeded = torch.Tag.nondeterministic_seeded
    overloads = [getattr(packet, overload) for overload in packet.overloads()]
    return any(
        seeded in overload.tags
        or any(argument.name == "generator" for argument in overload._schema.arguments)
        for overload in overloads
    )
