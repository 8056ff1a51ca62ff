"""The operators of ONNX and ONNX Runtime that read quantised numbers, and where their scales are.

A test compares this list with the operators that the installed ONNX Runtime registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

INTEGER, DYNAMIC, NBITS = "integer-operators", "dynamic", "matmulnbits"


@dataclass(frozen=True, slots=True)
class Quantised:
    """What is known of an operator.

    ``scales`` are pairs of inputs: quantised numbers, and their scale or, where the operator has
    none, their zero point. ``tools`` are the features that its use is; those in ``implied`` may be
    declared and need not be. ``by_blocks`` operators quantise in blocks always, so that how their
    scales run need not be declared. If ``scaled_after``, other operators multiply by the scale. If
    ``per_direction``, axis 0 of the scales counts the directions of a recurrent layer.
    """

    scales: tuple[tuple[int, int], ...] = ()
    tools: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()
    by_blocks: bool = False
    scaled_after: bool = False
    per_direction: bool = False


_ACTIVATION = Quantised(((0, 1),), implied=(INTEGER,))
_TWO_OPERANDS = Quantised(((0, 1), (3, 4)), implied=(INTEGER,))
_CACHE = Quantised()
"""Attention over a cache: scales of what a run keeps, none of stored numbers."""


def _by_blocks(*scales: tuple[int, int], tools: tuple[str, ...] = ()) -> Quantised:
    return Quantised(scales, tools, implied=("weight-only", "blockwise"), by_blocks=True)


QUANTISED: Mapping[str, Quantised] = {
    "DequantizeLinear": Quantised(((0, 1),)),
    "QuantizeLinear": Quantised(((0, 1),), ("qdq",)),
    "DynamicQuantizeLinear": Quantised(tools=(DYNAMIC,)),
    "DequantizeWithOrder": Quantised(((0, 1),)),
    "QuantizeWithOrder": Quantised(((0, 1),), implied=("qdq",)),
    "QuantizeBFP": Quantised(),
    "DequantizeBFP": Quantised(),
    # Products of integers.
    "QLinearConv": Quantised(((0, 1), (3, 4)), (INTEGER,)),
    "QLinearConvTranspose": _TWO_OPERANDS,
    "QLinearMatMul": Quantised(((0, 1), (3, 4)), (INTEGER,)),
    "ConvInteger": Quantised(((1, 3),), (INTEGER,), scaled_after=True),
    "MatMulInteger": Quantised(((0, 2), (1, 3)), (INTEGER,), scaled_after=True),
    "MatMulInteger16": Quantised(implied=(INTEGER,), scaled_after=True),
    "MatMulIntegerToFloat": Quantised(((0, 2), (1, 3)), implied=(INTEGER, DYNAMIC)),
    "DynamicQuantizeMatMul": Quantised(((1, 2),), implied=(INTEGER, DYNAMIC)),
    "DynamicQuantizeLSTM": Quantised(
        ((1, 8), (2, 10)), implied=(INTEGER, DYNAMIC), per_direction=True
    ),
    "QGemm": _TWO_OPERANDS,
    "QAttention": Quantised(((0, 3), (1, 4)), implied=(INTEGER, DYNAMIC)),
    "QEmbedLayerNormalization": Quantised(
        ((2, 8), (3, 9), (4, 10), (5, 11), (6, 12)), implied=(INTEGER, "weight-only")
    ),
    "MulInteger": Quantised(((0, 1), (2, 3)), implied=(INTEGER,), scaled_after=True),
    "ReduceSumInteger": Quantised(implied=(INTEGER,), scaled_after=True),
    "GemmFloat8": Quantised(((0, 3), (1, 4))),
    # Integers, element by element.
    "QLinearAdd": _TWO_OPERANDS,
    "QLinearMul": _TWO_OPERANDS,
    "QLinearAveragePool": _ACTIVATION,
    "QLinearConcat": Quantised(implied=(INTEGER,)),
    "QLinearGlobalAveragePool": _ACTIVATION,
    "QLinearLeakyRelu": _ACTIVATION,
    "QLinearReduceMean": _ACTIVATION,
    "QLinearSigmoid": _ACTIVATION,
    "QLinearSoftmax": _ACTIVATION,
    "QLinearWhere": Quantised(((1, 2), (4, 5)), implied=(INTEGER,)),
    "QOrderedAttention": Quantised(((0, 1), (5, 8), (6, 9), (7, 10)), implied=(INTEGER,)),
    "QOrderedGelu": _ACTIVATION,
    "QOrderedLayerNormalization": _ACTIVATION,
    "QOrderedLongformerAttention": Quantised(((0, 1), (2, 3), (4, 5), (8, 9)), implied=(INTEGER,)),
    "QOrderedMatMul": Quantised(((0, 1), (2, 3)), implied=(INTEGER,)),
    # Weights in blocks, or by channel where one block is the whole channel.
    "MatMulNBits": _by_blocks((1, 2), tools=(NBITS,)),
    "MatMulNBitsMlp": _by_blocks((3, 4), (6, 7)),
    "MatMulNBitsQLoRA": _by_blocks((1, 2), (3, 4), (5, 6)),
    "MatMulNBitsQkv": _by_blocks((3, 4), (6, 7), (9, 10)),
    "MatMulBnb4": _by_blocks((1, 2)),
    "MatMulFpQ4": _by_blocks(),
    "MatMulPacked": _by_blocks((1, 2)),
    "MatMulBlockQuantizedFp4Weight": _by_blocks((1, 2), (1, 3)),
    "MatMulBlockQuantizedFp8Weight": _by_blocks((0, 3), (1, 2)),
    "GatherBlockQuantized": _by_blocks((0, 2)),
    "GatherPacked": _by_blocks(),
    "MoEPacked": _by_blocks(),
    "QMoE": _by_blocks((2, 3), (5, 6), (8, 9)),
    # Caches.
    "DynamicSparseAttention": _CACHE,
    "GroupQueryAttention": _CACHE,
    "PagedAttention": _CACHE,
    "SparsePagedAttention": _CACHE,
}
