"""What computes: versions of all that can enter a result, and features of the processor."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path

from conformance.registry import CODECS, METRICS, RUNTIMES
from conformance.verdicts import Json


def computed_by(*, network: bool) -> dict[str, Json]:
    """Return what a request says of what computes it.

    Kernels are chosen by the processor, whose features count only where a ``network`` is run.
    """
    found: dict[str, Json] = {"versions": dict(versions()), "source": source_digest()}
    return found | ({"machine": machine()} if network else {})


@functools.cache
def versions() -> Mapping[str, str]:
    """Return the version of every installed distribution that can enter a result."""
    names = (
        *("nnr-conformance", "ml_dtypes", "numba", "numpy", "onnx", "onnxruntime", "pycocotools"),
        *("torch", "torchmetrics", "zstandard", "tensorflow-cpu", "keras", "h5py"),
        *("ai-edge-litert", "flatbuffers", "protobuf"),
        *("nnef", "nnef_tools"),
    )
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    for plugins in (CODECS, RUNTIMES, METRICS):
        found |= plugins.versions()
    return dict(sorted(found.items()))


@functools.cache
def source_digest() -> str:
    """Return the SHA-256 of this package's own source, so that an edit never meets old evidence."""
    package = Path(__file__).parents[1]
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        total.update(path.relative_to(package).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


@functools.cache
def machine() -> str:
    """Return architecture and CPU features: floating-point kernels are chosen by them."""
    flags = ""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = platform.processor()
    features = " ".join(sorted(flags.partition(":")[2].split()))
    digest = hashlib.sha256(features.encode()).hexdigest()[:16]
    return f"{platform.machine()}-{digest}"
