"""Operations that the interpreter lacks, or computes otherwise than NNEF 1.0 defines them.

They take its place through the interpreter's own table of operations. All else is run as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Operator = Callable[..., Any]


def fixed_operators(torch: Any, operators: Mapping[str, Operator]) -> dict[str, Operator]:
    """Return operations by name; ``operators`` are the interpreter's."""

    def softmax(x: Any, axes: Sequence[int]) -> Any:
        """Its own divides by the sum of the inputs where there are several axes."""
        if len(axes) <= 1:
            return operators["softmax"](x, axes=axes)
        powers = torch.exp(x - torch.amax(x, dim=tuple(axes), keepdim=True))
        return powers / torch.sum(powers, dim=tuple(axes), keepdim=True)

    def selu(x: Any, alpha: float, _lambda_: float) -> Any:
        """Its own ignores the attributes."""
        return _lambda_ * torch.where(x < 0, alpha * (torch.exp(x) - 1), x)

    def prelu(x: Any, alpha: Any) -> Any:
        """Its own wants a list of slopes, where NNEF has a tensor that is broadcast."""
        return torch.where(x < 0, _aligned(alpha, x.ndim) * x, x)

    def softplus(x: Any) -> Any:
        """Its own takes the exponential of the input, which is infinite from 89 on."""
        return torch.logaddexp(x, torch.zeros_like(x))

    def nearest_upsample(input: Any, factor: Sequence[int]) -> Any:
        """Its own multiplies by 1 / factor in float32, and takes the one before for some (41)."""
        output = input
        for axis, times in enumerate(factor, start=2):
            output = torch.repeat_interleave(output, times, dim=axis)
        return output

    def batch_normalization(
        input: Any, mean: Any, variance: Any, offset: Any, scale: Any, epsilon: float
    ) -> Any:
        """Its own wants every operand in the shape [1, channels]."""
        operands = (mean, variance, offset, scale)
        if all(tuple(each.shape) == (1, input.shape[1]) for each in operands):
            return operators["batch_normalization"](input, *operands, epsilon=epsilon)
        mean, variance, offset, scale = (_aligned(each, input.ndim) for each in operands)
        return offset + scale * (input - mean) / torch.sqrt(variance + epsilon)

    return {
        "softmax": softmax,
        "selu": selu,
        "prelu": prelu,
        "softplus": softplus,
        "nearest_upsample": nearest_upsample,
        "batch_normalization": batch_normalization,
        **_biased(torch, operators),
        **_quantisations(operators),
    }


def _biased(torch: Any, operators: Mapping[str, Operator]) -> dict[str, Operator]:
    """Return ``linear`` with one bias per channel, and deconvolutions whose bias is everywhere.

    The interpreter aligns a bias of shape [channels] with the batch. Where an output reaches beyond
    what the filter does, it puts zeros around a result that holds the bias already; NNEF has the
    bias there too.
    """

    def linear(input: Any, filter: Any, bias: Any) -> Any:
        return operators["linear"](input, filter, _per_channel(bias))

    def deconv(input: Any, filter: Any, bias: Any, **attributes: Any) -> Any:
        zero = torch.zeros((), dtype=input.dtype)
        output = operators["deconv"](input, filter, zero, **attributes)
        return output + _aligned(_per_channel(bias), output.ndim)

    def separable_deconv(
        input: Any, plane_filter: Any, point_filter: Any, bias: Any, **attributes: Any
    ) -> Any:
        zero = torch.zeros((), dtype=input.dtype)
        separable = operators["separable_deconv"]
        output = separable(input, plane_filter, point_filter, zero, **attributes)
        return output + _aligned(_per_channel(bias), output.ndim)

    return {"linear": linear, "deconv": deconv, "separable_deconv": separable_deconv}


def _quantisations(operators: Mapping[str, Operator]) -> dict[str, Operator]:
    """Return quantisations whose operands are aligned with the first axes, not the last."""

    def min_max_linear_quantize(x: Any, min: Any, max: Any, **attributes: Any) -> Any:
        bounds = (_aligned(bound, x.ndim) for bound in (min, max))
        return operators["min_max_linear_quantize"](x, *bounds, **attributes)

    def linear_quantize(x: Any, min: Any, max: Any, bits: int) -> Any:
        """Its own wants two attributes more, which this operation does not have."""
        return min_max_linear_quantize(x, min, max, bits=bits, signed=False, symmetric=False)

    def zero_point_linear_quantize(x: Any, zero_point: Any, scale: Any, **attributes: Any) -> Any:
        operands = (_aligned(operand, x.ndim) for operand in (zero_point, scale))
        return operators["zero_point_linear_quantize"](x, *operands, **attributes)

    return {
        "linear_quantize": linear_quantize,
        "min_max_linear_quantize": min_max_linear_quantize,
        "zero_point_linear_quantize": zero_point_linear_quantize,
    }


def _per_channel(bias: Any) -> Any:
    """Return a bias of shape [channels] as [1, channels], which the shape rules take it for."""
    return bias.reshape(1, -1) if bias.ndim == 1 else bias


def _aligned(tensor: Any, rank: int) -> Any:
    """Return a tensor with axes of one element put after its own, as NNEF broadcasts."""
    return tensor.reshape(tuple(tensor.shape) + (1,) * (rank - tensor.ndim))
