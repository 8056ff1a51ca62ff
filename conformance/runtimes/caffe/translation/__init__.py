"""The graph in ONNX operators, run by ONNX Runtime with the settings of the format ``onnx``."""

from conformance.runtimes.caffe.translation._operators import TRANSLATORS
from conformance.runtimes.caffe.translation.engine import OnnxEngine

__all__ = ["TRANSLATORS", "OnnxEngine"]
