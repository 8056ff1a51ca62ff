"""The prototxt that OpenCV is given, while it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from conformance.runtimes.caffe.layers import Shape


@dataclass(frozen=True, slots=True)
class Use:
    """A parameter as a blob: its name, the shape it is given, and whether it is transposed."""

    parameter: str
    shape: Shape
    transposed: bool = False


@dataclass(slots=True)
class Sheet:
    """Lines of a prototxt, the blobs of its layers, and the shapes that they make."""

    lines: list[str] = field(default_factory=list)
    blobs: dict[str, tuple[Use, ...]] = field(default_factory=dict)
    shapes: dict[str, tuple[Shape, ...]] = field(default_factory=dict)
    _values: int = 0

    def input(self, shape: Shape) -> str:
        """Write an input, and return its name."""
        name = self._new()
        dims = _dims(shape)
        self.lines.append(
            f'layer {{ name: "in_{name}" type: "Input" top: "{name}" '
            f"input_param {{ shape {{ {dims} }} }} }}"
        )
        return name

    def layer(
        self,
        type: str,
        bottoms: Sequence[str],
        tops: Sequence[Shape],
        options: str = "",
        blobs: Sequence[Use] = (),
    ) -> list[str]:
        """Write a layer that makes values of the shapes ``tops``, and return their names.

        The layer has the name of the first: that is what OpenCV calls a Convolution anyway.
        """
        made = [self._new() for _ in tops]
        name = made[0]
        ends = "".join(f' bottom: "{b}"' for b in bottoms) + "".join(f' top: "{t}"' for t in made)
        self.lines.append(f'layer {{ name: "{name}" type: "{type}"{ends} {options} }}')
        self.shapes[name] = tuple(tops)
        if blobs:
            self.blobs[name] = tuple(blobs)
        return made

    def reshaped(self, value: str, old: Shape, new: Shape) -> str:
        """Return the name of ``value`` in another shape."""
        if old == new:
            return value
        options = f"reshape_param {{ shape {{ {_dims(new)} }} }}"
        return self.layer("Reshape", [value], [new], options)[0]

    def output(self, value: str, shape: Shape) -> str:
        """Write an output that nothing else reads, and return its name."""
        return self.layer("Split", [value], [shape])[0]

    def _new(self) -> str:
        self._values += 1
        return f"v{self._values}"


def _dims(shape: Shape) -> str:
    return " ".join(f"dim: {size}" for size in shape)
