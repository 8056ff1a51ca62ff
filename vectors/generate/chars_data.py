"""Two public documents as sequences of characters, always cut alike.

``chars_constitution.txt`` is the Constitution of the United States with its amendments, for
training; ``chars_declaration.txt`` the Declaration of Independence, for testing. Both are in the
public domain, and as the package miscfiles 1.5 ships them. Text is read in lower case; what is not
in the alphabet, line ends included, is a space, and of several spaces one is kept.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
TRAINING = HERE / "chars_constitution.txt"
TEST = HERE / "chars_declaration.txt"
ALPHABET = " abcdefghijklmnopqrstuvwxyz,.;:'-"
STEPS = 64
TEST_ITEMS = 32


def load_tokens(path: Path) -> NDArray[np.int64]:
    """Return the places in the alphabet of the characters of a text."""
    kept = (letter if letter in ALPHABET else " " for letter in path.read_text("utf-8").lower())
    text = " ".join("".join(kept).split())
    return np.array([ALPHABET.index(letter) for letter in text], np.int64)


def load_test_sequences() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return 32 sequences from the beginning of the test text and the characters that follow each.

    Both are of shape (32, 64); the second is the first, one character later.
    """
    tokens = load_tokens(TEST)[: TEST_ITEMS * STEPS + 1]
    return tokens[:-1].reshape(-1, STEPS).copy(), tokens[1:].reshape(-1, STEPS).copy()
