"""Conformance suite for compressed neural networks (ISO/IEC 15938-17)."""

__version__ = "0.1.0"
