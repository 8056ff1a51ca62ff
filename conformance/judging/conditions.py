"""How a network was run, in words: what its outputs may depend on besides network and inputs."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.plan.results import RunConditions
from conformance.verdicts import Json

_SHOWN = {
    "engine": "engine",
    "execution_provider": "provider",
    "device": "device",
    "op_resolver_type": "operators",
    "graph_optimization_level": "optimisation",
    "graph_optimisation": "optimisation",
    "torchscript_optimisation": "optimisation",
}
"""Settings that say where the network runs, and how far its graph is changed before."""


def conditions_of(measured: RunConditions) -> dict[str, Json]:
    """Return batch size, provider and level of optimisation of a run, as far as there are any."""
    settings = measured.settings
    shown = {word: settings[name] for name, word in _SHOWN.items() if name in settings}
    return {"batch_size": measured.batch_size, **shown}


def in_words(measured: RunConditions) -> str:
    """Return the same as one phrase: ``batches of 32, provider CPUExecutionProvider``."""
    row = conditions_of(measured)
    size = row.pop("batch_size")
    batch = "one run for each shard" if size is None else f"batches of {size}"
    return ", ".join([batch, *(f"{name} {value}" for name, value in row.items())])


def in_words_together(runs: Mapping[str, RunConditions]) -> str:
    """Return the same for several runs by name; once if it is the same for all."""
    words = {name: in_words(measured) for name, measured in runs.items()}
    if len(set(words.values())) == 1:
        return f"both in {min(words.values())}"
    return "; ".join(f"{name} in {text}" for name, text in words.items())
