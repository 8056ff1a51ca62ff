"""The recipes of the cases that NNCodec makes, tool by tool.

Those of ``nnc_recipes_common`` are made for both editions, the others for the second alone.
"""

from __future__ import annotations

from nnc_cases import FIRST, SECOND
from nnc_peer_cases import PeerRecipe
from nnc_recipes_blocks import block_recipes
from nnc_recipes_common import common_recipes
from nnc_recipes_updates import update_recipes


def peer_recipes() -> list[PeerRecipe]:
    """Return every recipe, in the order of their folders."""
    recipes = [
        *common_recipes(FIRST),
        *common_recipes(SECOND),
        *block_recipes(FIRST),
        *block_recipes(SECOND),
        *update_recipes(),
    ]
    return sorted(recipes, key=lambda r: (r.place.edition, r.place.tool, r.place.name))
