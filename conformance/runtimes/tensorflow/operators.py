"""Which operators of TensorFlow may be in a graph: those that compute tensors from tensors.

A list of what is allowed, because TensorFlow has operators that read, write and list files, run
Python, open sockets and load libraries, and every release brings more.
"""

from __future__ import annotations

_CONTROL = """
    Case Identity IdentityN If NoOp PartitionedCall Placeholder PlaceholderWithDefault
    PreventGradient StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile StopGradient
    While Const GuaranteeConst Snapshot EnsureShape CheckNumerics
"""
_VARIABLES = "ReadVariableOp ResourceGather ResourceGatherNd VarHandleOp VariableShape"
_ELEMENTWISE = """
    Abs Acos Acosh Add AddN AddV2 Angle ApproximateEqual Asin Asinh Atan Atan2 Atanh BesselI0
    BesselI0e BesselI1 BesselI1e Betainc BiasAdd BiasAddV1 BitwiseAnd BitwiseOr BitwiseXor Cast
    Ceil ClipByValue Complex ComplexAbs Conj Cos Cosh Digamma Div DivNoNan Elu Equal Erf Erfc
    Erfinv Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual Igamma Igammac Imag Inv Invert
    IsFinite IsInf IsNan LeakyRelu LeftShift Less LessEqual Lgamma Log Log1p LogicalAnd LogicalNot
    LogicalOr Maximum Minimum Mod Mul MulNoNan Ndtri Neg NextAfter NotEqual OnesLike Polygamma
    PopulationCount Pow Real RealDiv Reciprocal Relu Relu6 RightShift Rint Round Rsqrt Select
    SelectV2 Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Square SquaredDifference Sub Tan
    Tanh TruncateDiv TruncateMod Xdivy Xlog1py Xlogy ZerosLike Zeta
"""
_REDUCTIONS = """
    All Any ArgMax ArgMin Bincount Bucketize Cumprod Cumsum CumulativeLogsumexp DenseBincount
    EuclideanNorm HistogramFixedWidth InTopK InTopKV2 L2Loss LogSoftmax Max Mean Min NthElement
    Prod SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum Softmax Sum TopK TopKV2 Unique
    UniqueV2 UniqueWithCounts UniqueWithCountsV2 UnsortedSegmentMax UnsortedSegmentMin
    UnsortedSegmentProd UnsortedSegmentSum Where LowerBound UpperBound
"""
_SHAPES = """
    BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastTo Concat ConcatOffset ConcatV2
    DataFormatDimMap DataFormatVecPermute DepthToSpace Diag DiagPart DynamicPartition
    DynamicStitch ExpandDims ExtractImagePatches ExtractVolumePatches Fill Gather GatherNd
    GatherV2 InvertPermutation LinSpace MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV2
    MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3
    MirrorPad OneHot Pack Pad PadV2 ParallelDynamicStitch Range Rank Reshape Reverse
    ReverseSequence ReverseV2 Roll ScatterNd Shape ShapeN Size Slice SpaceToBatch SpaceToBatchND
    SpaceToDepth Split SplitV Squeeze StridedSlice TensorScatterAdd TensorScatterMax
    TensorScatterMin TensorScatterSub TensorScatterUpdate TensorStridedSliceUpdate Tile Transpose
    ConjugateTranspose Unpack UnravelIndex ListDiff InplaceUpdate
"""
_NETWORKS = """
    AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchNormWithGlobalNormalization
    BlockLSTM BlockLSTMV2 Conv Conv2D Conv2DBackpropInput Conv3D Conv3DBackpropInputV2
    DepthwiseConv2dNative Dilation2D Einsum FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
    GRUBlockCell LRN LSTMBlockCell MatMul MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax
    SparseSoftmaxCrossEntropyWithLogits SoftmaxCrossEntropyWithLogits
"""
_QUANTISED = """
    Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel
    QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2
"""
_LINEAR_ALGEBRA = """
    BandedTriangularSolve Cholesky Cross FFT FFT2D FFT3D IFFT IFFT2D IFFT3D IRFFT IRFFT2D IRFFT3D
    LogMatrixDeterminant MatrixDeterminant MatrixInverse MatrixSolve MatrixTriangularSolve RFFT
    RFFT2D RFFT3D
"""
_IMAGES = """
    AdjustContrastv2 AdjustHue AdjustSaturation CombinedNonMaxSuppression CropAndResize HSVToRGB
    ImageProjectiveTransformV2 ImageProjectiveTransformV3 NonMaxSuppression NonMaxSuppressionV2
    NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 RGBToHSV ResizeArea ResizeBicubic
    ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate
"""
_LISTS = """
    EmptyTensorList TensorListConcatV2 TensorListElementShape TensorListFromTensor
    TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
    TensorListReserve TensorListResize TensorListScatterIntoExistingList TensorListScatterV2
    TensorListSetItem TensorListSplit TensorListStack
"""
_TEXTS = """
    AsString StringJoin StringLength StringLower StringStrip StringToHashBucketFast
    StringToHashBucketStrong StringToNumber StringUpper Substr
"""

