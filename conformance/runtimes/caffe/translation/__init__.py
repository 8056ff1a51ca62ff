"""ONNX Runtime as the engine, for networks with layers that OpenCV cannot import from Caffe.

The whole graph is translated to ONNX operators, and run with the settings of the format ``onnx``.
"""

from conformance.runtimes.caffe.translation.engine import OnnxEngine

__all__ = ["OnnxEngine"]
