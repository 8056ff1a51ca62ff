"""Signal-to-noise ratio of signals."""

from __future__ import annotations

import numpy as np

from conformance.metrics._inputs import VALUES, as_float64, same_shape
from conformance.metrics._libraries import deterministic_torch, library
from conformance.metrics._protocol import About, Floats, Values
from conformance.metrics.additive import AdditiveMetric, ratio


class Snr(AdditiveMetric):
    """The mean signal-to-noise ratio of signals."""

    kind = "snr"
    counts = (VALUES,)
    about = About(
        summary="Mean over items of 10 log10(sum target^2 / sum (target - prediction)^2), each "
        "item taken as one signal. Both sums are raised by 2.2e-16, so that it stays finite.",
        inputs="prediction, target: real numbers, both (N, ...)",
        unit="dB",
        range="-infinity to infinity",
        better="higher",
        statistics="(SNR in dB, 1)",
        library="torchmetrics",
    )

    def __init__(self) -> None:
        super().__init__()
        self._torch = deterministic_torch(self.kind)
        self._functional = library("torchmetrics.functional.audio", self.kind)

    def statistics(self, values: Values) -> Floats:
        """Return (SNR in dB, 1) per item."""
        same_shape(values)
        self.count(VALUES.noun, values["prediction"].size)
        signals = [
            self._torch.from_numpy(as_float64(role, values[role]).reshape(len(values[role]), -1))
            for role in ("prediction", "target")
        ]
        found = self._functional.signal_noise_ratio(*signals).numpy()
        return np.stack([found, np.ones(len(found))], axis=1)

    def finish(self, totals: Floats) -> Floats:
        """Return the mean SNR in dB."""
        return ratio(totals[..., 0], totals[..., 1])
