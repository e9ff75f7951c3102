"""What TensorFlow's operations do, told from their types.

A test goes through every operation of the installed TensorFlow and fails when one
that looks as if it reached into files or ran Python is in none of the tables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})

REFERENCE_VARIABLES = frozenset({"VariableV2", "Variable"})
"""TF1's variables, which are handed on by reference."""

VARIABLES = REFERENCE_VARIABLES | {"VarHandleOp"}

READS_VARIABLES = frozenset({"ReadVariableOp", "VariableShape", "ResourceGather", "ResourceGatherNd"})

PARTITIONED_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
BRANCHES = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})
LOOPS = frozenset({"While", "StatelessWhile"})
"""Each output is what the input of the same number has become."""

FUNCTION_CALLS = PARTITIONED_CALLS | BRANCHES | LOOPS
"""Operations of which it is known which inputs their functions get. `functions.CALLS` counts them."""

FORWARDS = frozenset({"Identity", "Enter", "Exit", "NextIteration", "Switch", "Merge"})
"""Operations that hand on a variable as they do a value."""

SAME_ELEMENTS = frozenset({"Identity", "StopGradient", "Reshape", "ExpandDims", "PlaceholderWithDefault"})
"""The output has the elements of the first input. Not so `IdentityN`: there the output tells which input it is."""

ALIASES_INPUT = frozenset(
    {
        *("Identity", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "PreventGradient", "EnsureShape"),
        *("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
    }
)
"""The first output may be the memory of the first input."""

ALIASES_AN_OPERAND = frozenset({"Add", "AddV2", "BiasAdd", "Sub", "Mul", "RealDiv", "Maximum", "Minimum"})
"""Where one operand turns out to be zeros or ones, the optimizer passes the other on."""

ALLOCATES_OUTPUT = frozenset(
    {
        *("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"),
        *("Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput"),
        *("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D", "LRN", "ResizeBilinear"),
        *("Softmax", "LogSoftmax", "Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Softplus", "Sigmoid", "Tanh"),
        *("Exp", "Log", "Log1p", "Sqrt", "Rsqrt", "Square", "Erf", "Sin", "Cos"),
        *("ArgMax", "ArgMin", "TopKV2", "Gather", "GatherV2", "GatherNd", "ResourceGather", "OneHot"),
        *("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"),
    }
)
"""The first output has memory of its own, or that of an input that nothing else uses."""

RUNS_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})

ENDS_THE_PROCESS = frozenset({"Abort"})

READS_FILES: Mapping[str, tuple[int, ...]] = {
    "CSVDataset": (0,),
    "CSVDatasetV2": (0,),
    "ExperimentalCSVDataset": (0,),
    "ExperimentalLMDBDataset": (0,),
    "ExperimentalMatchingFilesDataset": (0,),
    "FixedLengthRecordDataset": (0,),
    "FixedLengthRecordDatasetV2": (0,),
    "GenerateVocabRemapping": (0, 1),
    "InitializeTableFromTextFile": (1,),
    "InitializeTableFromTextFileV2": (1,),
    "LMDBDataset": (0,),
    "ListSnapshotChunksDataset": (0,),
    "LoadAndRemapMatrix": (0,),
    "LoadDataset": (0,),
    "MatchingFiles": (0,),
    "MatchingFilesDataset": (0,),
    "ReadFile": (0,),
    "SnapshotChunkDataset": (0,),
    "SnapshotDatasetReader": (0,),
    "TFRecordDataset": (0,),
    "TFRecordDatasetV2": (0,),
    "TextLineDataset": (0,),
}
"""Operations that read the files named by these inputs; allowed on the model's own assets."""

RESTORES: Mapping[str, tuple[int, ...]] = {"Restore": (0,), "RestoreSlice": (0,), "RestoreV2": (0,)}
"""The same for the operation that gives a SavedModel its variables, and for nothing else."""

