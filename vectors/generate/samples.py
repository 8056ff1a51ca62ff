"""The samples of the bundled submission: what each is called, how it was made, how it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from description import OWN_SCRIPTS

Json = Any


@dataclass(frozen=True, slots=True)
class SampleRecipe:
    """A sample but for what is measured.

    ``file`` is its name under ``samples/`` and ``data`` its bytes. ``bounds`` replaces the bound of
    a metric's tolerance for this sample, ``claimed_within`` the tolerance of a claimed value.
    """

    id: str
    title: str
    file: str
    data: bytes
    method: Mapping[str, Json]
    codec: str = "tensors"
    params: Mapping[str, Json] = field(default_factory=dict)
    lossless: bool = False
    bounds: Mapping[str, float] = field(default_factory=dict)
    claimed_within: Mapping[str, float] = field(default_factory=dict)


def method(
    summary: str,
    *,
    reduction: tuple[str, ...] = (),
    quantisation: tuple[str, ...] = (),
    coding: tuple[str, ...] = (),
    software: tuple[Mapping[str, str], ...] = (),
    scripts: Mapping[str, str] = OWN_SCRIPTS,
    retraining: bool = False,
) -> dict[str, Json]:
    """Return the description of a compression method; ``scripts`` are those that made it."""
    return {
        "summary": summary,
        "parameter_reduction": list(reduction),
        "quantisation": list(quantisation),
        "entropy_coding": list(coding),
        "retraining": retraining,
        "software": [scripts, *software],
    }
