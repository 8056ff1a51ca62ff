"""Pickles read without running them: opcode by opcode, into the values they describe.

A pickle is a program, and a library that loads one runs it. Nothing here does: of the opcodes only
those that PyTorch writes are known, a global name stays a name, and to "call" one is to look its
meaning up in a table of a few functions of PyTorch. Everything else is refused with its offset.

    tree = read_pickle(archive.read("data.pkl", limit), place)
"""

from __future__ import annotations

import pickletools
from collections.abc import Collection, Iterator
from typing import Any

from conformance.runtimes.pytorch.pickle_machine import AGAIN, Machine, Place
from conformance.runtimes.pytorch.values import Value
from conformance.verdicts import ConformanceError, LimitError, MalformedError

__all__ = ["MAX_BYTES", "Place", "check_globals", "is_pickle", "read_pickle"]

MAX_BYTES = 64 << 20
"""Bytes of one pickle: tensors are not part of it, only their places are."""

MAX_OPCODES = 2_000_000
"""Opcodes of one pickle: a tensor takes about thirty, and each may make its own value."""

_NAMING = frozenset({"GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"})


def read_pickle(data: bytes, place: Place) -> Value:
    """Return what the pickle describes.

    Raises UnsupportedError for opcodes and names that PyTorch does not write for tensors,
    MalformedError for a pickle that is broken, LimitError for one that is too long or too deep.
    """
    reader = Machine(place)
    end = 0
    for name, argument, offset in _opcodes(data, place):
        reader.step(name, argument, offset)
        end = offset + 1
    if end != len(data):
        raise MalformedError(
            "bytes follow the end of a pickle",
            where=place.at(end),
            expected="the opcode STOP as the last byte",
            found=f"{len(data) - end} more bytes",
            fix=AGAIN,
        )
    return reader.result


def check_globals(data: bytes, place: Place, allowed: Collection[str], fix: str) -> None:
    """Raise ConformanceError if a pickle names a global that is not ``allowed``: it is code.

    A pickle runs nothing but what it names. The form it names things in must be that of the
    protocol that PyTorch writes: others take the name from the stack, or from a table.
    MalformedError and LimitError as for :func:`read_pickle`.
    """
    for name, argument, offset in _opcodes(data, place):
        if name not in _NAMING:
            continue
        called = str(argument).replace(" ", ".", 1) if name == "GLOBAL" else f"the opcode {name}"
        if name != "GLOBAL" or called not in allowed:
            found = ascii(called)[1:-1][:200]
            raise ConformanceError(
                f"a pickle next to the network holds code: it names {found}",
                where=place.at(offset),
                expected="what torch.load(weights_only=True) accepts: tensors, and containers and "
                "plain values around them",
                found=found,
                fix=fix,
            )


def is_pickle(data: bytes) -> bool:
    """Return whether bytes are a whole pickle of the first protocols, which has no magic number."""
    try:
        return sum(1 for _ in _opcodes(data, Place("", ""))) > 1
    except (MalformedError, ValueError):
        return False


def _opcodes(data: bytes, place: Place) -> Iterator[tuple[str, Any, int]]:
    if len(data) > MAX_BYTES:
        raise LimitError(
            "a pickle is too long",
            where=place.at(0),
            expected=f"at most {MAX_BYTES} bytes",
            found=f"{len(data)} bytes",
            fix="Store the model in fewer tensors.",
        )
    try:
        for count, (opcode, argument, offset) in enumerate(pickletools.genops(data)):
            if count >= MAX_OPCODES:
                raise LimitError(
                    "a pickle describes too many values",
                    where=place.at(offset or 0),
                    expected=f"at most {MAX_OPCODES} opcodes",
                    found="more",
                    fix="Store the model in fewer tensors.",
                )
            yield opcode.name, argument, offset or 0
    except (ValueError, OverflowError) as error:
        raise MalformedError(
            "a pickle is damaged",
            where=place.at(0),
            expected="a whole pickle, up to its opcode STOP",
            found=str(error)[:200],
            fix=AGAIN,
        ) from error