CACHES: Mapping[str, int] = {"CacheDataset": 1, "CacheDatasetV2": 1}
"""Operations that write the file named by this input, or none if it is empty."""

NAMES_A_FILE: Mapping[str, str] = {
    "DebugIdentity": "debug_urls",
    "DebugIdentityV2": "debug_urls",
    "DebugIdentityV3": "debug_urls",
    "DebugNanCount": "debug_urls",
    "DebugNumericSummary": "debug_urls",
    "FixedUnigramCandidateSampler": "vocab_file",
    "ImmutableConst": "memory_region_name",
    "RecordInput": "file_pattern",
    "Skipgram": "filename",
}
"""Operations that touch what this attribute names, where it names anything."""

PROTO_OPS = frozenset({"DecodeProtoV2", "EncodeProto"})
"""Operations that read the file named by ``descriptor_source``, unless that is ``local://``."""

TOUCHES_FILES = frozenset(
    {
        "CalibrationStatisticsSaver",
        "CreateSummaryDbWriter",
        "CreateSummaryFileWriter",
        "DTensorRestoreV2",
        "DataServiceDataset",
        "DataServiceDatasetV2",
        "DataServiceDatasetV3",
        "DataServiceDatasetV4",
        "DatasetFromGraph",  # what it runs comes as bytes, which nobody has looked through
        "DatasetToTFRecord",
        "DistributedSave",
        "DumpTensor",
        "ExperimentalDatasetToTFRecord",
        "ExperimentalSqlDataset",
        "FileSystemSetConfiguration",
        "FixedLengthRecordReader",
        "FixedLengthRecordReaderV2",
        "LMDBReader",
        "MergeV2Checkpoints",
        "RegisterDataset",
        "RegisterDatasetV2",
        "Restore",
        "RestoreSlice",
        "RestoreV2",
        "RpcCall",
        "RpcClient",
        "RpcServer",
        "Save",
        "SaveDataset",
        "SaveDatasetV2",
        "SaveSlices",
        "SaveV2",
        "SnapshotDataset",
        "SnapshotDatasetV2",
        "SqlDataset",
        "SymbolicGradient",  # runs a gradient function that no attribute names
        "TFRecordReader",
        "TFRecordReaderV2",
        "TextLineReader",
        "TextLineReaderV2",
        "WholeFileReader",
        "WholeFileReaderV2",
        "WriteFile",
        "XlaCustomCall",
        "XlaCustomCallV2",
    }
)
"""Operations that reach out of the process, or into files, whatever their inputs."""

WRITES_VARIABLES = re.compile(
    r"Assign|(Resource)?(Sparse)?Apply[A-Z]|ResourceScatter|(Resource)?StridedSliceAssign"
    r"|Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)$|Rng|Stateful(Standard|Uniform|Truncated|Random)|(Resource)?CountUpTo"
)

WRITES_TABLES = re.compile(r"LookupTable(Insert|Import|Remove)")

HAS_SIDE_EFFECTS = re.compile(
    r"(Stage|Unstage)$|(Ordered)?Map(Stage|Unstage|Clear)|StageClear|Queue(Enqueue|Dequeue|Close)|Barrier"
    r"|(Multi[Dd]evice)?IteratorGetNext|MakeIterator|Reader(Read|Reset|Restore)|.*Accumulator(Apply|Take)"
    r"|Print(V2)?$|(Eager)?PyFunc|Write\w*(Summary|File)"
)
"""Operations that advance a queue, an iterator or a reader, or that somebody can see."""

STATEFUL_RANDOM = re.compile(
    r"Random(Uniform|StandardNormal|Shuffle$|Gamma$|Poisson|Crop)|(Parameterized)?TruncatedNormal|Multinomial"
    r"|\w+CandidateSampler|SampleDistortedBoundingBox|Skipgram"
)
"""Operations with a random generator in their kernel: one for each node, in each function that is traced."""
