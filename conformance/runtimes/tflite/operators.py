"""The builtin operators of TFLite by their numbers, and those that leave every verdict open."""

from __future__ import annotations

from collections.abc import Mapping

_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6
RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL
CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST
PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN
TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK
REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR
LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS
WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG
REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL
BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD
UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR
RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM
STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM
STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG
STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER
STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER
STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE
STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT
STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR
REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""

NAMES: tuple[str, ...] = tuple(_NAMES.split())
"""The names of the builtin operators of LiteRT 2.3 by their number."""

CUSTOM = "CUSTOM"

RANDOM = frozenset(
    {"RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM", "MULTINOMIAL", "STABLEHLO_RNG_BIT_GENERATOR"}
)
"""Operators that draw random numbers: a seeded generator too goes on from run to run."""

ASSIGN = "ASSIGN_VARIABLE"
RESOURCES = frozenset(
    {
        *("VAR_HANDLE", "READ_VARIABLE", ASSIGN, "CALL_ONCE"),
        *("HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE"),
    }
)
"""Operators on resources, whose content outlives a run and is not a tensor of the file."""

FOREIGN = frozenset({CUSTOM, "DELEGATE", "STABLEHLO_CUSTOM_CALL"})
"""Operators whose code is not part of the runtime."""

CALLS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "CALL": ("CallOptions", ("subgraph",)),
    "IF": ("IfOptions", ("then_subgraph_index", "else_subgraph_index")),
    "WHILE": ("WhileOptions", ("cond_subgraph_index", "body_subgraph_index")),
    "STABLEHLO_CASE": ("StablehloCaseOptions", ("branch_subgraph_indices",)),
    "STABLEHLO_COMPOSITE": ("StableHLOCompositeOptions", ("decomposition_subgraph_index",)),
    "STABLEHLO_REDUCE": ("StablehloReduceOptions", ("body_subgraph_index",)),
    "STABLEHLO_REDUCE_WINDOW": ("StablehloReduceWindowOptions", ("body_subgraph_index",)),
    "STABLEHLO_SCATTER": ("StablehloScatterOptions", ("update_computation_subgraph_index",)),
    "STABLEHLO_SORT": ("StablehloSortOptions", ("comparator_subgraph_index",)),
    "STABLEHLO_WHILE": (
        "StablehloWhileOptions",
        ("cond_subgraph_index", "body_subgraph_index"),
    ),
}
"""The operators that run other subgraphs: their options, and the fields that say which."""

BIASES: Mapping[str, int] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_3D"), 2),
    **dict.fromkeys(("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE"), 3),
}
"""Which input of an operator is its bias: integers there are parameters."""

_OF_LSTM = (1, 5, 9, 10, 11, 12, 16, 17)

OPTIONAL: Mapping[str, tuple[int, ...]] = {
    **{name: (position,) for name, position in BIASES.items()},
    "SVDF": (3,),
    **dict.fromkeys(("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"), (*_OF_LSTM, 20, 21, 22, 23)),
    "BIDIRECTIONAL_SEQUENCE_LSTM": (
        *_OF_LSTM,
        *(each + 17 for each in _OF_LSTM),
        *range(39, 48),
    ),
    "BIDIRECTIONAL_SEQUENCE_RNN": (9, 10, 11),
}
"""Which inputs of an operator may be left out; native code follows the others without looking."""

OPERANDS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("RESHAPE", "TRANSPOSE", "TILE", "BROADCAST_TO", "EXPAND_DIMS"), (1,)),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), (1,)),
    **dict.fromkeys(("PAD", "MIRROR_PAD", "REVERSE_V2", "CUMSUM", "RFFT2D", "TOPK_V2"), (1,)),
    **dict.fromkeys(("MEAN", "SUM", "ARG_MAX", "ARG_MIN", "REVERSE_SEQUENCE"), (1,)),
    **dict.fromkeys(("REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL"), (1,)),
    **dict.fromkeys(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), (1, 2)),
    **dict.fromkeys(("SLICE", "PADV2", "SPLIT_V", "DILATE"), (1, 2)),
    **dict.fromkeys(("SPLIT", "FILL", "TRANSPOSE_CONV", "CONV_3D_TRANSPOSE"), (0,)),
    **dict.fromkeys(("SCATTER_ND", "DYNAMIC_UPDATE_SLICE"), (2,)),
    **dict.fromkeys(("UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_MIN"), (2,)),
    **dict.fromkeys(("UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_SUM"), (2,)),
    **dict.fromkeys(("BROADCAST_ARGS", "SPARSE_TO_DENSE"), (0, 1)),
    **dict.fromkeys(("STRIDED_SLICE", "ONE_HOT"), (1, 2, 3)),
    "RANGE": (0, 1, 2),
    "STABLEHLO_CLAMP": (0, 2),
    "STABLEHLO_PAD": (1,),
    "STABLEHLO_DYNAMIC_SLICE": tuple(range(1, 10)),
    "STABLEHLO_DYNAMIC_UPDATE_SLICE": tuple(range(2, 11)),
}
"""Which inputs of an operator say shape, slice, padding, size, range, bound or axis."""

PASSED: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("DEQUANTIZE", "DENSIFY", "CAST", "RESHAPE", "TRANSPOSE", "SQUEEZE"), (0,)),
    **dict.fromkeys(("EXPAND_DIMS", "SLICE", "STRIDED_SLICE", "BROADCAST_TO", "TILE"), (0,)),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD", "REVERSE_V2", "SPLIT_V", "UNPACK"), (0,)),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), (0,)),
    **dict.fromkeys(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), (0,)),
    **dict.fromkeys(("STABLEHLO_RESHAPE", "STABLEHLO_TRANSPOSE", "STABLEHLO_SLICE"), (0,)),
    **dict.fromkeys(("STABLEHLO_BROADCAST_IN_DIM", "STABLEHLO_CONVERT", "STABLEHLO_PAD"), (0,)),
    **dict.fromkeys(("FILL", "SPLIT"), (1,)),
    **dict.fromkeys(("CONCATENATION", "PACK", "STABLEHLO_CONCATENATE"), ()),
}
"""Which inputs of an operator have their elements in its outputs, in a different order, shape or
type; an empty tuple stands for all."""

TABLES: Mapping[str, int] = {
    **dict.fromkeys(("GATHER", "GATHER_ND"), 0),
    "EMBEDDING_LOOKUP": 1,
}
"""Which input of an operator is looked up in; the other one of the first two has the indices."""
