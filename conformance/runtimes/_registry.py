"""From the name of a model format to its runtime."""

from __future__ import annotations

from conformance.registry import RUNTIMES, Registry
from conformance.runtimes._protocol import Runtime
from conformance.verdicts import UnsupportedError


def runtime(name: str, registry: Registry = RUNTIMES) -> Runtime:
    """Return the runtime of the model format ``name``; UnsupportedError if there is none to use."""
    found = registry.load(name)
    made = found() if isinstance(found, type) else found
    if isinstance(made, Runtime):
        return made
    raise UnsupportedError(
        f"what is registered as the model format {name!r} is not a runtime",
        expected="a class with the methods of conformance.runtimes.Runtime",
        found=f"{found!r} of {registry.distribution(name)}",
        fix="Point the entry point at a class that has `runtime_id`, `open` and `describe`.",
    )
