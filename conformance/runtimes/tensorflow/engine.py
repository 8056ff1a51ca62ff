"""TensorFlow as verdicts are computed with it: one thread, and nothing chosen at run time.

The number of threads can be set only before TensorFlow computes for the first time. A worker of
this tool starts as a process that has not, so there it always holds; :func:`settings_of` says what
is in force.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from conformance.runtimes.libraries import library, versions_of
from conformance.verdicts import NotRunError

EXTRA = "tensorflow"
_ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}


def import_libraries(format: str) -> None:
    """Import TensorFlow and Keras, and start no thread; NotRunError if one is not installed."""
    _tensorflow(format)
    library("keras", format, EXTRA)


def tensorflow_for(format: str) -> Any:
    """Import TensorFlow for the model format ``format``; NotRunError if it is not installed."""
    tf = _tensorflow(format)
    with contextlib.suppress(RuntimeError):  # something in this process has computed already
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.set_visible_devices([], "GPU")
    tf.config.experimental.enable_op_determinism()
    return tf


def keras_for(format: str) -> Any:
    """Import Keras, with TensorFlow under it; NotRunError if it is missing or runs on another."""
    tensorflow_for(format)
    keras = library("keras", format, EXTRA)
    found = keras.backend.backend()
    if found != "tensorflow":
        raise NotRunError(
            "Keras runs on another library than TensorFlow in this process",
            expected="the backend tensorflow",
            found=f"the backend {found}",
            fix="Judge in its own process: nnr-conformance run.",
        )
    return keras


def _tensorflow(format: str) -> Any:
    os.environ.update(_ENVIRONMENT)
    return library("tensorflow", format, EXTRA)


def session_config(tf: Any) -> Any:
    """Return the settings of a session: one thread, no optimiser."""
    tf1 = tf.compat.v1
    config = tf1.ConfigProto(
        intra_op_parallelism_threads=1,
        inter_op_parallelism_threads=1,
        allow_soft_placement=True,
        device_count={"GPU": 0},
    )
    options = config.graph_options
    options.optimizer_options.opt_level = tf1.OptimizerOptions.L0
    options.optimizer_options.global_jit_level = tf1.OptimizerOptions.OFF
    options.rewrite_options.disable_meta_optimizer = True
    return config


def settings_of(tf: Any) -> Mapping[str, str]:
    """Return the settings that outputs may depend on."""
    return {
        "device": "CPU",
        "intra_op_parallelism_threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
        "inter_op_parallelism_threads": str(tf.config.threading.get_inter_op_parallelism_threads()),
        "op_determinism": "on",
        "graph_optimisation": "off",
        "XLA": "off",
        "oneDNN": "off" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" else "on",
    }


def versions() -> Mapping[str, str]:
    """Return the versions of the libraries that compute."""
    return versions_of("tensorflow-cpu", "tensorflow", "keras", "h5py", "numpy", "ml_dtypes")
