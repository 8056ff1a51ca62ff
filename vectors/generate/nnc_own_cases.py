"""Cases made by this project's own encoder, with what NNCodec 2.1.3 cannot write.

Their expected tensors come from the levels that were encoded (:mod:`nnc_build`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nnc_build import StreamBuilder
from nnc_cases import Case, CodedStream, Place
from nnc_peer_cases import NAME as PEER

MAKER = "nnr-conformance"

Error: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OwnRecipe:
    """Finished builders, one for each stream of a case.

    ``peer``: NNCodec decodes the streams, too; None where it must not even be asked, because the
    process would die. ``error`` is how the last stream must fail.
    """

    place: Place
    title: str
    streams: Sequence[StreamBuilder]
    peer: bool | None = False
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    error: Error | None = None


def own_case(recipe: OwnRecipe) -> Case:
    """Return the case of a recipe."""
    *earlier, last = recipe.streams
    streams = [CodedStream(stream.getvalue(), stream.tensors) for stream in earlier]
    streams.append(CodedStream(last.getvalue(), last.tensors, error=recipe.error))
    return Case(
        place=recipe.place,
        title=recipe.title,
        made_by=MAKER,
        settings={},
        streams=streams,
        decoded_by=[PEER] if recipe.peer else [],
        options=recipe.options,
        note=recipe.note,
    )
