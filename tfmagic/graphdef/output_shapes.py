"""Which inputs of an operation decide the shape of its results by their values, and not by their shapes alone.

Every input of an operation that is not listed counts as one that does, which is the safe
side. `tests/graphdef/test_output_shapes.py` goes through all operations of TensorFlow.
"""

from __future__ import annotations

TELLS_SHAPE = frozenset(
    {"Shape", "ShapeN", "Size", "Rank", "TensorListLength", "TensorListElementShape"}
    | {f"TensorArraySize{version}" for version in ("", "V2", "V3")}
)
"""Their results depend on the shape of the input, and not on its values."""

LIKE = frozenset({"ZerosLike", "OnesLike"})
"""Their results have the shape of the input, and do not depend on its values."""

# No input decides the shape by its value.
_BY_NONE = (
    # One result for each element; the smaller of two inputs is broadcast.
    "Abs AccumulateNV2 Acos Acosh Add AddN AddV2 Angle ApproximateEqual Asin Asinh Atan Atan2 Atanh BesselI0 BesselI0e",
    "BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1 Betainc Bitcast",
    "BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs Bucketize Cast Ceil CheckNumerics CheckNumericsV2 ClipByValue",
    "Complex ComplexAbs Conj Cos Cosh Cross DataFormatDimMap DataFormatVecPermute Dawsn Digamma Div DivNoNan Elu",
    "EluGrad Equal Erf Erfc Erfinv Exp Expint Expm1 Floor FloorDiv FloorMod FresnelCos FresnelSin Greater GreaterEqual",
    "Igamma IgammaGradA Igammac Imag Inv InvGrad Invert IsFinite IsInf IsNan LeakyRelu LeakyReluGrad LeftShift Less",
    "LessEqual Lgamma Log Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod Mul MulNoNan Ndtri Neg NextAfter",
    "NotEqual Polygamma PopulationCount Pow Real RealDiv Reciprocal ReciprocalGrad Relu Relu6 Relu6Grad ReluGrad",
    "RightShift Rint Round Rsqrt RsqrtGrad Select SelectV2 Selu SeluGrad Sigmoid SigmoidGrad Sign Sin Sinh Softplus",
    "SoftplusGrad Softsign SoftsignGrad Spence Sqrt SqrtGrad Square SquaredDifference StochasticCastToInt Sub Tan Tanh",
    "TanhGrad TruncateDiv TruncateMod Xdivy Xlog1py Xlogy Zeta FakeQuantWithMinMaxArgs FakeQuantWithMinMaxArgsGradient",
    "FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsGradient FakeQuantWithMinMaxVarsPerChannel",
    "FakeQuantWithMinMaxVarsPerChannelGradient",
    # They forward an input. Operations of loops and branches forward whichever input is there: `Switch`, below,
    # chooses it.
    "CheckPinned Copy CopyHost DebugIdentity DebugIdentityV2 DebugIdentityV3 DebugGradientIdentity DeepCopy",
    "EnsureShape Enter Exit GuaranteeConst Identity IdentityN Merge NextIteration PlaceholderWithDefault",
    "PreventGradient Print RefEnter RefExit RefIdentity RefMerge RefNextIteration Snapshot StopGradient",
    # One text, number or list of a fixed length for each text.
    "AsString DecodeBase64 DecodeCSV DecodeCompressed DecodeJSONExample EncodeBase64 RegexFullMatch RegexReplace",
    "StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin StringLength StringLower StringStrip",
    "StringToHashBucket StringToHashBucketFast StringToHashBucketStrong StringToNumber StringUpper Substr",
    "UnicodeScript UnicodeTranscode LookupTableFind LookupTableFindV2 EncodeJpeg EncodeJpegVariableQuality EncodePng",
    "EncodeWav ExtractJpegShape SerializeTensor",
    # Products and factors of matrices. None is cut to its rank. Where the matrix is an input, the choice of
    # diagonals changes no shape.
    "BandedTriangularSolve BatchMatMul BatchMatMulV2 BatchMatMulV3 Cholesky CholeskyGrad Diag DiagPart Eig Einsum",
    "LogMatrixDeterminant Lu MatMul MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart MatrixExponential",
    "MatrixInverse MatrixLogarithm MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve MatrixSolveLs",
    "MatrixSquareRoot MatrixTriangularSolve Qr SelfAdjointEig SelfAdjointEigV2 SparseMatMul Svd TridiagonalMatMul",
    "TridiagonalSolve FFT FFT2D FFT3D IFFT IFFT2D IFFT3D _FusedMatMul",
    # Layers: windows, strides and padding are attributes. Those with a size as an input are below.
    "AvgPool AvgPool3D BatchNormWithGlobalNormalization BatchNormWithGlobalNormalizationGrad BiasAdd BiasAddGrad",
    "BiasAddV1 Conv Conv2D Conv2DBackpropFilterV2 Conv2DBackpropInputV2 Conv3D Conv3DBackpropFilter",
    "Conv3DBackpropInput DepthwiseConv2dNative Dilation2D Dilation2DBackpropFilter Dilation2DBackpropInput",
    "ExtractImagePatches ExtractVolumePatches FractionalAvgPool FractionalMaxPool FractionalMaxPoolGrad FusedBatchNorm",
    "FusedBatchNormV2 FusedBatchNormV3 FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3 L2Loss LRN LRNGrad",
    "LogSoftmax MaxPool MaxPool3D MaxPool3DGrad MaxPool3DGradGrad MaxPoolGrad MaxPoolGradGrad",
    "MaxPoolGradGradWithArgmax MaxPoolGradWithArgmax MaxPoolWithArgmax Softmax SoftmaxCrossEntropyWithLogits",
    "SparseSoftmaxCrossEntropyWithLogits CTCLoss CTCLossV2 InTopK InTopKV2 IsotonicRegression _FusedBatchNormEx",
    "_FusedConv2D _FusedConv3D _FusedDepthwiseConv2dNative BlockLSTM BlockLSTMGrad BlockLSTMGradV2 BlockLSTMV2",
    "GRUBlockCell GRUBlockCellGrad LSTMBlockCell LSTMBlockCellGrad CudnnRNN CudnnRNNBackprop CudnnRNNBackpropV2",
    "CudnnRNNBackpropV3 CudnnRNNV2 CudnnRNNV3",
    # Quantized layers: each input has two more, its least and its greatest value.
    "Dequantize QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4",
    "QuantizeAndDequantizeV4Grad QuantizeDownAndShrinkRange QuantizeV2 QuantizedAdd QuantizedAvgPool",
    "QuantizedBatchNormWithGlobalNormalization QuantizedBiasAdd QuantizedConv2D QuantizedConv2DAndRelu",
    "QuantizedConv2DAndReluAndRequantize QuantizedConv2DAndRequantize QuantizedConv2DPerChannel",
    "QuantizedConv2DWithBias QuantizedConv2DWithBiasAndRelu QuantizedConv2DWithBiasAndReluAndRequantize",
    "QuantizedConv2DWithBiasAndRequantize QuantizedConv2DWithBiasSignedSumAndReluAndRequantize",
    "QuantizedConv2DWithBiasSumAndRelu QuantizedConv2DWithBiasSumAndReluAndRequantize QuantizedDepthwiseConv2D",
    "QuantizedDepthwiseConv2DWithBias QuantizedDepthwiseConv2DWithBiasAndRelu",
    "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize QuantizedInstanceNorm QuantizedMatMul",
    "QuantizedMatMulWithBias QuantizedMatMulWithBiasAndDequantize QuantizedMatMulWithBiasAndRelu",
    "QuantizedMatMulWithBiasAndReluAndRequantize QuantizedMatMulWithBiasAndRequantize QuantizedMaxPool QuantizedMul",
    "QuantizedRelu QuantizedRelu6 QuantizedReluX RequantizationRange RequantizationRangePerChannel Requantize",
    "RequantizePerChannel UniformDequantize UniformQuantize UniformQuantizedAdd UniformQuantizedClipByValue",
    "UniformQuantizedConvolution UniformQuantizedConvolutionHybrid UniformQuantizedDot UniformQuantizedDotHybrid",
    "UniformRequantize",
    # Images, boxes and sounds; a gradient has the shape of its tensor.
    "AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation AudioSpectrogram CropAndResizeGradBoxes DepthToSpace",
    "DrawBoundingBoxes DrawBoundingBoxesV2 HSVToRGB Mfcc RGBToHSV ResizeBicubicGrad ResizeBilinearGrad",
    "ScaleAndTranslateGrad SpaceToDepth",
    # Moves and look-ups. An index says which element, not how many.
    "ApproxTopK ConcatOffset Cumprod Cumsum CumulativeLogsumexp Gather GatherNd InplaceAdd InplaceSub InplaceUpdate",
    "InvertPermutation KthOrderStatistic LowerBound NthElement Pack ParallelConcat ReadVariableOp ResourceGather",
    "ResourceGatherNd Reverse ReverseSequence ReverseV2 Roll ScatterNdNonAliasingAdd Squeeze TensorScatterAdd",
    "TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate TensorStridedSliceUpdate TopK TopKUnique",
    "TopKWithUnique UnravelIndex Unpack UpperBound",
    # Sparse tensors: as many values as before, or a result as large as the dense operand.
    "SparseConcat SparseDenseCwiseAdd SparseDenseCwiseDiv SparseDenseCwiseMul SparseReorder SparseReshape",
    "SparseSoftmax SparseTensorDenseAdd",
    # One random number for each element.
    "RandomGammaGrad RandomIndexShuffle RandomShuffle StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg",
    "StatelessShuffle",
    # Lists of tensors: as long as before, or longer by one. A gradient is as long as its list.
    "TensorArrayClose TensorArrayCloseV2 TensorArrayCloseV3 TensorArrayConcat TensorArrayConcatV2 TensorArrayConcatV3",
    "TensorArrayGather TensorArrayGatherV2 TensorArrayGatherV3 TensorArrayGrad TensorArrayGradV2 TensorArrayGradV3",
    "TensorArrayPack TensorArrayUnpack TensorListConcat TensorListConcatLists TensorListPushBack",
    "TensorListPushBackBatch",
    # Datasets: as many elements or steps as the tensors or datasets have. The functions that are called for an element
    # are looked at as well.
    "ConcatenateDataset MapDataset ModelDataset OptionsDataset ParallelMapDataset ParallelMapDatasetV2 PrefetchDataset",
    "ReduceDataset TensorDataset TensorSliceDataset ZipDataset",
)

