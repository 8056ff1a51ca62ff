"""What operators read from each of their inputs: weights, rows to look up, operands, elements.

Domains are those of ONNX and the contributed operators of ONNX Runtime, which have some operators
in common; a custom domain has local functions, which are followed instead.
"""

from __future__ import annotations

import sys

from onnx import NodeProto

from conformance.runtimes.onnx.functions import STANDARD
from conformance.runtimes.roles import Use

CONTRIBUTED = "com.microsoft"
_ALL = range(sys.maxsize)

_OPERANDS = {
    **dict.fromkeys(("AffineGrid", "CenterCropPad", "Expand", "ExpandDims"), (1,)),
    **dict.fromkeys(("CumProd", "CumSum", "ReverseSequence", "SequenceAt", "SequenceErase"), (1,)),
    **dict.fromkeys(("Reshape", "Split", "SplitToSequence", "Squeeze", "TopK", "Trilu"), (1,)),
    **dict.fromkeys(("Unsqueeze", "Upsample", "CastLike", "Compress"), (1,)),
    **dict.fromkeys(("Tile", "Dropout", "Clip", "OneHot", "Col2Im", "DFT"), (1, 2)),
    **dict.fromkeys(("Pad", "Resize"), (1, 2, 3)),
    **dict.fromkeys(("Slice", "DynamicSlice"), (1, 2, 3, 4)),
    **dict.fromkeys(("BlackmanWindow", "HammingWindow", "HannWindow", "ConstantOfShape"), (0,)),
    **dict.fromkeys(("If", "Where"), (0,)),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (4,)),
    "Loop": (0, 1),
    "Range": (0, 1, 2),
    "MelWeightMatrix": (0, 1, 2, 3, 4),
    "NonMaxSuppression": (2, 3, 4),
    "STFT": (1, 3),
    "MaxUnpool": (2,),
    "SequenceInsert": (2,),
    "ConvTransposeWithDynamicPads": (2,),
    "CropAndResize": (3,),
    "DequantizeBFP": (1, 2),
    "MatMulFpQ4": (2,),
    "DynamicQuantizeLSTM": (4,),
}
_SETTINGS = {
    "Upsample": frozenset({"scales"}),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), frozenset({"activation_alpha", "activation_beta"})),
}

_PASSED = {
    **dict.fromkeys(("Identity", "Reshape", "Transpose", "Slice", "DynamicSlice", "Cast"), (0,)),
    **dict.fromkeys(("CastLike", "BitCast", "Unsqueeze", "Squeeze", "ExpandDims", "Expand"), (0,)),
    **dict.fromkeys(("Flatten", "Tile", "Pad", "Split", "DepthToSpace", "SpaceToDepth"), (0,)),
    **dict.fromkeys(("Trilu", "ReverseSequence", "CenterCropPad", "Compress", "Dropout"), (0,)),
    **dict.fromkeys(("Gather", "GatherElements", "GatherND", "SplitToSequence"), (0,)),
    **dict.fromkeys(("SequenceAt", "SequenceErase", "ConcatFromSequence"), (0,)),
    **dict.fromkeys(("Optional", "OptionalGetElement"), (0,)),
    **dict.fromkeys(("Concat", "SequenceConstruct"), _ALL),
    **dict.fromkeys(("Scatter", "ScatterElements", "ScatterND"), (0, 2)),
    **dict.fromkeys(("SequenceInsert", "TensorScatter"), (0, 1)),
    "Where": (1, 2),
}

_LOOKUPS = {"Gather": 1, "GatherND": 1, "TorchEmbedding": 1}
"""Operators that look up rows of their first input, and which input says which rows."""

QUANTISED: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "ConvInteger", "MatMulInteger"), ()),
    **dict.fromkeys(("QLinearConv", "QLinearConvTranspose", "QLinearMatMul", "QGemm"), ()),
    **dict.fromkeys(("QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearLeakyRelu"), ()),
    **dict.fromkeys(("QLinearSigmoid", "QLinearSoftmax", "QLinearReduceMean"), ()),
    **dict.fromkeys(("QLinearAveragePool", "QLinearGlobalAveragePool"), ()),
    **dict.fromkeys(("MulInteger", "ReduceSumInteger", "MatMulInteger16"), ()),
    **dict.fromkeys(("MatMulIntegerToFloat", "DynamicQuantizeMatMul"), ()),
    **dict.fromkeys(("MatMulBnb4", "MatMulNBitsMlp", "MatMulNBitsQkv", "MatMulNBitsQLoRA"), ()),
    **dict.fromkeys(("MatMulBlockQuantizedFp4Weight", "MatMulBlockQuantizedFp8Weight"), ()),
    **dict.fromkeys(("MatMulPacked", "MoEPacked", "QMoE", "QuantizeBFP"), ()),
    **dict.fromkeys(("QuantizeWithOrder", "DequantizeWithOrder", "QOrderedGelu"), ()),
    **dict.fromkeys(("QOrderedMatMul", "QOrderedLayerNormalization"), ()),
    **dict.fromkeys(("GatherBlockQuantized", "GatherPacked"), (1,)),
    "QLinearWhere": (0,),
    "MatMulNBits": (4,),
    "MatMulFpQ4": (2,),
    "DequantizeBFP": (1, 2),
    "DynamicQuantizeLSTM": (4,),
    "QAttention": (5,),
    "QEmbedLayerNormalization": (0, 1, 7),
    "QOrderedAttention": (17, 19),
    "QOrderedLongformerAttention": (7, 12),
}
"""Quantised operators, and those of their inputs that are not a weight, bias or zero point."""


DYNAMIC = frozenset(
    {
        "DynamicQuantizeLinear",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "MatMulIntegerToFloat",
    }
)
"""Operators that quantise activations by the range that they have in the batch, or their second
half: without its own batch an item would depend on those next to it."""


def use_of(node: NodeProto, position: int) -> Use | None:
    """Return how a node uses what it reads at ``position``; None if it hands the elements on."""
    name = node.op_type if node.domain in (*STANDARD, CONTRIBUTED) else ""
    if position in _PASSED.get(name, ()):
        return None
    if position in _OPERANDS.get(name, ()) or (position and name.startswith("Reduce")):
        return Use.OPERAND
    if name in QUANTISED and position not in QUANTISED[name]:
        return Use.QUANTISED
    return Use.VALUE


def use_of_attribute(node: NodeProto, name: str) -> Use:
    """Return how a node uses the tensor or list of floats in an attribute."""
    is_setting = node.domain in STANDARD and name in _SETTINGS.get(node.op_type, ())
    return Use.OPERAND if is_setting else Use.VALUE


def rows_looked_up(node: NodeProto) -> int | None:
    """Return the position of the indices if a node looks up rows of its first input, else None."""
    if node.domain not in (*STANDARD, CONTRIBUTED) or node.op_type not in _LOOKUPS:
        return None
    is_other_axis = any(each.name in ("axis", "batch_dims") and each.i for each in node.attribute)
    position = _LOOKUPS[node.op_type]
    return None if is_other_axis or len(node.input) <= position else position
