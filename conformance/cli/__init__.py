"""The commands of ``nnr-conformance``."""
