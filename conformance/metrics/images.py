"""How alike images are: PSNR by NumPy, SSIM and MS-SSIM by torchmetrics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.metrics._arguments import Arg
from conformance.metrics._inputs import VALUES, as_float64, describe, refuse, same_shape
from conformance.metrics._libraries import deterministic_torch, library
from conformance.metrics._protocol import About, Floats, Values
from conformance.metrics.additive import AdditiveMetric, ratio
from conformance.metrics.regression import Mse

_INPUTS = "prediction, target: images (N, C, H, W), or (N, H, W, C) with layout NHWC"
_SCALES = 5
_RANGE = Arg(
    "data_range",
    "number",
    "The greatest possible value less the least: 1 or 255, say.",
    above=0,
)
_LAYOUT = Arg(
    "layout", "string", "The order of the axes.", default="NCHW", choices=("NCHW", "NHWC")
)
_SIGMA = Arg(
    "sigma",
    "number",
    "Width of the Gaussian window in pixels; its side is 2 int(3.5 sigma + 0.5) + 1.",
    default=1.5,
    minimum=0.2,
    maximum=100,
)


class Psnr(Mse):
    """Peak signal-to-noise ratio."""

    kind = "psnr"
    arguments = (_RANGE,)
    about = About(
        summary="10 log10(data_range^2 / MSE), where the MSE is over all values of all items; "
        "infinite if there is no error at all.",
        inputs="prediction, target: real numbers, both (N, ...)",
        unit="dB",
        range="-infinity to infinity",
        better="higher",
        statistics="(sum of squared errors, values)",
        library="NumPy",
    )

    def __init__(self, *, data_range: float) -> None:
        super().__init__()
        self._range = data_range

    def finish(self, totals: Floats) -> Floats:
        """Return the PSNR in dB."""
        with np.errstate(divide="ignore"):
            psnr: Floats = 10 * np.log10(self._range**2 / super().finish(totals))
        return psnr


class Similarity(AdditiveMetric):
    """The mean over images of a structural similarity that torchmetrics computes."""

    arguments = (_RANGE, _LAYOUT, _SIGMA)
    counts = (VALUES,)

    def __init__(self, *, data_range: float, layout: str, sigma: float) -> None:
        super().__init__()
        self._range = float(data_range)
        self._layout = layout
        self._sigma = float(sigma)
        self._torch = deterministic_torch(self.kind)
        self._functional = library("torchmetrics.functional.image", self.kind)

    @property
    def window(self) -> int:
        """Side of the Gaussian window in pixels, as torchmetrics cuts it off."""
        return 2 * int(3.5 * self._sigma + 0.5) + 1

    @property
    @abstractmethod
    def smallest_side(self) -> int:
        """The least height and width of an image, in pixels."""

    @abstractmethod
    def similarity(self, prediction: Any, target: Any) -> Any:
        """Return the similarity of two tensors (1, C, H, W)."""

    def statistics(self, values: Values) -> Floats:
        """Return (similarity, 1) per image."""
        same_shape(values)
        self.count(VALUES.noun, values["prediction"].size)
        pairs = zip(self._images("prediction", values), self._images("target", values), strict=True)
        found = [float(self.similarity(ours, theirs)) for ours, theirs in pairs]
        return np.stack([np.array(found), np.ones(len(found))], axis=1)

    def finish(self, totals: Floats) -> Floats:
        """Return the mean similarity."""
        return ratio(totals[..., 0], totals[..., 1])

    def _images(self, role: str, values: Values) -> Iterator[Any]:
        array = values[role]
        if array.ndim == len("NHWC") and self._layout == "NHWC":
            array = array.transpose(0, 3, 1, 2)
        if array.ndim != len("NCHW") or min(array.shape[2:]) < self.smallest_side:
            refuse(
                role,
                f"{role} does not hold images that metric kind {self.kind!r} can judge",
                expected=f"layout {self._layout}, at least {self.smallest_side} pixels a side",
                found=describe(values[role]),
                fix="Correct 'layout' or lower 'sigma' in the metric's args, or use 'psnr'.",
            )
        for image in array:
            numbers = np.ascontiguousarray(as_float64(role, image))
            yield self._torch.from_numpy(numbers[None])


class Ssim(Similarity):
    """Structural similarity."""

    kind = "ssim"
    about = About(
        summary="Mean over images of the structural similarity index, with a Gaussian window, "
        "k1 = 0.01 and k2 = 0.03 [Wang 2004].",
        inputs=_INPUTS,
        unit="none",
        range="-1 to 1",
        better="higher",
        statistics="(similarity, 1)",
        library="torchmetrics",
    )

    @property
    def smallest_side(self) -> int:
        """The least height and width: one whole window."""
        return self.window

    def similarity(self, prediction: Any, target: Any) -> Any:
        """Return the similarity of two tensors (1, C, H, W)."""
        return self._functional.structural_similarity_index_measure(
            prediction, target, sigma=self._sigma, data_range=self._range
        )


class MsSsim(Similarity):
    """Structural similarity at several scales."""

    kind = "ms-ssim"
    about = About(
        summary="Mean over images of the structural similarity index over five scales, with the "
        "weights of [Wang 2003].",
        inputs=_INPUTS,
        unit="none",
        range="0 to 1",
        better="higher",
        statistics="(similarity, 1)",
        library="torchmetrics",
    )

    @property
    def smallest_side(self) -> int:
        """The least height and width: one whole window after four halvings."""
        return self.window << (_SCALES - 1)

    def similarity(self, prediction: Any, target: Any) -> Any:
        """Return the similarity of two tensors (1, C, H, W)."""
        return self._functional.multiscale_structural_similarity_index_measure(
            prediction,
            target,
            sigma=self._sigma,
            kernel_size=self.window,
            data_range=self._range,
        )
