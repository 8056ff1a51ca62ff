"""Values that are stored and that no output depends on, and how to leave them out."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.runtimes.roles import Use

FEWEST_IDLE = 16
"""So many elements that nothing reads are worth a finding; optimisers keep counters with fewer."""

IDLE_USES = frozenset({Use.QUANTISED})
"""What nothing reads may have been learned, integers too: their bytes count as the original's."""

_EXPORTED = "_all_variables/"
_OPTIMISER = "optimizer/"
_PLAIN = (
    "plain = type(model).from_config(model.get_config()); plain.set_weights(model.get_weights()); "
)
_WITHOUT = _PLAIN + 'tf.saved_model.save(plain, "folder")'
_SIGNATURE_ALONE = (
    'save its signature alone: loaded = tf.saved_model.load("model"); '
    'serve = loaded.signatures["serving_default"]; '
    "module = tf.Module(); module.kept = list(serve.variables); "
    'tf.saved_model.save(module, "folder", signatures={"serving_default": serve})'
)


def fix_for_unused(names: Sequence[str]) -> str:
    """Return how to save a SavedModel without its unused ``names``, and what nothing reads."""
    if any(name.startswith(_EXPORTED) for name in names):
        return (
            f"model.export of Keras stores every value twice; save it with TensorFlow: {_WITHOUT}"
        )
    if any(_OPTIMISER in name for name in names):
        return f"save the model without its optimiser: {_WITHOUT}"
    return _SIGNATURE_ALONE


def fix_for_keras(names: Sequence[str]) -> str:
    """Return how to save without the unused ``names`` of a .keras file; "" if not known."""
    if any(name.startswith(_OPTIMISER) for name in names):
        return (
            'save the model without its optimiser: model.optimizer = None; model.save("net.keras")'
        )
    return ""
