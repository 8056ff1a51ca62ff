"""What a bitstream claims of its network, compared with what was measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from conformance.verdicts import Json


def beside_measured(
    claims: Mapping[str, Json] | None, rows: Iterable[Mapping[str, Json]]
) -> dict[str, Json] | None:
    """Return the claims with ``measured``: the rows of the metric that they speak of.

    ``rows`` are the judged metrics of the sample. The metric type in a stream is free text; it is
    matched with the id and the kind of a metric by letters and digits alone. Whoever encoded the
    stream may have measured on other data: the values stand side by side and are not judged.
    """
    if claims is None:
        return None
    wanted = _plain(claims["performance_metric_type"])
    measured = [
        {name: row[name] for name in ("metric", "vectors", "reference", "value")}
        for row in rows
        if wanted and wanted in {_plain(row["metric"]), _plain(row["kind"])}
    ]
    return {**claims, "measured": measured}


def _plain(name: str | None) -> str:
    return re.sub(r"[^a-z0-9]", "", (name or "").lower())
