"""Converted models, made once for each process that runs tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of ``converted.py``'s models."""
    folder = tmp_path_factory.mktemp("tflite")
    script = Path(__file__).with_name("converted.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture(scope="session")
def expected(converted: Path) -> dict[str, np.ndarray]:
    """Inputs, and what Keras computes."""
    with np.load(converted / "expected.npz") as arrays:
        return dict(arrays)
