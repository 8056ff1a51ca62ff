"""Which classes and functions of Keras a configuration may name: those that only compute.

A list of what is allowed, by module and class. Layers that hold code (Lambda), load other models
(TFSMLayer, TorchModuleWrapper), read vocabularies from files, keep state from call to call or draw
random numbers at inference are not on it, nor is anything that is not Keras' own.
"""

from __future__ import annotations

from collections.abc import Mapping

_LAYERS = """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add
    AdditiveAttention AlphaDropout Attention Average AveragePooling1D AveragePooling2D
    AveragePooling3D BatchNormalization Bidirectional CategoryEncoding CenterCrop Concatenate
    Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D
    ConvLSTM3D Cropping1D Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D
    Discretization Dot Dropout ELU EinsumDense Embedding Flatten GRU GRUCell GaussianDropout
    GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization
    GroupQueryAttention Identity InputLayer LSTM LSTMCell LayerNormalization LeakyReLU Masking
    MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MultiHeadAttention Multiply
    Normalization PReLU Permute RMSNormalization RNN ReLU RepeatVector Rescaling Reshape Resizing
    ReversibleEmbedding SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax
    SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells
    Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D
    ZeroPadding1D ZeroPadding2D ZeroPadding3D
"""
_INITIALIZERS = """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer
    LecunNormal LecunUniform Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform
    TruncatedNormal VarianceScaling Zeros
"""
_ARITHMETIC = """
    Abs Absolute Add All Amax Amin Any Arange Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh
    Argmax Argmin Average BitwiseAnd BitwiseInvert BitwiseNot BitwiseOr BitwiseXor BroadcastTo
    Ceil Clip Concatenate Cos Cosh CountNonzero Cross Cumprod Cumsum Diag Diagonal Diff Digitize
    Divide DivideNoNan Dot Einsum Equal Exp Exp2 ExpandDims Expm1 Flip Floor FloorDivide Full
    FullLike GetItem Greater GreaterEqual Hstack Inner Isfinite Isinf Isnan Less LessEqual
    Linspace Log Log10 Log1p Log2 Logaddexp LogicalAnd LogicalNot LogicalOr LogicalXor Matmul Max
    Maximum Mean Median Meshgrid Min Minimum Mod Moveaxis Multiply NanToNum Ndim Negative NotEqual
    OnesLike Outer Pad Power Prod Ravel Real Reciprocal Repeat Reshape Roll Round Select Sign Sin
    Sinh Size Sort Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take TakeAlongAxis
    Tan Tanh Tensordot Tile Trace Transpose Tril Triu TrueDivide Trunc Var Vdot Vstack Where
    ZerosLike
"""
_NETWORKS = """
    AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm Celu Conv ConvTranspose DepthToSpace
    DepthwiseConv DotProductAttention Elu Gelu Glu HardShrink HardSigmoid HardSilu HardTanh
    LayerNorm LeakyRelu LogSigmoid LogSoftmax MaxPool Moments MultiHot Normalize OneHot RMSNorm
    Relu Relu6 Selu SeparableConv Sigmoid Silu SoftShrink Softmax Softplus Softsign SpaceToDepth
    SparsePlus SparseSigmoid Sparsemax Squareplus TanhShrink Threshold
"""
_ACTIVATIONS = """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
    leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
    softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
    tanh_shrink threshold
"""
_INITIALIZER_NAMES = """
    constant glorot_normal glorot_uniform he_normal he_uniform identity lecun_normal lecun_uniform
    ones orthogonal random_normal random_uniform truncated_normal variance_scaling zeros
"""

CLASSES: Mapping[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "keras": "Sequential Functional DTypePolicy",
        "keras.models": "Sequential Functional",
        "keras.src.models.sequential": "Sequential",
        "keras.src.models.functional": "Functional",
        "keras.dtype_policies": "DTypePolicy",
        "keras.layers": _LAYERS,
        "keras.initializers": _INITIALIZERS,
        "keras.regularizers": "L1 L1L2 L2 OrthogonalRegularizer",
        "keras.constraints": "MaxNorm MinMaxNorm NonNeg UnitNorm",
        "keras.src.ops.numpy": _ARITHMETIC,
        "keras.src.ops.nn": _NETWORKS,
        "keras.src.ops.core": "Cast SaturateCast Slice StopGradient Unstack",
        "keras.src.ops.math": "Erf Erfc Logsumexp Rsqrt SegmentMax SegmentMin SegmentSum TopK",
        "keras.src.ops.linalg": "Norm",
        "keras.src.ops.image": "CropImages ExtractPatches PadImages RGBToGrayscale Resize",
    }.items()
}
"""The allowed classes, by the module that a configuration gives for them."""

MODELS = frozenset({"Sequential", "Functional"})
"""What a file may hold."""

VALUES = frozenset(
    {"__keras_tensor__", "__tensor__", "__numpy__", "__slice__", "__ellipsis__", "__tuple__"}
)
"""Classes that stand for a value, not for an object of Keras."""

NAMES: Mapping[str, frozenset[str]] = {
    "activation": frozenset(_ACTIVATIONS.split()),
    "initializer": frozenset((_INITIALIZERS + _INITIALIZER_NAMES).split()),
    "regularizer": frozenset({"l1", "l2", "l1_l2", "L1", "L2", "L1L2"}),
    "constraint": frozenset(
        {"max_norm", "min_max_norm", "non_neg", "unit_norm", "MaxNorm", "MinMaxNorm", "NonNeg"}
    )
    | {"UnitNorm"},
}
"""The names that a setting may have instead of a class, by the end of the setting's own name."""

CARRIERS = frozenset(
    {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
)
"""Classes that carry code, or load it."""
