"""Parsing serialised ONNX messages."""

from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto

__all__ = ["DecodeError", "parse_model", "parse_tensor"]


def parse_model(data: bytes) -> ModelProto:
    """Return the model in ``data``; DecodeError if it is not one."""
    model = ModelProto()
    model.ParseFromString(data)
    return model


def parse_tensor(data: bytes) -> TensorProto:
    """Return the tensor in ``data``; DecodeError if it is not one."""
    tensor = TensorProto()
    tensor.ParseFromString(data)
    return tensor
