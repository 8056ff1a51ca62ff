"""OpenCV as the engine: a graph written as a plain Caffe model of its own, and run.

OpenCV never sees a submitted file. What it reads is written here: a prototxt with numbered names,
every shape settled, of a handful of layer types with checked options, and a caffemodel with
exactly the parameters that are to be run.
"""

from conformance.runtimes.caffe.opencv.engine import OpenCvEngine

__all__ = ["OpenCvEngine"]
