"""The program of the process that makes a graph flat; see :mod:`.flattening`.

It reads a JSON object with ``text``, the names of its ``fragments`` and the ``most`` characters of
an answer. It answers with flat NNEF, or with exit status REFUSED and what is wrong. It imports
nothing of this package.
"""

from __future__ import annotations

import json
import resource
import sys

_VERSION = "version 1.0;\n"

REFUSED = 3
TOO_LONG = 4
SECONDS = 30
"""Of computing, if nobody ends the process sooner."""

MEMORY = 2 << 30
"""Bytes of address space, NumPy and its threads included."""


def main() -> int:
    """Flatten the graph on standard input; return the exit status."""
    for kind, bound in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        lower = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(kind, (lower, lower))
    import nnef

    request = json.load(sys.stdin)
    try:
        graph = nnef.parse_string(request["text"], lowered=request["fragments"])
        text = nnef.format_graph(
            graph.name, graph.inputs, graph.outputs, graph.operations, graph.tensors
        )
    except Exception as error:  # noqa: BLE001 - the parser raises the class itself
        sys.stdout.write(str(error) or type(error).__name__)
        return REFUSED
    if len(text) > request["most"] - len(_VERSION):
        return TOO_LONG
    sys.stdout.write(_VERSION + text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
