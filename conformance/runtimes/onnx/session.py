"""An ONNX Runtime session with the settings that verdicts are computed under."""

from __future__ import annotations

from collections.abc import Mapping

import onnxruntime

from conformance.runtimes.onnx.skeleton import Skeleton

_CONFIG = {
    # Kernels that compute in integers saturate differently from one x86 CPU to another. Left
    # alone, pairs of QuantizeLinear and DequantizeLinear are computed in float32, as written.
    "session.disable_quant_qdq": "1",
    # Packing would hold every matrix in memory twice.
    "session.disable_prepacking": "1",
    "session.use_external_initializer_file_buffers_directly": "1",
    # A serialised model could otherwise be taken for the runtime's own format by its first bytes.
    "session.load_model_format": "ONNX",
}
_FATAL = 4

SETTINGS: Mapping[str, str] = {
    "execution_provider": "CPUExecutionProvider",
    "execution_mode": "sequential",
    "graph_optimization_level": "basic",
    "intra_op_num_threads": "1",
    "inter_op_num_threads": "1",
    "use_deterministic_compute": "true",
    "enable_cpu_mem_arena": "false",
    **_CONFIG,
}
"""Everything that differs from ONNX Runtime's defaults, or that outputs may depend on."""


def open_session(skeleton: Skeleton, *, optimised: bool = True) -> onnxruntime.InferenceSession:
    """Return a session that runs ``skeleton``; its buffers must outlive it.

    One that is not ``optimised`` runs the graph node by node, as it is.

    Errors of ONNX Runtime pass through: :mod:`conformance.runtimes.onnx.faults` translates them.
    """
    options = session_options()
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if skeleton.locations:
        options.add_external_initializers_from_files_in_memory(
            list(skeleton.locations),
            list(skeleton.buffers),
            [buffer.nbytes for buffer in skeleton.buffers],
        )
    return onnxruntime.InferenceSession(
        skeleton.model, options, providers=[SETTINGS["execution_provider"]]
    )


def session_options() -> onnxruntime.SessionOptions:
    """Return fresh options that are set as :data:`SETTINGS` says."""
    options = onnxruntime.SessionOptions()
    # Folding constants keeps a network's meaning and saves time. The next level replaces
    # operators by fused ones whose rounding depends on the CPU.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    # Without an arena, what one run needed is given back before the next.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = _FATAL
    for key, value in _CONFIG.items():
        options.add_session_config_entry(key, value)
    return options
