"""What a caller of the encoder decides: about a stream, and about the levels of one tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.options import Interpretation
from conformance.nnc.planning import Role

ParentId: TypeAlias = Literal["node", "sha256", "sha512"]
Initialisation: TypeAlias = Literal["best", "zero"] | Sequence[int]


@dataclass(frozen=True, slots=True)
class Block:
    """Tensors that belong together: ``members`` has their names by role.

    A block has a ``weight``, or ``G`` and ``H`` whose product has the ``shape`` of the weight
    (without it the shape of the product), and one or more of the other roles. It becomes one unit
    of type BLOCK, or with ``piecewise`` one unit of type FLOAT for each member.
    """

    members: Mapping[Role, str]
    shape: tuple[int, ...] | None = None
    piecewise: bool = False


@dataclass(frozen=True, slots=True)
class LayerParameters:
    """A layer parameter set: qp density and quantization parameter from a unit onwards."""

    qp_density: int
    quantization_parameter: int = 0


@dataclass(frozen=True, slots=True)
class Quantization:
    """How float tensors become levels.

    ``qp`` is the quantization parameter, ``qps`` that of single tensors by name; ``qp_density``
    and ``base_qp`` (which every coded parameter is relative to) are those of the model parameter
    set. ``dependent`` uses the trellis, with ``lagrangian`` squared steps a bit. A positive
    ``codebook_size`` gives weights a codebook of at most so many entries, and turns ``dependent``
    off. ``raw`` names tensors that are stored as float32.
    """

    qp: int = -38
    qps: Mapping[str, int] = field(default_factory=dict)
    qp_density: int = 2
    base_qp: int = 0
    dependent: bool = False
    lagrangian: float = 0.1
    codebook_size: int = 0
    raw: frozenset[str] = frozenset()

    @property
    def trellis(self) -> bool:
        """Whether float levels are coded on the trellis."""
        return self.dependent and self.codebook_size == 0

    def qp_of(self, name: str) -> int:
        """Return the quantization parameter of a tensor."""
        return self.qps.get(name, self.qp)


@dataclass(frozen=True, slots=True)
class LevelSettings:
    """How levels are coded: the tools of the level syntax.

    ``scan_order`` applies to tensors of two or more rows and columns. ``row_skip`` and ``history``
    (history-dependent significance) need profile 1, the latter an update.
    """

    scan_order: int = 0
    unary_length: int = 10
    row_skip: bool = False
    history: bool = False
    initialisation: Initialisation = "best"


@dataclass(frozen=True, slots=True)
class UpdateSettings:
    """How a stream of differences refers to the streams before it.

    ``temporal`` turns on temporal contexts where the state has a reference. ``parent_id`` is how
    a parent is named; for hashes ``parent_digests`` has the hexadecimal digest by the name of the
    unit's first tensor. Tensors whose levels are all 0 are left out unless ``keep_zero``.
    """

    temporal: bool = False
    parent_id: ParentId = "node"
    parent_digests: Mapping[str, str] = field(default_factory=dict)
    keep_zero: bool = False


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """Everything about a stream but its tensors.

    ``update`` makes it a stream of differences. ``device_id`` is part of the node ids that are
    written in profile 1 unless ``node_ids`` is off. ``dimensions_in_stream`` off leaves the
    dimensions to the decoder's caller; ``indexed_references`` writes a list of names and indices
    into it. ``layers`` has layer parameter sets by the first tensor of the unit that they precede.
    ``parameter_set`` and ``unit`` are further values of the MPS and of every compressed data unit,
    and override those written otherwise.
    """

    profile: int = 1
    interpretation: Interpretation = Interpretation()  # noqa: RUF009 - it is frozen
    quantization: Quantization = Quantization()
    levels: LevelSettings = LevelSettings()
    update: UpdateSettings | None = None
    blocks: tuple[Block, ...] = ()
    layers: Mapping[str, LayerParameters] = field(default_factory=dict)
    device_id: int = 0
    node_ids: bool = True
    dimensions_in_stream: bool = True
    indexed_references: bool = False
    parameter_set: Mapping[str, object] = field(default_factory=dict)
    unit: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.profile != 1 and self.update is not None:
            raise ValueError("updates need profile 1")
        if self.profile != 0 and self.interpretation.dialect == "nncodec-1.0":
            raise ValueError("NNCodec 1.0 writes profile 0")


@dataclass(frozen=True, slots=True)
class LevelTools:
    """The encoder's choices for one tensor.

    ``skipped`` has one flag per matrix row (all its levels are 0 then); None leaves row skipping
    off. ``history_flag`` turns history-dependent significance on. ``initialisation`` is the index
    of every initialised model: the cheapest, all 0, or one value (0 to 8) each in stream order.
    """

    skipped: NDArray[np.bool_] | None = None
    history_flag: bool = False
    initialisation: Initialisation = "best"


NO_TOOLS = LevelTools()
