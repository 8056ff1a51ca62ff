"""PyTorch as verdicts are computed with it: one thread, no kernels that depend on the processor.

PyTorch chooses kernels by what the processor can do, and two libraries under it, MKL and oneDNN, do
so again. The first two are set by the environment, which they read once, when they first compute:
``ATEN_CPU_CAPABILITY`` and ``MKL_CBWR``. The worker sets them before anything is imported. oneDNN
and NNPACK are left out altogether.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from conformance.runtimes.libraries import library, versions_of

ENVIRONMENT = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
"""Read by PyTorch and MKL once, when they first compute."""

_NAMED_TUPLE = "collections.namedtuple"
_SETTINGS = {
    "threads": "1",
    "grad_mode": "inference",
    "deterministic_algorithms": "true",
    "float32_matmul_precision": "highest",
    "mkldnn": "off",
    "nnpack": "off",
    "torchscript_optimisation": "off",
}


def torch_for(format: str) -> Any:
    """Import PyTorch for the model format ``format``; NotRunError if it is not installed."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    return library("torch", format, "pytorch")


def safe_globals(torch: Any) -> frozenset[str]:
    """Return the names that ``torch.load(weights_only=True)`` accepts in a pickle."""
    return frozenset(torch._weights_only_unpickler._get_allowed_globals())


def known_types(torch: Any) -> frozenset[str]:
    """Return the types that PyTorch has for the trees of a program's inputs and outputs.

    A tuple with names is not one of them, though its kind is: its own name must be registered.
    """
    return frozenset(torch.utils._pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE) - {_NAMED_TUPLE}


def settings_of(torch: Any) -> Mapping[str, str]:
    """Return the settings that outputs may depend on, those of the environment included."""
    return {
        **_SETTINGS,
        "ATEN_CPU_CAPABILITY": torch.backends.cpu.get_cpu_capability().lower(),
        "MKL_CBWR": os.environ.get("MKL_CBWR", ""),
    }


def versions() -> Mapping[str, str]:
    """Return the versions of the libraries that compute."""
    return versions_of("torch", "numpy", "ml_dtypes")


@contextmanager
def settled(torch: Any) -> Iterator[None]:
    """Compute under the settings of this page; those of the process are given back afterwards."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    precision = torch.get_float32_matmul_precision()
    onednn = torch._C._get_mkldnn_enabled()
    torch.set_num_threads(1)
    torch._C._set_mkldnn_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("highest")
    try:
        with (
            warnings.catch_warnings(),
            torch.backends.nnpack.flags(enabled=False),
            torch.jit.optimized_execution(False),
            torch.inference_mode(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(threads)
        torch._C._set_mkldnn_enabled(onednn)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.set_float32_matmul_precision(precision)
