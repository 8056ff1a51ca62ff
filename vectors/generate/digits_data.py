"""The handwritten digits the bundled submission is trained and tested on, always split alike.

scikit-learn ships 1,797 scans of 8x8 pixels (the test part of the UCI set "Optical Recognition of
Handwritten Digits"). :func:`load_digits_split` gives 1,077 of them for training and 720 for
testing, stratified by digit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TEST_ITEMS = 720
SPLIT_SEED = 15938
LEVELS = 16.0


@dataclass(frozen=True, slots=True)
class Part:
    """Scans, float32 of shape (N, 1, 8, 8) in 0..1, and their labels, int64 of shape (N,)."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def load_digits_split() -> tuple[Part, Part]:
    """Return the training part and the test part."""
    bunch = load_digits()
    images = (bunch.images / LEVELS).astype(np.float32)[:, np.newaxis]
    train_x, test_x, train_y, test_y = train_test_split(
        images,
        bunch.target.astype(np.int64),
        test_size=TEST_ITEMS,
        random_state=SPLIT_SEED,
        stratify=bunch.target,
    )
    return Part(train_x, train_y), Part(test_x, test_y)
