"""TensorFlow's two formats, SavedModels and ``.keras`` files, run by TensorFlow on the CPU.

Use it like this::

    with SavedModelRuntime().open(source) as network:
        outputs = network.bind(decoded).run({"image": image})

How it is laid out: ``saved_model`` and ``keras_file`` read the formats, without TensorFlow as far
as that goes, and end with the same things: a graph, and values for its variables. ``operators``
says which operators a graph may have, ``graphs`` finds them, ``constants`` the values that a graph
holds itself, ``uses`` how operators read them, ``idle`` what nothing reads; ``pruning`` leaves out
what outputs do not need; ``computing`` runs the rest.
"""

from __future__ import annotations

from conformance.runtimes.tensorflow.keras_file import KerasRuntime
from conformance.runtimes.tensorflow.saved_model import SavedModelRuntime

__all__ = ["KerasRuntime", "SavedModelRuntime"]
