"""A network of one layer, and what it must compute."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.runtimes.caffe import files

IMAGE = (2, 4, 7, 6)


@dataclass
class Case:
    """A layer ``type`` with ``options``; ``expected`` takes inputs, then learned blobs.

    ``made`` is the number of outputs, ``positive`` asks for inputs above zero.
    """

    id: str
    type: str
    options: str
    expected: Callable
    shapes: tuple = (IMAGE,)
    blobs: tuple = ()
    made: int = 1
    positive: bool = False
    values: Callable | None = field(default=None)

    @property
    def text(self):
        names = [f"x{place}" for place in range(len(self.shapes))]
        bottoms = " ".join(f'bottom: "{name}"' for name in names)
        tops = " ".join(f'top: "y{place}"' for place in range(self.made))
        return (
            files.inputs(**dict(zip(names, self.shapes, strict=True)))
            + f'\nlayer {{ name: "l" type: "{self.type}" {bottoms} {tops} {self.options} }}'
        )

    def inputs(self, seed=0):
        if self.values:
            return {f"x{i}": array for i, array in enumerate(self.values())}
        rng = np.random.default_rng(seed)
        made = {f"x{i}": rng.normal(size=s).astype(np.float32) for i, s in enumerate(self.shapes)}
        return {
            name: np.abs(array) + 0.5 if self.positive else array for name, array in made.items()
        }

    def learned(self, seed=1):
        rng = np.random.default_rng(seed)
        return [
            rng.uniform(0.2, 1.0, size=shape).astype(np.float32)
            * (1 if self.type == "BatchNorm" else rng.choice([-1, 1], size=shape))
            for shape in self.blobs
        ]

    def model(self, blobs):
        return {"l": [np.float32(b) for b in blobs]} if self.blobs else {}


def simple(id, type, options, expected, *shapes, **more):
    return Case(id, type, options, expected, shapes or (IMAGE,), **more)
