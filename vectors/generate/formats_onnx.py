"""The digits network as an ONNX model: the same as that of the submission ``digits-cnn``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from network import INPUT, OUTPUT, Weights, build_model
from numpy.typing import NDArray


def write_onnx(folder: Path, weights: Weights) -> list[Path]:
    """Write ``digits.onnx`` and return its path."""
    path = folder / "digits.onnx"
    path.write_bytes(build_model(weights).SerializeToString())
    return [path]


def run_onnx(files: list[Path], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of ``images``, computed by ONNX Runtime."""
    session = onnxruntime.InferenceSession(files[0], providers=["CPUExecutionProvider"])
    logits: NDArray[np.float32] = session.run([OUTPUT], {INPUT: images})[0]
    return logits
