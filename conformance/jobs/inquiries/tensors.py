"""Files of named tensors: the digests that claims give."""

from __future__ import annotations

import json

from conformance.jobs.inquiries.asked import Asked
from conformance.tensorfiles import open_tensors, tensor_digest
from conformance.verdicts import Json


def digest(asked: Asked) -> Json:
    """Print the digest of every tensor in a file as a JSON object."""
    file = asked.path("file")
    with open_tensors(file, display=file.name, limit_bytes=asked.limits.tensor_bytes) as tensors:
        digests = {name: tensor_digest(tensors[name]) for name in sorted(tensors)}
    asked.print_json([json.dumps(digests, indent=2)])
    return {}
