"""The bitstream vectors as tests see them."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from conformance.nnc.options import Interpretation, Options
from conformance.nnc.state import DecoderState

ROOT = Path(__file__).parents[2]
BITSTREAMS = ROOT / "vectors" / "bitstreams"


@dataclass(frozen=True)
class BitstreamCase:
    folder: Path

    @property
    def parts(self):
        return self.folder.relative_to(BITSTREAMS).parts

    @property
    def id(self):
        return "-".join(self.parts)

    @cached_property
    def document(self):
        return json.loads((self.folder / "case.json").read_text("utf-8"))

    @property
    def streams(self):
        return [(entry, self.folder / entry["file"]) for entry in self.document["streams"]]

    @property
    def options(self):
        given = self.document["options"]
        return Options(
            interpretation=Interpretation(given.get("dialect", "nncodec-2")),
            dimensions=given.get("dimensions", {}),
            threads=1,
        )

    def new_state(self):
        return DecoderState() if len(self.document["streams"]) > 1 else None


def all_cases():
    return [BitstreamCase(path.parent) for path in sorted(BITSTREAMS.rglob("case.json"))]


CASES = all_cases()


def case_id(case):
    return case.id
