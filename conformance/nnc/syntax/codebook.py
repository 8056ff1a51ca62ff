"""codebook(): the levels that quantization indices select.

The entry that index 0 selects is number z, the zero offset, and is written first; then come the
entries below it, downwards, and those above it, upwards, each by its distance to the one before.
"""

from __future__ import annotations

from conformance.nnc.syntax.items import Group, derived, field, group, malformed


def codebook(name: str, meaning: str, when: str) -> Group:
    """Return the group for one codebook."""
    return group(
        name,
        (
            field("codebook_egk", "u(4)", "k, the order of the codes of the distances."),
            field("codebook_size", "ue(2)", "n, the number of entries."),
            field(
                "codebook_centre_offset",
                "ie(2)",
                "z = (codebook_size >> 1) + codebook_centre_offset.",
            ),
            derived(
                "zero_offset",
                "(codebook_size >> 1) + codebook_centre_offset",
                "z, the number of the entry that index 0 selects.",
            ),
            malformed(
                f"{name}.codebook_centre_offset",
                "not 0 <= zero_offset < codebook_size",
                "The zero offset of a codebook is outside the codebook",
                expected="0 <= (codebook_size >> 1) + codebook_centre_offset < codebook_size",
                fix="write the number of the entry of index 0, less half the size",
            ),
            field(
                "codebook_zero_value",
                "ie(7)",
                "c[z], the level of index 0.",
            ),
            field(
                "codebook_deltas_left",
                "ue(codebook_egk)",
                "Entries below, downwards: c[j] = c[j + 1] - 1 - delta.",
                count="zero_offset",
            ),
            field(
                "codebook_deltas_right",
                "ue(codebook_egk)",
                "Entries above, upwards: c[j] = c[j - 1] + 1 + delta.",
                count="codebook_size - zero_offset - 1",
            ),
        ),
        meaning,
        when=when,
    )
