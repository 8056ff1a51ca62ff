"""Decode a stream with our decoder in this process, and print what it took.

    python benchmarks/nnc_decode_ours.py THREADS WARM STREAM

``nnc_decode.py`` starts it; the figures are one line of JSON. The first ``WARM`` bytes of the
stream are decoded before, if that is not 0: they must end with a unit.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from nnc_decode_figures import digest, peak, resident


def main(threads: int, warm: int, file: Path) -> None:
    """Import, decode, and print the figures."""
    interpreter = resident()
    import conformance.nnc.cabac.decoding  # noqa: F401 - the kernels are part of what is imported
    from conformance.nnc.decoder import decode
    from conformance.nnc.options import Options

    if warm:
        with file.open("rb") as opened:
            decode(opened.read(warm))
    imported = resident()
    started = time.perf_counter()
    tensors = decode(file, Options(threads=threads))
    seconds = time.perf_counter() - started
    most = peak()
    figures = {
        "decode": seconds,
        "peak": most,
        "interpreter": interpreter,
        "imported": imported,
        "decoded": sum(tensor.nbytes for tensor in tensors.values()),
        "digest": digest(tensors),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
