"""Fuzz the decoder with atheris.

    python tests/nnc/fuzz/fuzz_decode.py [CORPUS_DIR ...] [-max_total_time=SECONDS ...]

Every input is decoded under limits, and inspected under an observer; anything but an
:class:`~conformance.nnc.errors.NncError` is a finding, which libFuzzer writes to a file. The first
byte of an input chooses dialect, threads and reconstruction; the stream is what follows. The
kernels are imported at the first input, and so not instrumented: numba could not compile them. Good
corpora are the streams of ``vectors/bitstreams`` with a byte put before: ``--corpus DIR`` writes
them. Needs the package ``atheris``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["conformance.nnc"]):
    from conformance.nnc.decoder import decode, decode_observed
    from conformance.nnc.errors import NncError
    from conformance.nnc.options import Interpretation, Limits, Options
    from conformance.nnc.parser import parse_stream

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "bitstreams"
LIMITS = Limits(decoded_bytes=8 << 20)
LEGACY, THREADS, OBSERVED, RECONSTRUCTED = 1, 2, 4, 8


def options_of(choice: int) -> Options:
    """Return the options that the first byte of an input chooses."""
    return Options(
        interpretation=Interpretation("nncodec-1.0" if choice & LEGACY else "nncodec-2"),
        limits=LIMITS,
        threads=2 if choice & THREADS else 1,
        apply_local_scaling=bool(choice & RECONSTRUCTED),
        multiply_decomposition=bool(choice & RECONSTRUCTED),
    )


def test_one_input(data: bytes) -> None:
    """Decode one input."""
    choice, stream = (data[0], data[1:]) if data else (0, b"")
    options = options_of(choice)
    try:
        if choice & OBSERVED:
            decode_observed(parse_stream(stream, options), options, None, lambda *_: None)
        else:
            decode(stream, options)
    except NncError as error:
        if not error.fix:
            raise RuntimeError("an error that does not explain itself") from error


def write_corpus(folder: Path) -> None:
    """Write the vectors as inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(sorted(VECTORS.rglob("*.nnc"))):
        choice = (LEGACY if "nncodec-1.0" in file.parts else 0) | (number % 8) << 1
        (folder / f"{number:04}").write_bytes(bytes([choice]) + file.read_bytes())


def main() -> None:
    """Write a corpus, or fuzz."""
    if sys.argv[1:2] == ["--corpus"]:
        write_corpus(Path(sys.argv[2]))
        return
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
