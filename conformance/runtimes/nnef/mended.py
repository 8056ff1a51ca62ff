"""Operations that the interpreter lacks, or computes otherwise than NNEF 1.0 defines them.

They take its place through the interpreter's own table of operations. All else is run as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Operator = Callable[..., Any]


def mended_operators(torch: Any, operators: Mapping[str, Operator]) -> dict[str, Operator]:
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
        slopes = alpha.reshape(tuple(alpha.shape) + (1,) * (x.ndim - alpha.ndim))
        return torch.where(x < 0, slopes * x, x)

    def linear_quantize(x: Any, min: Any, max: Any, bits: int) -> Any:
        """Its own wants two attributes more, which this operation does not have."""
        quantise = operators["min_max_linear_quantize"]
        return quantise(x, min, max, bits=bits, signed=False, symmetric=False)

    return {
        "softmax": softmax,
        "selu": selu,
        "prelu": prelu,
        "linear_quantize": linear_quantize,
    }
