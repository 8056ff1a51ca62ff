"""Where this tool's settings differ from a framework's defaults, and the code that sets them.

Rounding differs with them, and so do outputs and metric values that a submitter computed with the
defaults: by one quantisation step on integer networks, and by about 1e-3 on others.
"""

from __future__ import annotations

from collections.abc import Mapping

_ONNX = (
    "ONNX Runtime's default optimisation level and fusion of quantised operators",
    (
        "options = onnxruntime.SessionOptions(); "
        "options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC; "
        "options.add_session_config_entry('session.disable_quant_qdq', '1'); "
        "onnxruntime.InferenceSession(FILE, options)"
    ),
)
_TFLITE = (
    "LiteRT's default delegate (XNNPACK)",
    (
        "Interpreter(model_path=FILE, num_threads=1, "
        "experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)"
    ),
)
_PYTORCH = (
    "PyTorch's default kernels (oneDNN, several threads)",
    (
        "torch.set_num_threads(1); torch.backends.mkldnn.set_flags(False); "
        "torch.use_deterministic_algorithms(True)"
    ),
)
_TENSORFLOW = (
    "TensorFlow's default optimiser of graphs and number of threads",
    (
        "tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True}); "
        "tf.config.threading.set_intra_op_parallelism_threads(1); "
        "tf.config.experimental.enable_op_determinism()"
    ),
)

DEFAULTS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("onnx", "torch-state-dict"), _ONNX),
    "tflite": _TFLITE,
    **dict.fromkeys(("torchscript", "torch-export"), _PYTORCH),
    **dict.fromkeys(("savedmodel", "keras"), _TENSORFLOW),
}
"""By model format: which default differs, and the Python that gives this tool's value.

A state dict is run by ONNX Runtime, through the graph beside it. Caffe and NNEF files are run by a
translation of this tool's own, which has no defaults.
"""


def unlike_defaults(model_format: str) -> str:
    """Return, as the end of a sentence on what to do, how to compute as this tool does."""
    if model_format not in DEFAULTS:
        return ""
    which, code = DEFAULTS[model_format]
    return f"; {which} may round differently, and this code computes as this tool does: `{code}`"
