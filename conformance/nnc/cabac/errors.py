"""What can be wrong with a payload, seen from inside it."""

from __future__ import annotations


class PayloadError(Exception):
    """A payload cannot be decoded.

    ``reason`` says why; ``bit`` is where, counted from the first bit of the payload.
    """

    def __init__(self, reason: str, bit: int) -> None:
        super().__init__(f"{reason} (bit {bit} of the payload)")
        self.reason = reason
        self.bit = bit
