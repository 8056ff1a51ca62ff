"""The tensors of a network in files: what is compared with them needs no runtime."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.jobs.stored_arrays import array_writer, stored_arrays
from conformance.runtimes import Network
from conformance.sandbox.limits import Limits
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Json, NotRunError, UnsupportedError

TENSORS = "tensors"
ROLES = "roles.json"


@dataclass(frozen=True, slots=True)
class StoredNetwork:
    """The tensors of a network by role, as :class:`~conformance.runtimes.Network` has them."""

    parameters: Mapping[str, Array]
    scalars: Mapping[str, Array]
    constants: Mapping[str, Array]
    everything: Mapping[str, Array]
    aliases: Mapping[str, str]
    unused_parameters: frozenset[str]


def unreplaceable(network: Network) -> ConformanceError | None:
    """Return why a sample would leave too much of a network in place, or None."""
    try:
        network.check_replaceable()
    except UnsupportedError as error:
        return error
    return None


def store_network(folder: Path, network: Network) -> None:
    """Write every tensor of a network, and its roles."""
    groups: dict[str, Mapping[str, Array]] = {
        "parameters": network.parameters,
        "scalars": network.scalars,
        "constants": network.constants,
        "everything": network.everything,
    }
    written: set[str] = set()
    with array_writer(folder, TENSORS) as writer:
        for group in groups.values():
            for name in group:
                if name not in written:
                    writer.add(name, group[name])
                    written.add(name)
    roles = {
        **{role: list(group) for role, group in groups.items()},
        "aliases": dict(network.aliases),
        "unused": list(network.unused_parameters),
    }
    (folder / ROLES).write_text(json.dumps(roles), encoding="utf-8")


def stored_network(folder: Path, limits: Limits) -> StoredNetwork:
    """Return what :func:`store_network` wrote."""
    roles = json.loads((folder / ROLES).read_text(encoding="utf-8"))
    arrays = stored_arrays(folder, TENSORS, limits)

    def of(role: str) -> dict[str, Array]:
        return {name: arrays[name] for name in roles[role]}

    return StoredNetwork(
        parameters=of("parameters"),
        scalars=of("scalars"),
        constants=of("constants"),
        everything=of("everything"),
        aliases=roles["aliases"],
        unused_parameters=frozenset(roles["unused"]),
    )


def require_replaceable(result: Mapping[str, Json], model: str) -> None:
    """Raise NotRunError if a sample would leave too much of the original in place.

    That is one defect of the model, and has a check of its own. ``result`` is what was found when
    the parameters were kept.
    """
    if result["unreplaceable"] is not None:
        raise NotRunError(
            f"the parameters of {model!r} cannot be replaced",
            expected="MODEL-REPLACE-001 passes",
            found=result["unreplaceable"]["message"],
            fix="fix the finding of MODEL-REPLACE-001 first",
        )
