"""Write the bitstream vectors, to the same bytes each time.

    python vectors/generate/nnc_vectors.py [--nncodec-python PATH] [FOLDER]

FOLDER is ``vectors/bitstreams`` unless given. PATH is a Python interpreter with NNCodec 2.1.3;
without it only the cases of our own encoder are written, and taken on trust where NNCodec is said
to decode them. One idea per module:

    nnc_arrays            the tensors
    nnc_cases             what a case is, and its folder
    nnc_recipes*          what NNCodec is asked to make
    nnc_peer_cases        asking it
    nnc_peer              the part that runs in its interpreter
    nnc_own_*             what our own encoder makes
    nnc_build             building streams from levels and header fields
    nnc_features          the features of streams
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from itertools import compress
from pathlib import Path

from nnc_cases import Case, Place, write_case
from nnc_features import complete
from nnc_own_cases import MAKER, own_case
from nnc_own_recipes import own_recipes
from nnc_peer_cases import NAME, decode_by_peer, peer_cases
from nnc_recipes import peer_recipes

from conformance.tensorfiles import tensor_digest

TARGET = Path(__file__).resolve().parents[1] / "bitstreams"


def write_vectors(root: Path, python: str | None) -> int:
    """Write the cases below ``root`` and return their number; ``python`` has NNCodec."""
    recipes = own_recipes()
    cases = [own_case(recipe) for recipe in recipes]
    if python is not None:
        safe = [recipe.error is None and recipe.peer is not None for recipe in recipes]
        check_decoders(python, list(compress(cases, safe)))
        cases += peer_cases(python, peer_recipes())
    require_unique([case.place for case in cases])
    for case in cases:
        write_case(root, complete(case))
    return len(cases)


def check_decoders(python: str, cases: Sequence[Case]) -> None:
    """Raise ValueError for a case that says otherwise than NNCodec whether NNCodec decodes it."""
    for case, decoded in zip(cases, decode_by_peer(python, cases), strict=True):
        expected = [_digests(stream.tensors) for stream in case.streams]
        agrees = [None if one is None else _digests(one) for one in decoded] == expected
        if agrees != (NAME in case.decoded_by):
            raise ValueError(f"{case.place} by {MAKER}: NNCodec decodes it: {agrees}")


def require_unique(places: Sequence[Place]) -> None:
    """Raise ValueError if two cases have the same folder."""
    twice = {place for place in places if places.count(place) > 1}
    if twice:
        raise ValueError(f"two cases have the same place: {sorted(map(str, twice))}")


def _digests(tensors: dict[str, object]) -> dict[str, str]:
    return {name: tensor_digest(values) for name, values in tensors.items()}


def main() -> None:
    """Write the cases that the arguments ask for."""
    parser = argparse.ArgumentParser(description="Write the bitstream vectors.")
    parser.add_argument(
        "--nncodec-python",
        default=os.environ.get("NNCODEC_PYTHON"),
        help="an interpreter that has NNCodec 2.1.3; else NNCODEC_PYTHON names it",
    )
    parser.add_argument("folder", nargs="?", type=Path, default=TARGET)
    arguments = parser.parse_args()
    count = write_vectors(arguments.folder, arguments.nncodec_python)
    print(f"wrote {count} cases to {arguments.folder}")


if __name__ == "__main__":
    main()