# The inputs at these places decide the shape of the results by their values: sizes, axes, paddings, counts.
# A negative place counts from the end. The other inputs do not.
_BY_SOME: tuple[tuple[tuple[int, ...], str], ...] = (
    # A choice between tensors of different shapes.
    ((1,), "Switch RefSwitch _SwitchN"),
    ((0,), "RefSelect"),
    # The axis.
    ((1,), "All Any ArgMax ArgMin EuclideanNorm Max Mean Min Prod ReduceJoin Sum ExpandDims"),
    ((0,), "Concat Split"),
    ((-1,), "ConcatV2"),
    ((2,), "GatherV2"),
    ((1,), "ConjugateTranspose Transpose"),
    # A shape, a size or a number of things.
    ((1,), "BroadcastTo QuantizedReshape Reshape Tile TileGrad MirrorPad MirrorPadGrad Pad PadV2 OneHot TopKV2"),
    ((1,), "BatchToSpace SpaceToBatch Bincount DenseBincount SparseToDense Fingerprint DecodePaddedRaw"),
    ((1, 2), "BatchToSpaceND SpaceToBatchND Slice SplitV"),
    ((1, 2, 3), "StridedSlice"),
    ((0,), "Fill StridedSliceGrad"),
    ((2,), "HistogramFixedWidth LinSpace ScatterNd SparseTensorDenseMatMul"),
    ((1,), "IRFFT IRFFT2D IRFFT3D RFFT RFFT2D RFFT3D"),
    ((1, 2), "FFTND IFFTND IRFFTND RFFTND"),
    ((1,), "MatrixDiagPartV2 MatrixDiagPartV3"),
    ((1, 2, 3), "MatrixDiagV2 MatrixDiagV3"),
    # Layers and images.
    ((0,), "AvgPool3DGrad AvgPoolGrad Conv2DBackpropInput Conv3DBackpropInputV2 DepthwiseConv2dNativeBackpropInput"),
    ((1,), "Conv2DBackpropFilter Conv3DBackpropFilterV2 DepthwiseConv2dNativeBackpropFilter"),
    ((1, 2), "MaxPoolV2"),
    ((1,), "QuantizedResizeBilinear ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor"),
    ((1,), "ExtractGlimpse ExtractGlimpseV2 RandomCrop ResizeNearestNeighborGrad ScaleAndTranslate"),
    ((2,), "ImageProjectiveTransformV2 ImageProjectiveTransformV3"),
    ((3,), "CropAndResize CropAndResizeGradImage"),
    ((2, 3), "CombinedNonMaxSuppression"),
    # As many segments as the last id, or an input, says.
    ((1,), "SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum"),
    ((2,), "SegmentMaxV2 SegmentMinV2 SegmentProdV2 SegmentSumV2"),
    ((2,), "UnsortedSegmentJoin UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum"),
    ((2,), "SparseSegmentMean SparseSegmentSqrtN SparseSegmentSum"),
    ((3,), "SparseSegmentMeanWithNumSegments SparseSegmentSqrtNWithNumSegments SparseSegmentSumWithNumSegments"),
    ((3,), "SparseSegmentMeanGrad SparseSegmentSqrtNGrad SparseSegmentSumGrad"),
    # Random numbers.
    ((0,), "ParameterizedTruncatedNormal RandomGamma RandomPoisson RandomPoissonV2 RandomStandardNormal RandomUniform"),
    ((0,), "RandomUniformInt TruncatedNormal StatelessParameterizedTruncatedNormal StatelessRandomBinomial"),
    ((0,), "StatelessRandomGammaV2 StatelessRandomGammaV3 StatelessRandomNormal StatelessRandomNormalV2"),
    ((0,), "StatelessRandomPoisson StatelessRandomUniform StatelessRandomUniformFullInt"),
    ((0,), "StatelessRandomUniformFullIntV2 StatelessRandomUniformInt StatelessRandomUniformIntV2"),
    ((0,), "StatelessRandomUniformV2 StatelessTruncatedNormal StatelessTruncatedNormalV2"),
    ((1,), "Multinomial StatelessMultinomial"),
    # Lists: the number or shape of their elements, or an index: elements can differ in shape, and a write can append.
    ((1,), "TensorArrayRead TensorArrayReadV2 TensorArrayReadV3 TensorArrayScatter TensorArrayScatterV2"),
    ((1,), "TensorArrayScatterV3 TensorArrayWrite TensorArrayWriteV2 TensorArrayWriteV3"),
    ((1,), "TensorListFromTensor TensorListPopBack TensorListResize TensorListSetItem TensorListStack"),
    ((2,), "TensorArraySplit TensorArraySplitV2 TensorArraySplitV3 TensorArrayGradWithShape"),
    ((2,), "TensorListGather TensorListScatterIntoExistingList"),
    ((1, 2), "TensorListConcatV2 TensorListGetItem TensorListScatter TensorListSplit"),
    ((1, 2, 3), "TensorListScatterV2"),
    # Datasets.
    ((1, 2), "BatchDataset BatchDatasetV2 RepeatDataset SkipDataset TakeDataset"),
)

SHAPED_BY: dict[str, tuple[int, ...]] = {
    name: places for places, names in (*(((), names) for names in _BY_NONE), *_BY_SOME) for name in names.split()
}
"""The places of the inputs that decide the shape by their values; all inputs of any other operation do."""


def decides_shape(kind: str, position: int, inputs: int) -> bool:
    """Return whether the value at a position may decide the shape of an operation's results; it has so many inputs."""
    places = SHAPED_BY.get(kind)
    return places is None or position in places or position - inputs in places
