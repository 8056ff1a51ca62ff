"""What the worker can do: open a model, run it, decode a sample, run what was decoded.

Only the worker process imports this package: it parses submitted binaries.
"""

from conformance.evaluation.tasks.desk import Desk

__all__ = ["Desk"]