COMPUTING = frozenset(
    " ".join(
        (
            *(_CONTROL, _VARIABLES, _ELEMENTWISE, _REDUCTIONS, _SHAPES, _NETWORKS, _QUANTISED),
            *(_LINEAR_ALGEBRA, _IMAGES, _LISTS, _TEXTS),
        )
    ).split()
)
"""What a network that is run may consist of: it touches nothing, and repeats itself exactly."""

_BESIDE = """
    AssignAddVariableOp AssignSubVariableOp AssignVariableOp DisableCopyOnRead VarIsInitializedOp
    RandomStandardNormal RandomUniform RandomUniformInt StatelessRandomGetAlg
    StatelessRandomGetKeyCounter StatelessRandomNormalV2 StatelessRandomUniformFullIntV2
    StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessTruncatedNormalV2
    TruncatedNormal
"""
IDLE = COMPUTING | frozenset(_BESIDE.split())
"""What may lie in a file next to the network, in functions that are never loaded or run."""

_SAVING = """
    MergeV2Checkpoints RestoreV2 SaveV2 ShardedFilename ShardedFilespec StaticRegexFullMatch
"""
SAVING = IDLE | frozenset(_SAVING.split())
"""What may be in the file's own functions for saving and restoring, which are never run here."""

_REACHING_OUT = """
    ReadFile WriteFile MatchingFiles ImmutableConst GenerateVocabRemapping LoadAndRemapMatrix
    InitializeTableFromTextFile InitializeTableFromTextFileV2 WholeFileReader WholeFileReaderV2
    TextLineReader TextLineReaderV2 FixedLengthRecordReader FixedLengthRecordReaderV2
    TFRecordReader TFRecordReaderV2 LMDBReader IdentityReader IdentityReaderV2 TextLineDataset
    TFRecordDataset TFRecordDatasetV2 FixedLengthRecordDataset FixedLengthRecordDatasetV2
    SaveDataset SaveDatasetV2 LoadDataset SnapshotDataset SnapshotDatasetV2 CacheDataset
    CacheDatasetV2 SqlDataset Save SaveSlices SaveV2 Restore RestoreSlice RestoreV2
    MergeV2Checkpoints DistributedSave FileSystemSetConfiguration PyFunc PyFuncStateless
    EagerPyFunc Print PrintV2 Assert Abort DumpTensor ImportEvent RemoteCall RpcCall RpcServer
    RpcClient Send Recv _Send _Recv SleepOp RegisterDataset RegisterDatasetV2 DataServiceDataset
    WriteAudioSummary WriteGraphSummary WriteHistogramSummary WriteImageSummary
    WriteRawProtoSummary WriteScalarSummary WriteSummary CreateSummaryFileWriter
    CreateSummaryDbWriter SummaryWriter DebugIdentity DebugIdentityV2 DebugIdentityV3
    DebugNanCount DebugNumericSummary DebugNumericSummaryV2 Copy CopyHost
    CalibrationStatisticsSaver CustomAggregator AudioMicrofrontend ComposeTPUEmbeddingCheckpoint
"""
REACHING_OUT = frozenset(_REACHING_OUT.split())
"""Operators that reach out of the network: files, Python, other processes, the log."""
