"""The parent that a file of tensor differences names: the digest of the parameters there."""

from __future__ import annotations

import json
import re

from conformance.codecs._fields import Fields
from conformance.codecs._protocol import Base, Identity, WrongParent
from conformance.tensorfiles import Format, TensorFile, distinct
from conformance.verdicts import Location, MalformedError

PARENT_KEY: dict[Format, str] = {"safetensors": "nnr_parent", "npz": "parent.json"}
"""Where each format holds the parent: metadata key, or archive member."""
_DIGEST = re.compile("[0-9a-f]{64}")


def parent_text(sha256: str) -> str:
    """Return what names the parent whose :func:`~.network_digest` is ``sha256``."""
    return json.dumps({"sha256": sha256})


def identity_of(tensors: TensorFile, key: str, base: Base | None) -> Identity:
    """Return whether the parent that the file names, if any, is ``base``.

    Without a base nothing is compared. A MalformedError says that the parent cannot be read.
    """
    if key not in tensors.metadata:
        return Identity(1, {})
    place = tensors.metadata_where[key]
    where = Location(file=place.file, byte_offset=place.byte_offset, element=key)
    named = _read(tensors.metadata[key], where)
    if base is None or named == base.digest:
        return Identity(1, {"sha256": 1})
    wrong = WrongParent(tensor=None, where=where, expected=base.digest, found=named)
    return Identity(1, {"sha256": 1}, (wrong,))


def _read(text: str, where: Location) -> str:
    try:
        data = json.loads(text, object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        raise MalformedError(
            "the name of the parent cannot be read",
            where=where,
            expected='a JSON object {"sha256": DIGEST}',
            found=str(error)[:200],
            fix="Write it with a JSON library, or leave it out.",
        ) from error
    fields = Fields(data, "the name of the parent", where)
    digest = fields.text("sha256")
    fields.finish()
    if not _DIGEST.fullmatch(digest):
        raise fields.error(
            "has a wrong 'sha256'", "64 lower-case hexadecimal digits", repr(digest)[:80]
        )
    return digest
