"""The recipes of the cases that our own encoder makes."""

from __future__ import annotations

from nnc_own_blocks import own_block_recipes
from nnc_own_cases import OwnRecipe
from nnc_own_dialect import dialect_recipes
from nnc_own_headers import header_recipes
from nnc_own_parameter_sets import parameter_set_recipes
from nnc_own_references import reference_recipes
from nnc_own_refused import refused_recipes
from nnc_own_tools import tool_recipes


def own_recipes() -> list[OwnRecipe]:
    """Return every recipe, in the order of their folders."""
    recipes = [
        *header_recipes(),
        *parameter_set_recipes(),
        *reference_recipes(),
        *own_block_recipes(),
        *tool_recipes(),
        *dialect_recipes(),
        *refused_recipes(),
    ]
    return sorted(recipes, key=lambda r: (r.place.edition, r.place.tool, r.place.name))
