"""Which model format the file of a network is in, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from conformance.verdicts import ConformanceError, Location

ENDINGS: Mapping[str, tuple[str, ...]] = {
    ".onnx": ("onnx",),
    ".pt2": ("torch-export",),
    ".pt": ("torchscript", "torch-state-dict"),
    ".pth": ("torch-state-dict", "torchscript"),
    ".safetensors": ("torch-state-dict",),
    "saved_model.pb": ("savedmodel",),
    ".keras": ("keras",),
    ".tflite": ("tflite",),
    ".prototxt": ("caffe",),
    ".nnef": ("nnef",),
    ".tgz": ("nnef",),
    ".tar.gz": ("nnef",),
}
"""How the names of files end, and the formats they may be in."""

_TELLING = tuple(end for end, formats in ENDINGS.items() if len(formats) == 1)

FIRST_FILES = ("saved_model.pb", "graph.nnef")
"""What to open of a network that is a folder."""


def first_file(model: Path) -> Path:
    """Return the file to open of a network that may be given as its folder."""
    if not model.is_dir():
        return model
    return next((model / name for name in FIRST_FILES if (model / name).is_file()), model)


def format_of(model: Path, given: str | None, known: tuple[str, ...]) -> str:
    """Return the format ``given``, or the one that the name of ``model`` implies.

    Raises ConformanceError if it is not among ``known``, or if the name implies none or several.
    """
    if given is not None:
        if given in known:
            return given
        raise ConformanceError(
            f"there is no model format {given!r}",
            expected=", ".join(known),
            found=given,
            fix="Choose one of these formats.",
        )
    found = next((formats for end, formats in ENDINGS.items() if model.name.endswith(end)), ())
    if len(found) == 1:
        return found[0]
    raise ConformanceError(
        f"the name of the network does not imply its format: {model.name}",
        where=Location(file=str(model)),
        expected=f"a name that ends in one of {', '.join(_TELLING)}, or --format",
        found=f"a name for {' or '.join(found)}" if found else "another ending",
        fix=f"Add {' or '.join(f'--format {name}' for name in found or known)}.",
    )
