"""Patches of two photographs, always cut alike.

scikit-learn ships two photographs of 640 x 427 pixels under CC BY 2.0: ``china.jpg`` by
danielbuechele and ``flower.jpg`` by vultilion, both from Flickr. Grey levels are the luminance that
the files hold, divided by 256, so that float16 holds them exactly. The right-hand 176 columns of
each photograph are for testing, the rest for training.
"""

from __future__ import annotations

from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 176
"""Height and width of a test patch: the least that five scales of MS-SSIM allow."""
LEVELS = 256
PHOTOGRAPHS = ("china.jpg", "flower.jpg")
PATCHES = 4


def load_photographs() -> list[NDArray[np.float32]]:
    """Return the photographs in grey levels of 0 to 255/256, each of shape (427, 640)."""
    folder = files("sklearn.datasets") / "images"
    return [_grey((folder / name).read_bytes()) for name in PHOTOGRAPHS]


def training_parts() -> list[NDArray[np.float32]]:
    """Return what is left of each photograph without its test columns."""
    return [image[:, :-SIDE] for image in load_photographs()]


def load_test_patches() -> NDArray[np.float16]:
    """Return two patches of each photograph, one below the other, of shape (4, 1, 176, 176)."""
    cut = [image[top : top + SIDE, -SIDE:] for image in load_photographs() for top in (0, SIDE)]
    return np.stack(cut)[:, np.newaxis].astype(np.float16)


def _grey(jpeg: bytes) -> NDArray[np.float32]:
    levels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    return levels.astype(np.float32) / LEVELS
