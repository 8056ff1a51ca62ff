"""The recurrent networks in NNEF, unrolled: one copy of the operations for each step.

NNEF has a fragment for a step of an LSTM but no loop; a step is written out in its basic
operations here, all with the same variables. Vectors are of shape (1, values) in NNEF, and the
size of the batch is fixed.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nnef
import numpy as np
from bundle_samples import Tensors
from lstm_network import BIASES, INPUT, MATRICES, OWN_GATES, Recurrence
from numpy.typing import NDArray

LABELS = {
    MATRICES[0]: "lstm/filter",
    MATRICES[1]: "lstm/recurrent_filter",
    BIASES[0]: "lstm/bias",
    BIASES[1]: "lstm/recurrent_bias",
    "dense.weight": "dense/filter",
    "dense.bias": "dense/bias",
}
"""The labels of the variables, by PyTorch's names."""


def nnef_parameters(weights: Tensors) -> Tensors:
    """Return the weights under the labels of the variables, in NNEF's shapes."""
    return {label: np.atleast_2d(weights[own]) for own, label in LABELS.items()}


def nnef_name_map(size: Recurrence) -> list[dict[str, Any]]:
    """Return how the tensors of a sample become :func:`nnef_parameters`."""
    extents = {BIASES[0]: 4 * size.hidden, BIASES[1]: 4 * size.hidden, "dense.bias": size.outputs}
    return [
        {"sample": own, "model": label} | ({"reshape": [1, extents[own]]} if own in extents else {})
        for own, label in LABELS.items()
    ]


def write_nnef(size: Recurrence, batch: int, folder: Path, parameters: Tensors) -> list[Path]:
    """Write ``graph.nnef`` and the ``.dat`` files and return their paths, the graph first."""
    graph = folder / "graph.nnef"
    graph.write_text(_graph_text(size, batch, parameters), "utf-8")
    files = [graph]
    for label, values in parameters.items():
        path = folder / f"{label}.dat"
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as target:
            nnef.write_tensor(target, np.ascontiguousarray(values))
        files.append(path)
    return files


def run_nnef(batch: int, files: list[Path], inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the output for ``inputs``, computed by NNEF's own interpreter, batch by batch."""
    from nnef_tools.interpreter.pytorch import Interpreter

    network = Interpreter(str(files[0].parent))
    parts = np.split(inputs, len(inputs) // batch)
    # The interpreter indexes by lists where PyTorch wants tuples.
    warnings.filterwarnings("ignore", "Using a non-tuple sequence", UserWarning)
    return np.concatenate([np.asarray(*network([part]).values()) for part in parts])


def _graph_text(size: Recurrence, batch: int, parameters: Tensors) -> str:
    external = f"external<scalar>(shape = [{batch}, {size.steps}, {size.features}])"
    lines = [f"{INPUT} = {external};"]
    lines += [
        f"{label.replace('/', '_')} = variable<scalar>(shape = {[*values.shape]}, "
        f"label = '{label}');"
        for label, values in parameters.items()
    ]
    zeros = f"constant<scalar>(shape = [{batch}, {size.hidden}], value = [0.0])"
    lines += [f"state0 = {zeros};", f"cell0 = {zeros};"]
    lines += [line for step in range(size.steps) for line in _step(size, step)]
    lines.append(f"{size.output} = linear(state{size.steps}, dense_filter, dense_bias);")
    body = "".join(f"    {line}\n" for line in lines)
    return f"version 1.0;\n\ngraph recurrent({INPUT}) -> ({size.output})\n{{\n{body}}}\n"


def _step(size: Recurrence, step: int) -> list[str]:
    """Return the statements that make ``state`` and ``cell`` of the next step."""
    parts = [
        f"{gate}{step} = slice(sums{step}, axes = [1], begin = [{number * size.hidden}], "
        f"end = [{(number + 1) * size.hidden}]);"
        for number, gate in enumerate(OWN_GATES)
    ]
    return [
        f"slice{step} = slice({INPUT}, axes = [1], begin = [{step}], end = [{step + 1}]);",
        f"item{step} = squeeze(slice{step}, axes = [1]);",
        f"entering{step} = linear(item{step}, lstm_filter, lstm_bias);",
        f"recurring{step} = linear(state{step}, lstm_recurrent_filter, lstm_recurrent_bias);",
        f"sums{step} = add(entering{step}, recurring{step});",
        *parts,
        f"enter{step} = sigmoid(i{step});",
        f"forget{step} = sigmoid(f{step});",
        f"new{step} = tanh(g{step});",
        f"leave{step} = sigmoid(o{step});",
        f"kept{step} = mul(forget{step}, cell{step});",
        f"added{step} = mul(enter{step}, new{step});",
        f"cell{step + 1} = add(kept{step}, added{step});",
        f"shown{step} = tanh(cell{step + 1});",
        f"state{step + 1} = mul(leave{step}, shown{step});",
    ]
